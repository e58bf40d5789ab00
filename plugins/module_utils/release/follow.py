# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching one rollout with open eyes: look, judge, tell, until it is ready or its time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import rollout

DEPLOYMENT, REPLICA_SET, POD = Kind("apps/v1", "Deployment"), Kind("apps/v1", "ReplicaSet"), Kind("v1", "Pod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds. `polls`: (until so long into the rollout, look every so often); the last pause holds for ever."""

    polls: tuple[tuple[float, float], ...] = ((30, 1), (120, 2), (600, 5), (float("inf"), 10))
    tell_every: float = 15

    def pause(self, elapsed: float) -> float:
        return next(pause for until, pause in self.polls if elapsed < until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    cause: Cause


def follow(
    api: Api,
    deployment: Object,
    *,
    image_pull_timeout: int,
    wait_timeout: int | None,
    timings: Timings,
    tell: Callable[[str], None],
) -> rollout.Ready | Overdue:
    """Ready with the pods that are, or Overdue.

    `deployment` is the answer to our own write. A pod may take `image_pull_timeout` and its startup budget; the count
    begins anew with each pod that becomes ready. `wait_timeout` bounds the whole, where it is given."""
    generation, name = deployment["metadata"]["generation"], deployment["metadata"]["name"]
    per_pod = image_pull_timeout + rollout.startup_budget(deployment["spec"]["template"])
    selector = ",".join(
        f"{key}={value}" for key, value in sorted(deployment["spec"]["selector"]["matchLabels"].items())
    )
    start = last_progress = last_told = time.monotonic()
    replica_set: Object | None = None
    told, most_ready = "", 0
    while True:
        deployment = api.get(DEPLOYMENT, name)
        pods = tuple(api.list(POD, selector))
        accepted = (deployment.get("status") or {}).get("observedGeneration", 0) >= generation
        if accepted and not _has_pod(replica_set, pods):
            replica_set = rollout.current_replica_set(deployment, api.list(REPLICA_SET, selector))
        seen = rollout.Observation(deployment=deployment, replica_set=replica_set, pods=pods, now=datetime.now(UTC))
        answer, now = rollout.judge(seen, generation), time.monotonic()
        if isinstance(answer, rollout.Ready):
            return answer
        # That the controller has yet to look is news only when it takes long.
        news = answer.state != told and answer.state != rollout.ACCEPTED
        if news or now - last_told >= timings.tell_every:
            tell(answer.text)
            told, last_told = answer.state, now
        ready = sum(rollout.is_ready(pod) for pod in seen.new_pods)
        if ready > most_ready:
            most_ready, last_progress = ready, now
        if now - last_progress > per_pod or (wait_timeout is not None and now - start > wait_timeout):
            return Overdue(cause=rollout.overdue(seen, int(now - start)))
        time.sleep(timings.pause(now - start))


def _has_pod(replica_set: Object | None, pods: tuple[Object, ...]) -> bool:
    """True once the ReplicaSet is known and a pod shows that it works; until then its own conditions are of
    interest."""
    uid = replica_set["metadata"]["uid"] if replica_set else None
    return any(owner["uid"] == uid for pod in pods for owner in pod["metadata"].get("ownerReferences") or [])
