# SPDX-License-Identifier: GPL-3.0-or-later
"""Which refusals say nothing about what was asked."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.refusals import refusal
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed, Refused


@pytest.mark.parametrize("code", [401, 429, 500, 503])
def test_what_may_go_away_by_itself(code: int) -> None:
    assert refusal(code, b"{}", "Deployment/x").transient


@pytest.mark.parametrize("code", [400, 403, 404, 409, 422])
def test_what_will_not(code: int) -> None:
    assert not refusal(code, b"{}", "Deployment/x").transient


def test_no_answer_may_come_yet() -> None:
    assert ConnectionFailed("No").transient
    assert not Refused("No").transient
