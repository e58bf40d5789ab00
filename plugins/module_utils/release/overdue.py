# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say when the time is up and nothing was found that is wrong. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import (
    SHOWN,
    Observation,
    is_ready,
    pod_state,
)


def overdue(seen: Observation, seconds: int) -> Cause:
    """The cause when the time is up: what the pods say."""
    behind = [pod for pod in seen.new_pods if not is_ready(pod)]
    if not behind and seen.new_pods:
        sentence = f"After {seconds} s all new pods are ready ({len(seen.new_pods)}), and the controller does not go on"
        return Cause(id="not_available", sentence=sentence, cure="Look at the Deployment and at quotas")
    if not behind:
        problem = doom.failed_create(seen.replica_set) if seen.replica_set else "the controller made no ReplicaSet"
        sentence = f"After {seconds} s there is no pod: {problem or 'no reason is given'}"
        return Cause(id="no_pod", sentence=sentence, reason="ProgressDeadlineExceeded")
    texts = "; ".join(pod_state(pod, seen.now, seen.hints)[1] for pod in behind[:SHOWN])
    pod, container = behind[0], _first_container(behind[0])
    ended = (
        (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated") or {}
    )
    cause_id, cure, setting = _slow(container)
    return Cause(
        id=cause_id,
        sentence=f"After {seconds} s {len(behind)} of its pods are not ready: {texts}",
        cure=cure,
        setting=setting,
        object=f"Pod/{pod['metadata']['name']}",
        container=container.get("name", ""),
        node=pod["spec"].get("nodeName", ""),
        reason=ended.get("reason", ""),
        exit_code=ended.get("exitCode"),
        message=(ended.get("message") or "").strip()[-1000:],
    )


def unreachable(why: str, seconds: int) -> Cause:
    """The cause when the time is up and nothing could be looked at."""
    return Cause(
        id="not_reachable",
        sentence=f"After {seconds} s nobody can look at it: {why}",
        cure="Find out why the API server, or its way to the kubelets, does not answer",
    )


def _slow(container: dict[str, Any]) -> tuple[str, str, str]:
    """Why a container is late, what to do, and the setting for it."""
    state = container.get("state") or {}
    if (state.get("waiting") or {}).get("reason") in doom.CREATING:
        cure = "Look at its volumes and the registry; if the image is only large, raise the image pull timeout"
        return "not_started_in_time", cure, "image pull timeout"
    if "running" in state and container.get("started") and not container.get("ready"):
        cure = "Let its readiness probe ask what the server answers (/health), and read the log of the pod"
        return "readiness_failed", cure, ""
    cure = "Read the log of the pod; if it is still loading, raise the startup probe's budget"
    return "not_ready_in_time", cure, "startup probe"


def _first_container(pod: Object) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return dict(next((status for status in statuses if not status.get("ready")), statuses[0]))
