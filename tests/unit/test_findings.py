# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of several pods come to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Answers, Check, Measured, Verification


def answers(*passed: bool | None, **measured: Any) -> Answers:
    checks = tuple(Check(name=f"c{place}", passed=each, detail="") for place, each in enumerate(passed))
    return Answers(checks=checks, measured=Measured(**measured))


@pytest.mark.parametrize(
    ("pods", "passed", "failure"),
    [
        ({}, False, None),
        ({"p": answers(True, True)}, True, None),
        ({"p": answers(True, None)}, True, None),
        ({"p": answers(True), "q": answers(None, False, False)}, False, ("q", "c1")),
    ],
)
def test_passed(pods: dict[str, Answers], passed: bool, failure: tuple[str, str] | None) -> None:
    verification = Verification(pods=pods)
    found = verification.first_failure
    assert (verification.passed, found and (found[0], found[1].name)) == (passed, failure)


def test_the_evidence_is_that_of_the_slowest_pod() -> None:
    pods = {
        "p": answers(True, version="0.33.0", first_token=0.1, inference=0.5, probes=9, errors=1, p95=0.2),
        "q": answers(True, version="0.33.0", first_token=0.2, inference=0.4, probes=9, p95=0.3),
        "r": answers(False),
    }
    assert Verification(pods=pods).evidence == {
        "vllm_versions": ["0.33.0"],
        "first_token_seconds": 0.2,
        "inference_seconds": 0.5,
        "probes": 18,
        "errors": 1,
        "p95_seconds": 0.3,
    }


def test_what_was_not_measured_is_no_evidence() -> None:
    assert Verification(pods={"p": answers(True)}).evidence == {}
    assert Verification(pods={"p": answers(True, probes=5, p95=0.0)}).evidence == {
        "probes": 5,
        "errors": 0,
        "p95_seconds": 0.0,
    }
