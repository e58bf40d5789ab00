# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, pods and what is seen of them, in a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import with_deaths
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import (
    Failed,
    Observation,
    Ready,
    Waiting,
)

Object = dict[str, Any]
NOW = datetime(2026, 1, 1, 0, 2, 5, tzinfo=UTC)
STARTED = "2026-01-01T00:00:00Z"
CONTAINER: Object = {"name": "vllm", "startupProbe": {"failureThreshold": 20, "periodSeconds": 30}}
TEMPLATE: Object = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [CONTAINER]}}


def deployment(replicas: int = 1, *, observed: int = 2, ready: int | None = None, **status: int) -> Object:
    count = replicas if ready is None else ready
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
    return {
        "metadata": {"name": "x", "uid": "deployment", "generation": 2},
        "spec": {"replicas": replicas, "template": TEMPLATE},
        "status": {"observedGeneration": observed} | counts | status,
    }


def owned_by(uid: str) -> list[Object]:
    return [{"uid": "somebody", "controller": False}, {"uid": uid, "controller": True}]


def replica_set(uid: str = "new", owner: str = "deployment", *, failure: str = "", **template: Any) -> Object:
    labels = TEMPLATE["metadata"]["labels"] | {"pod-template-hash": uid}
    conditions = [{"type": "ReplicaFailure", "status": "True", "message": failure}] if failure else []
    return {
        "metadata": {"name": f"x-{uid}", "uid": uid, "ownerReferences": owned_by(owner)},
        "spec": {"template": TEMPLATE | {"metadata": {"labels": labels}} | template},
        "status": {"conditions": conditions},
    }


def pod(
    name: str = "p",
    owner: str = "new",
    *,
    ready: bool = True,
    deleting: bool = False,
    node: str = "gpu-a",
    **container: Any,
) -> Object:
    """A pod with one container; its status is running unless it is given."""
    status = {"name": "vllm", "ready": ready, "state": {"running": {"startedAt": STARTED}}} | container
    deletion = {"deletionTimestamp": STARTED} if deleting else {}
    return {
        "metadata": {"name": name, "uid": f"uid of {name}", "ownerReferences": owned_by(owner)} | deletion,
        "spec": {"nodeName": node, "containers": [CONTAINER]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [status],
        },
    }


def waiting(name: str = "p", *, reason: str, message: str = "", restarts: int = 0, **more: Any) -> Object:
    state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    return pod(name, ready=False, state=state, restartCount=restarts, **more)


def unscheduled(name: str = "p", **condition: str) -> Object:
    body = pod(name, ready=False)
    body["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"} | condition],
    }
    return body


LOADING = pod("p", ready=False)


def seen(body: Object, *pods: Object, replica_set: Object | None = replica_set()) -> Observation:  # noqa: B008 - never changed
    return Observation(
        deployment=body, replica_set=replica_set, pods=pods, deaths=with_deaths({}, pods), autopsies={}, now=NOW
    )


def names(answer: Ready | Waiting | Failed) -> list[str] | str:
    assert not isinstance(answer, Failed), answer
    return [body["metadata"]["name"] for body in answer.pods] if isinstance(answer, Ready) else answer.text
