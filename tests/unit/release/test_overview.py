# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is like, at a glance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Death, Standstill
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.overview import (
    last_write,
    overview,
    pods_belong,
    pods_of,
    trouble,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import (
    Current,
    Head,
    Holder,
    Operation,
    Request,
    Row,
)
from ansible_collections.ai_aas.vllm.tests.unit.release import observations

HOLDER = Holder(host="h", boot_id="b", pid_namespace="p", pid=1, start=2, user="ann")
CAUSE = {"cause": "out_of_memory"}


def row(revision: int, state: str, **more: Any) -> Row:
    return Row(
        revision=revision,
        digest="d",
        state=state,
        kind="deploy",
        content=revision,
        image=f"i:{revision}",
        started=f"start {revision}",
        finished="" if state in ("running", "interrupted") else f"end {revision}",
        **more,
    )


def under_way(kind: str, revision: int, phase: str = "apply") -> Operation:
    request = Request(kind=kind, digest="d")
    return Operation(id="o", kind=kind, request=request, revision=revision, digest="d", phase=phase, holder=HOLDER)


GOOD = row(1, "current", verified=True)
RUNNING = Head(release_uid="u", current=Current(revision=1, digest="d"), history=(GOOD,))
HELD = replace(RUNNING, unsettled=True, history=(row(2, "failed", failure=CAUSE), GOOD))
FIRST_FAILED = Head(release_uid="u", unsettled=True, history=(row(1, "failed", failure=CAUSE),))
DEPLOYING = replace(RUNNING, history=(row(2, "running"), GOOD), operation=under_way("deploy", 2))
FIRST_DEPLOYING = Head(release_uid="u", history=(row(1, "running"),), operation=under_way("deploy", 1))


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (RUNNING, ("running", "1", 1, 1, True, "end 1", "i:1", None)),
        (HELD, ("failed", "1, 2 failed", 2, 1, True, "end 2", "i:1", CAUSE)),
        (replace(HELD, unsettled=False), ("running", "1", 1, 1, True, "end 1", "i:1", None)),
        (
            replace(RUNNING, unsettled=True, history=(replace(GOOD, failure=CAUSE),)),
            ("failed", "1, failed", 1, 1, True, "end 1", "i:1", CAUSE),
        ),
        (FIRST_FAILED, ("failed", "1 failed", 1, None, None, "end 1", "i:1", CAUSE)),
        (
            replace(HELD, history=(row(2, "interrupted"), GOOD)),
            ("interrupted", "1, 2 interrupted", 2, 1, True, "start 2", "i:1", None),
        ),
        (DEPLOYING, ("deploying", "1, 2 deploying", 2, 1, True, "start 2", "i:1", None)),
        (FIRST_DEPLOYING, ("deploying", "1 deploying", 1, None, None, "start 1", "i:1", None)),
        (
            replace(RUNNING, operation=under_way("repair", 1)),
            ("repairing", "1, repairing", 1, 1, True, "start 1", "i:1", None),
        ),
        (
            replace(RUNNING, operation=under_way("remove", 1)),
            ("removing", "1, removing", 1, 1, True, "written", "i:1", None),
        ),
        (
            replace(RUNNING, operation=under_way("deploy", 1, "tidy")),
            ("running", "1", 1, 1, True, "end 1", "i:1", None),
        ),
        (
            Head(release_uid="u", history=(row(3, "removed", verified=True), row(2, "superseded"))),
            ("removed", "3 removed", 3, None, None, "written", "i:3", None),
        ),
        (Head(release_uid="u"), ("removed", "removed", None, None, None, "written", "", None)),
    ],
)
def test_overview(head: Head, told: tuple[Any, ...]) -> None:
    found = overview(head, "written")
    keys = ("state", "summary", "revision", "current", "verified", "since", "image", "failure")
    assert tuple(found[key] for key in keys) == told
    assert [entry["revision"] for entry in found["history"]] == [each.revision for each in head.history]


