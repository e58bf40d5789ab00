# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a pod is the one that was asked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.steadiness import check, life


def pod(uid: str, *restarts: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "uid": uid},
        "status": {"containerStatuses": [{"restartCount": count} for count in restarts]},
    }


BEFORE = pod("a", 1, 0)


def test_a_life_is_a_pod_and_its_restarts() -> None:
    assert life(BEFORE) == ("a", 1)
    assert life({"metadata": {"uid": "a"}}) == ("a", 0)


@pytest.mark.parametrize(
    ("after", "passed", "detail"),
    [
        ([pod("b", 0), pod("a", 1, 0)], True, "the same process all the while"),
        ([pod("a", 2, 1)], False, "it was started again while it was asked (2x)"),
        ([pod("b", 1, 0)], False, "it is gone since it was asked"),
        ([], False, "it is gone since it was asked"),
    ],
)
def test_check(after: list[dict[str, Any]], passed: bool, detail: str) -> None:
    found = check(BEFORE, after)
    assert (found.name, found.passed, found.detail) == ("restarts", passed, detail)
