# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked into, and done, when a rollout does not get on: events of pods that do not start, a controller that
waits before it tries again, pods that should be gone. A rollout that goes well costs nothing here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError, Conflict
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Explain, Object, Standstill
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import clock, doom, names, rollout
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import statuses
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.events import KILLED, NOT_STARTED, Events
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Timings

DEPLOYMENT = Kind("apps/v1", "Deployment")


class Stuck:
    """Of one rollout. `hints`: what is known about pods that do not get on, by their uids."""

    def __init__(self, api: Api, explain: Explain | None, events: Events, timings: Timings) -> None:
        self.api, self.explain, self.events, self.timings = api, explain, events, timings
        self.hints: dict[str, Cause] = {}
        self._waits: dict[str, float] = {}  # pod uid -> since when its containers do not start
        self._ends: dict[str, float] = {}  # pod uid -> since when it is being deleted
        self._told: dict[str, tuple[str, ...]] = {}
        self._read_at = self._nudged_at = float("-inf")

    def look(self, pods: Iterable[Object], now: datetime) -> None:
        """Renews the hints about these pods. Costs a request only for those that stand still, and not every time."""
        if self.explain is None:
            return
        pods = [pod for pod in pods if not rollout.is_ready(pod)]
        self._read(pods, now)
        self.hints = {}
        for pod in pods:
            uid = pod["metadata"]["uid"]
            messages = rollout.messages(pod) + self._told.get(uid, ())
            container = next(iter(pod["spec"]["containers"]))
            seconds = rollout.running_for(pod, now)
            cause = self.explain(Standstill(messages=messages, seconds=seconds, container=container))
            if cause and messages:
                self.hints[uid] = cause

    def nudge(self, deployment: Object) -> None:
        """Lets the controllers try at once to make pods that were refused; by themselves they wait ever longer. Any
        change of the Deployment does that. The annotation is nobody's field: neither drift nor applied."""
        moment = time.monotonic()
        if moment - self._nudged_at < self.timings.nudge:
            return
        metadata = deployment["metadata"]
        fence = {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}
        key = names.NUDGE.replace("/", "~1")
        write = {"op": "add", "path": f"/metadata/annotations/{key}", "value": clock.now()}
        try:
            self.api.patch(DEPLOYMENT, metadata["name"], [fence, write])
        except Conflict:  # it has moved; the next look comes soon
            return
        except ApiError as error:  # it goes on without
            if error.status >= 500:
                raise
        self._nudged_at = moment

    def ending(self, pods: Iterable[Object]) -> tuple[list[Object], list[Object]]:
        """The pods that are being deleted: those that may still take their time, and those that should be gone."""
        moment = time.monotonic()
        within: list[Object] = []
        over: list[Object] = []
        for pod in pods:
            metadata = pod["metadata"]
            if "deletionTimestamp" in metadata:
                since = self._ends.setdefault(metadata["uid"], moment)
                allowed = int(metadata.get("deletionGracePeriodSeconds") or 0) + self.timings.linger
                (over if moment - since > allowed else within).append(pod)
        return within, over

    def weighed(self, finding: doom.Doom, pods: Iterable[Object]) -> tuple[doom.Doom, bool]:
        """A finding, with what holds it up, and whether its time counts: what a pod that is ending still has may be
        what the new one waits for."""
        if finding.verdict != doom.CAPACITY:
            return finding, True
        within, over = self.ending(pods)
        return doom.held_up(finding, over[0]) if over and not within else finding, not within

    def _read(self, pods: list[Object], now: datetime) -> None:
        """Reads events where a pod stands still: its volumes or its sandbox take long, or its container runs for longer
        than its probe allows."""
        moment = time.monotonic()
        self._waits = {
            uid: self._waits.get(uid, moment) for pod in pods if _preparing(pod) for uid in (pod["metadata"]["uid"],)
        }
        slow = [uid for uid, since in self._waits.items() if moment - since >= self.timings.stuck]
        late = [pod["metadata"]["uid"] for pod in pods if rollout.over_budget(pod, now)]
        if not slow and not late:
            self._told = {}
        elif moment - self._read_at >= self.timings.stuck:
            self._read_at = moment
            self._told = self.events.of(slow, NOT_STARTED) | self.events.of(late, KILLED)


def _preparing(pod: Object) -> bool:
    """Whether the node has the pod, and has yet to mount its volumes and make its sandbox."""
    waits = any((part.get("state") or {}).get("waiting", {}).get("reason") in doom.CREATING for part in statuses(pod))
    return waits and not rollout.may_start(pod)