def test_what_is_under_way() -> None:
    assert overview(DEPLOYING, "written")["operation"] == {
        "kind": "deploy",
        "revision": 2,
        "phase": "apply",
        "holder": "ann on h (pid 1)",
        "heartbeat": "written",
    }
    assert overview(RUNNING, "written")["operation"] is None


def test_when_an_object_was_written_last() -> None:
    entries = [{"time": "2026-11-23T10:00:00Z"}, {"time": "2026-11-23T12:00:00Z"}, {}]
    assert last_write({"metadata": {"managedFields": entries}}) == "2026-11-23T12:00:00Z"
    assert last_write({"metadata": {}}) == ""


@pytest.mark.parametrize(
    ("deployments", "told"),
    [
        ([], {"ready": 0, "wanted": 0, "summary": ""}),
        ([{"spec": {}}], {"ready": 0, "wanted": 1, "summary": "0/1"}),
        ([{"spec": {"replicas": 3}, "status": {"readyReplicas": 2}}], {"ready": 2, "wanted": 3, "summary": "2/3"}),
        ([{"spec": {"replicas": 0}}], {"ready": 0, "wanted": 0, "summary": "0/0"}),
    ],
)
def test_pods(deployments: list[dict[str, Any]], told: dict[str, Any]) -> None:
    assert pods_of(deployments) == told


def explain(what: Death | Standstill) -> Cause | None:
    if isinstance(what, Standstill):
        return Cause(id="image_not_found", sentence="there is no such image", cure="Correct it")
    return Cause(id="tp_heads", sentence=what.log, cure="Another number", setting="gpus") if what.log else None


@pytest.mark.parametrize(
    ("pods", "sentence", "setting"),
    [
        pytest.param([observations.pod()], None, "", id="ready"),
        pytest.param([observations.LOADING], "p loading, 2m05s of 10m00s", "", id="loading"),
        pytest.param(
            [observations.pod("q"), observations.waiting(reason="ErrImagePull", message="v:2: not found")],
            "p cannot run: there is no such image",
            "",
            id="an image that does not exist",
        ),
        pytest.param(
            [
                observations.waiting(
                    reason="CrashLoopBackOff",
                    restarts=1,
                    lastState={"terminated": {"exitCode": 1, "message": "12 heads, 8 GPUs"}},
                )
            ],
            "p cannot run: 12 heads, 8 GPUs",
            "gpus",
            id="the end of its log names a cause",
        ),
        pytest.param(
            [
                observations.waiting(
                    reason="CrashLoopBackOff", restarts=1, lastState={"terminated": {"exitCode": 1, "message": ""}}
                )
            ],
            "p cannot run: it ended twice with exit code 1",
            "",
            id="nothing names a cause",
        ),
    ],
)
def test_what_pods_say_now(pods: list[dict[str, Any]], sentence: str | None, setting: str) -> None:
    cause = trouble([], pods, explain, observations.NOW)
    assert (cause.sentence if cause else None) == sentence
    assert (cause.setting if cause else "") == setting


def test_pods_belong_to_the_deployment_that_selects_them() -> None:
    def labelled(**metadata: Any) -> dict[str, Any]:
        return {"metadata": metadata}

    mine, others = labelled(labels={"app": "x", "pod-template-hash": "1"}), labelled(labels={"app": "y"})
    ending = labelled(labels={"app": "x"}, deletionTimestamp="now")
    body = {"spec": {"selector": {"matchLabels": {"app": "x"}}}}
    assert pods_belong(body, [mine, others, ending, labelled()]) == [mine]


def test_why_there_are_too_few_pods() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: gpus"}
    body = {"status": {"conditions": [condition]}}
    cause = trouble([body], [observations.pod()], explain, observations.NOW)
    assert cause is not None
    assert (cause.id, cause.sentence) == ("quota_exceeded", "no pod can be made: exceeded quota: gpus")
