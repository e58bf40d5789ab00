# SPDX-License-Identifier: GPL-3.0-or-later
"""Each cause that a log can name, in the words of different versions of vLLM and of the libraries below it."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.row import Row
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.diagnosis import LOG, explain
from ansible_collections.ai_aas.vllm.tests.unit.serving.samples import read

CASES = read("causes_of_logs.txt")


@pytest.mark.parametrize(("cause_id", "text", "parts"), CASES)
def test_the_cause_and_what_is_said_of_it(cause_id: str, text: str, parts: tuple[str, ...]) -> None:
    cause = explain(text)
    assert cause is not None
    assert cause.id == cause_id
    said = f"{cause.sentence} / {cause.cure}"
    assert [part for part in parts if part not in said] == []


FROM_FIXTURES = {"no_tmp"}


def test_every_row_of_the_table_is_tried() -> None:
    assert {row.id for row in LOG} == {cause_id for cause_id, _text, _parts in CASES} | FROM_FIXTURES


@pytest.mark.parametrize("row", LOG, ids=lambda row: row.id)
def test_every_cause_names_a_cure_and_no_full_stop(row: Row) -> None:
    assert row.cure[:1].isupper()
    assert not row.sentence.endswith(".")
    assert not row.cure.endswith(".")


def test_what_can_heal_by_itself() -> None:
    assert {row.id for row in LOG if row.transient} == {
        "hf_rate_limited", "hf_unreachable", "gpu_busy", "gpu_fault", "nccl", "startup_timeout", "killed_while_loading",
        "generic", "worker_killed",
    }  # fmt: skip
