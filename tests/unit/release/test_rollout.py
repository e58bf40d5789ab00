# SPDX-License-Identifier: GPL-3.0-or-later
"""What an observation of a rollout says, and the words for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import (
    Failed,
    Observation,
    Ready,
    Waiting,
    current_replica_set,
    duration,
    judge,
)
from ansible_collections.ai_aas.vllm.tests.unit.release.observations import (
    CONTAINER,
    LOADING,
    NOW,
    STARTED,
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


def unplaced() -> Object:
    body = unscheduled("q", message="0/1 nodes")
    return body | {"spec": body["spec"] | {"nodeName": ""}}


def given_up(name: str) -> Object:
    body = pod(name, ready=False)
    return body | {
        "status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    }


def refused_replica_set() -> Object:
    condition = {"type": "Progressing", "reason": "ReplicaSetCreateError", "message": "denied by a webhook"}
    return {"status": {"observedGeneration": 1, "conditions": [condition | {"lastUpdateTime": STARTED}]}}


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
        pytest.param(
            seen(deployment(), pod(), replica_set=replica_set(failure="exceeded quota")),
            False,
            id="what the ReplicaSet said before it had all its pods",
        ),
        pytest.param(
            seen(deployment(2, ready=1), pod(), unplaced()),
            True,
            id="one of two fits on no node, which is no node's fault",
        ),
        pytest.param(
            seen(deployment(2, ready=1), pod(), given_up("q"), CREATING), False, id="one pod that its node gave up"
        ),
        pytest.param(
            seen(deployment(), CREATING, given_up("q"), given_up("r")), True, id="the second that was given up likewise"
        ),
        pytest.param(
            seen(deployment(observed=1) | refused_replica_set(), replica_set=None), True, id="no ReplicaSet can be made"
        ),
    ],
)
def test_no_waiting_will_help(observation: Observation, failed: bool) -> None:
    assert isinstance(judge(observation, generation=2), Failed) is failed


def test_the_more_certain_finding_is_the_one() -> None:
    answer = judge(seen(deployment(2, ready=0), unplaced(), missing("p")), generation=2)
    assert isinstance(answer, Failed)
    assert answer.doom.cause.id == "image_not_found"


def test_a_ready_pod_is_not_doomed_by_its_past() -> None:
    """A rollback to a server that was restarted now and then, while the bad pods still end."""
    ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    veteran = pod(restartCount=3, lastState=ended)
    assert isinstance(judge(seen(deployment(), veteran, pod("bad", "old")), generation=2), Waiting)


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
