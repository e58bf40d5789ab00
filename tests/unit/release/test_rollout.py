# SPDX-License-Identifier: GPL-3.0-or-later
"""What an observation of a rollout says, and the words for it."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import (
    Failed,
    Observation,
    Ready,
    Waiting,
    current_replica_set,
    duration,
    judge,
    overdue,
    pod_state,
)
from ansible_collections.ai_aas.vllm.tests.unit.release.observations import (
    CONTAINER,
    LOADING,
    NOW,
    Object,
    deployment,
    names,
    pod,
    replica_set,
    seen,
    unscheduled,
    waiting,
)

CONTROLLER = "waiting for the Deployment controller"


@pytest.mark.parametrize(
    ("observation", "answer"),
    [
        pytest.param(seen(deployment(), pod()), ["p"], id="ready"),
        pytest.param(seen(deployment(2), pod("p"), pod("q")), ["p", "q"], id="all of them ready"),
        pytest.param(seen(deployment(0)), [], id="scaled to nothing"),
        pytest.param(
            seen({"metadata": {}, "spec": {"replicas": 0}, "status": {"observedGeneration": 2}}),
            [],
            id="scaled to nothing, where counts of zero are left out",
        ),
        pytest.param(seen(deployment(), pod(), pod("old", "old", deleting=True)), ["p"], id="old pods may terminate"),
        pytest.param(seen(deployment(), pod(), pod("q", deleting=True)), ["p"], id="so may new ones"),
        pytest.param(seen(deployment(observed=1), pod()), CONTROLLER, id="the status speaks of the former generation"),
        pytest.param(seen({"metadata": {}, "spec": {}}), CONTROLLER, id="no status yet"),
        pytest.param(seen(deployment(), pod(), replica_set=None), CONTROLLER, id="no ReplicaSet of this template yet"),
        pytest.param(seen(deployment()), "no new pod yet", id="no pod"),
        pytest.param(seen(deployment(), pod("q", "old")), "no new pod yet", id="only pods of the old ReplicaSet"),
        pytest.param(
            seen(deployment(), replica_set=replica_set(failure="a webhook does not answer")),
            "no new pod yet: a webhook does not answer",
            id="no pod, and the ReplicaSet says why",
        ),
        pytest.param(
            seen(deployment(ready=0), LOADING),
            "p loading, 2m05s of 10m00s",
            id="loading",
        ),
        pytest.param(
            seen(deployment(2, ready=1), pod("q"), LOADING),
            "1 of 2 ready, p loading, 2m05s of 10m00s",
            id="one of two",
        ),
        pytest.param(
            seen(deployment(2, ready=0), unscheduled("q", message="0/1 nodes"), LOADING),
            "0 of 2 ready, q is not scheduled: 0/1 nodes; p loading, 2m05s of 10m00s",
            id="each says what it does",
        ),
        pytest.param(
            seen(deployment(), pod(), pod("q", "old")),
            "1 of 1 ready, 1 old pod still serves",
            id="an old pod is left",
        ),
        pytest.param(
            seen(deployment(ready=0), pod()),
            "1 of 1 ready, waiting for the Deployment controller",
            id="the controller has yet to count it",
        ),
        pytest.param(
            seen(deployment(availableReplicas=0), pod()),
            "1 of 1 ready, waiting for the Deployment controller",
            id="ready is not available",
        ),
        pytest.param(
            seen(deployment(replicas=2, updatedReplicas=1), pod(), pod("q", "old", deleting=True)),
            "1 of 2 ready, waiting for the Deployment controller",
            id="counted with an old one",
        ),
    ],
)
def test_judge(observation: Observation, answer: list[str] | str) -> None:
    assert names(judge(observation, generation=2)) == answer


def missing(name: str, **more: Any) -> Object:
    return waiting(name, reason="ErrImagePull", message="v:2: not found", **more)


CREATING = waiting("q", reason="ContainerCreating")


@pytest.mark.parametrize(
    ("observation", "failed"),
    [
        pytest.param(seen(deployment(ready=0), missing("p")), True, id="the only pod"),
        pytest.param(seen(deployment(2, ready=0), missing("p"), missing("q")), True, id="all pods"),
        pytest.param(
            seen(deployment(2, ready=0), missing("p"), CREATING), False, id="one of two may be its node's fault"
        ),
        pytest.param(
            seen(deployment(3, ready=0), missing("p"), missing("r", node="gpu-b"), CREATING), True, id="two nodes"
        ),
        pytest.param(
            seen(deployment(3, ready=0), missing("p"), missing("r"), CREATING), False, id="two pods of one node"
        ),
        pytest.param(seen(deployment(), pod(), missing("old", owner="old")), False, id="a pod of the old ReplicaSet"),
        pytest.param(seen(deployment(ready=0), missing("p", deleting=True)), False, id="a pod that is being deleted"),
        pytest.param(
            seen(
                deployment(),
                replica_set=replica_set(failure='pods "x" is forbidden: violates PodSecurity "restricted"'),
            ),
            True,
            id="no pod can be made",
        ),
        pytest.param(
            seen(deployment(), replica_set=replica_set(failure="exceeded quota")), True, id="a quota that stays full"
        ),
    ],
)
def test_no_waiting_will_help(observation: Observation, failed: bool) -> None:
    assert isinstance(judge(observation, generation=2), Failed) is failed


def test_conditions_of_the_deployment_are_not_listened_to() -> None:
    body = deployment()
    body["status"]["conditions"] = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
        {"type": "Available", "status": "False"},
    ]
    assert isinstance(judge(seen(body, pod()), generation=2), Ready)


def test_the_state_is_news_only_when_something_happens() -> None:
    def state(*pods: Object, at: datetime = NOW) -> str:
        observation = Observation(
            deployment=deployment(2, ready=0), replica_set=replica_set(), pods=pods, deaths={}, autopsies={}, now=at
        )
        answer = judge(observation, generation=2)
        assert isinstance(answer, Waiting | Failed)
        return answer.state if isinstance(answer, Waiting) else answer.meanwhile.state

    loading = state(LOADING)
    assert state(LOADING, at=NOW.replace(minute=9)) == loading
    others = [
        state(LOADING | {"metadata": LOADING["metadata"] | {"name": "another"}}),
        state(LOADING, pod("q")),
        state(pod(ready=False, restartCount=1)),
        state(waiting(reason="CrashLoopBackOff", restarts=1)),
        state(waiting(reason="CrashLoopBackOff", restarts=2)),
        state(unscheduled()),
        state(),
    ]
    assert len({loading, *others}) == 1 + len(others)


ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(unscheduled(message="0/1 nodes"), "p is not scheduled: 0/1 nodes", id="unscheduled"),
        pytest.param(unscheduled(), "p is not scheduled: Unschedulable", id="unscheduled without a message"),
        pytest.param(waiting(reason="ContainerCreating"), "p pulls its image and mounts its volumes", id="creating"),
        pytest.param(waiting(reason="PodInitializing"), "p pulls its image and mounts its volumes", id="initializing"),
        pytest.param(
            waiting(reason="ErrImagePull", message="not found"),
            "p ErrImagePull: not found",
            id="the image cannot be pulled",
        ),
        pytest.param(
            waiting(reason="CrashLoopBackOff", message="back-off 10s", restarts=3, lastState=ENDED),
            "p CrashLoopBackOff: back-off 10s (exited with code 1, 3 restarts)",
            id="in back-off",
        ),
        pytest.param(pod(ready=False, state=ENDED), "p exited with code 1", id="exited"),
        pytest.param(
            pod(ready=False, state=ENDED, restartCount=2), "p exited with code 1, restarted 2 times", id="exited again"
        ),
        pytest.param(LOADING, "p loading, 2m05s of 10m00s", id="loading"),
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
    assert pod_state(body, NOW)[1] == "p CrashLoopBackOff"


def test_overdue_says_what_the_pods_say() -> None:
    last = {"terminated": {"exitCode": 1, "reason": "Error", "message": "  Traceback\nValueError: no\n"}}
    crashing = waiting(reason="CrashLoopBackOff", restarts=2, lastState=last)
    assert overdue(seen(deployment(2, ready=1), pod("q"), crashing), 90) == Cause(
        id="not_ready_in_time",
        sentence="After 90 s 1 of its pods are not ready: p CrashLoopBackOff (exited with code 1, 2 restarts)",
        cure="Read the log of the pod; if it is still loading, raise the startup probe's budget",
        object="Pod/p",
        container="vllm",
        node="gpu-a",
        reason="Error",
        exit_code=1,
        message="Traceback\nValueError: no",
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


def test_the_current_replica_set_is_the_one_made_from_the_template() -> None:
    old = replica_set("old", spec={"containers": [CONTAINER | {"image": "v:1"}]})
    foreign = replica_set("foreign", owner="another deployment")
    new = replica_set("new")
    assert current_replica_set(deployment(), [old, foreign, new]) is new
    assert current_replica_set(deployment(), [old, foreign]) is None
    assert current_replica_set(deployment(), []) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (-3, "0s"), (59.9, "59s"), (60, "1m00s"), (130, "2m10s"), (3600, "60m00s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
