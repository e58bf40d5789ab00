# SPDX-License-Identifier: GPL-3.0-or-later
"""The words for what a pod does, while it is waited for and when the time is up."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.overdue import overdue
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import pod_state
from ansible_collections.ai_aas.vllm.tests.unit.release.observations import (
    LOADING,
    NOW,
    STARTED,
    Object,
    deployment,
    pod,
    replica_set,
    seen,
    unscheduled,
    waiting,
)


def may_start(body: Object) -> Object:
    status = body["status"]
    ready = {"type": "PodReadyToStartContainers", "status": "True"}
    return body | {"status": status | {"conditions": [*status["conditions"], ready]}}


ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(unscheduled(message="0/1 nodes"), "p is not scheduled: 0/1 nodes", id="unscheduled"),
        pytest.param(
            unscheduled(
                message="0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, "
                "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
            ),
            "p is not scheduled: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu",
            id="unscheduled, without what the scheduler thinks of preemption",
        ),
        pytest.param(unscheduled(), "p is not scheduled: Unschedulable", id="unscheduled without a message"),
        pytest.param(waiting(reason="ContainerCreating"), "p sets up its volumes and network", id="creating"),
        pytest.param(may_start(waiting(reason="ContainerCreating")), "p pulls its image", id="pulling"),
        pytest.param(may_start(waiting(reason="PodInitializing")), "p pulls its image", id="initializing"),
        pytest.param(
            waiting(reason="ErrImagePull", message="not found"),
            "p ErrImagePull: not found",
            id="the image cannot be pulled",
        ),
        pytest.param(
            waiting(reason="CrashLoopBackOff", message="back-off 10s", restarts=3, lastState=ENDED),
            "p exited with code 1 (4 times), waits to be started again",
            id="in back-off",
        ),
        pytest.param(pod(ready=False, state=ENDED), "p exited with code 1", id="exited"),
        pytest.param(
            pod(ready=False, state=ENDED, restartCount=2), "p exited with code 1, restarted 2 times", id="exited again"
        ),
        pytest.param(LOADING, "p loading, 2m05s of 10m00s", id="loading"),
        pytest.param(
            pod(ready=False, started=True), "p started, waits for its readiness probe, 2m05s", id="started, not ready"
        ),
        pytest.param(
            pod(ready=False, restartCount=1), "p loading, 2m05s of 10m00s, restarted once", id="loading after a restart"
        ),
        pytest.param(pod(), "p running", id="all containers ready, the pod not yet"),
        pytest.param(pod() | {"status": {}}, "p accepted", id="nothing known"),
        pytest.param(pod() | {"status": {"phase": "Failed"}}, "p failed", id="evicted"),
    ],
)
def test_texts_for_a_pod(body: Object, text: str) -> None:
    assert pod_state(body, NOW)[1] == text


def test_an_init_container_speaks_first() -> None:
    body = copy.deepcopy(LOADING)
    failing = {"name": "init", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 1}
    body["status"]["initContainerStatuses"] = [failing]
    assert pod_state(body, NOW)[1] == "p waits to be started again"
    running = {"name": "init", "state": {"running": {"startedAt": STARTED}}}
    body["status"]["initContainerStatuses"] = [running]
    assert pod_state(body, NOW)[1] == "p initializing (init), 2m05s"
    body["status"]["initContainerStatuses"] = [{"name": "init", "state": {"terminated": {"exitCode": 0}}}]
    assert pod_state(body, NOW)[1] == "p loading, 2m05s of 10m00s", "it has done its work"


def test_a_hint_says_what_is_waited_for() -> None:
    hints = {"uid of p": Cause(id="secret_missing", sentence="the Secret keys does not exist")}
    assert pod_state(waiting(reason="ContainerCreating"), NOW, hints)[1] == ("p waits: the Secret keys does not exist")


def test_overdue_says_what_the_pods_say() -> None:
    last = {"terminated": {"exitCode": 1, "reason": "Error", "message": "  Traceback\nValueError: no\n"}}
    crashing = waiting(reason="CrashLoopBackOff", restarts=2, lastState=last)
    assert overdue(seen(deployment(2, ready=1), pod("q"), crashing), 90) == Cause(
        id="not_ready_in_time",
        sentence="After 90 s 1 of its pods are not ready: p exited with code 1 (3 times), waits to be started again",
        cure="Read the log of the pod; if it is still loading, raise the startup probe's budget",
        setting="startup probe",
        object="Pod/p",
        container="vllm",
        node="gpu-a",
        reason="Error",
        exit_code=1,
        message="Traceback\nValueError: no",
    )


@pytest.mark.parametrize(
    ("body", "cause_id"),
    [
        (may_start(waiting(reason="ContainerCreating")), "not_started_in_time"),
        (pod(ready=False, started=True), "readiness_failed"),
        (pod(ready=False, started=False), "not_ready_in_time"),
    ],
)
def test_overdue_tells_what_was_slow(body: Object, cause_id: str) -> None:
    assert overdue(seen(deployment(), body), 90).id == cause_id


def test_overdue_with_nobody_behind() -> None:
    cause = overdue(seen(deployment(2, ready=1), pod("q")), 90)
    assert (cause.id, cause.sentence) == (
        "not_available",
        "After 90 s all new pods are ready (1), and the controller does not go on",
    )


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "the controller made no ReplicaSet"),
        (replica_set(), "no reason is given"),
        (replica_set(failure="exceeded quota: gpus"), "exceeded quota: gpus"),
    ],
)
def test_overdue_without_a_pod(found: Object | None, why: str) -> None:
    cause = overdue(seen(deployment(), replica_set=found), 90)
    assert cause == Cause(id="no_pod", sentence=f"After 90 s there is no pod: {why}", reason="ProgressDeadlineExceeded")
