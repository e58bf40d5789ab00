# SPDX-License-Identifier: GPL-3.0-or-later
"""When the controller is made to wait for our answer, and when it is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import gate, names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Action, Step

Object = dict[str, Any]


def deployment(digest: str = "new", *, strategy: str = "RollingUpdate", **spec: Any) -> Object:
    template = {"metadata": {"annotations": {names.POD_TEMPLATE_DIGEST: digest}}}
    return {
        "metadata": {"name": "x"},
        "spec": {"progressDeadlineSeconds": 600, "strategy": {"type": strategy}, "template": template} | spec,
    }


def step(body: Object, live: Object | None) -> Step:
    return Step(action=Action.UPDATE, body=body, live=live)


@pytest.mark.parametrize(
    ("body", "live", "expected"),
    [
        pytest.param(deployment(), deployment("old"), True, id="another template"),
        pytest.param(deployment(), None, False, id="nothing is there"),
        pytest.param(deployment(), deployment(), False, id="the same template"),
        pytest.param(deployment(strategy="Recreate"), deployment("old"), False, id="all at once"),
    ],
)
def test_when_the_gate_is_closed(body: Object, live: Object | None, expected: bool) -> None:
    assert gate.may_close(step(body, live)) is expected


def test_the_gate_holds_for_a_week_whatever_the_deadline() -> None:
    body = deployment(progressDeadlineSeconds=600)
    closed = gate.closed(body)
    ready, deadline = (closed["spec"][name] for name in ("minReadySeconds", "progressDeadlineSeconds"))
    assert 7 * 24 * 3600 == ready < deadline  # else the API server refuses it
    assert closed == body | {"spec": body["spec"] | gate.CLOSED}
    assert body == deployment(progressDeadlineSeconds=600)
    assert gate.holds(closed, body)
    assert not gate.holds(body, body)
    assert not gate.holds(closed, closed)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (deployment(**gate.CLOSED), True),
        (deployment(minReadySeconds=0), False),
        (deployment(), False),
        (deployment("old", **gate.CLOSED), False),
        (None, False),
    ],
)
def test_a_gate_that_a_killed_run_left_closed(live: Object | None, expected: bool) -> None:
    assert gate.is_closed(step(deployment(), live)) is expected


@pytest.mark.parametrize(("digest", "replicas", "expected"), [("new", 1, True), ("new", 0, False), ("old", 1, False)])
def test_a_template_that_comes_back_to_its_pods(digest: str, replicas: int, expected: bool) -> None:
    candidate = deployment(digest) | {"status": {"replicas": replicas}}
    assert gate.comes_back(deployment(), [deployment("other"), candidate]) is expected
