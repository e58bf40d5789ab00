# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching one rollout with open eyes: look, judge, ask whoever became ready, tell, until it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    ApiError,
    CollectionError,
    ConnectionFailed,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom, rollout, strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.autopsy import Autopsies
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import Deaths, with_deaths
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.events import Events
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.failure import Bad
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.overdue import overdue, unreachable
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.steadiness import life
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.stuck import Stuck
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Wishes

NOT_FOUND = 404
DEPLOYMENT, REPLICA_SET, POD = Kind("apps/v1", "Deployment"), Kind("apps/v1", "ReplicaSet"), Kind("v1", "Pod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """`ask`: new ready pods, each once in its life; raises Bad when one does not serve. `compare`: the same pods and
    all pods after that; raises Bad when one is not the same any more. `open_gate`: after the first have answered, where
    the gate is closed; returns the Deployment as written. `give_way`: where a further pod finds no room, and why; lets
    an old pod go first and returns the Deployment as written, or None. `pause` sleeps and beats."""

    ask: Callable[[list[Object]], None]
    compare: Callable[[list[Object], tuple[Object, ...]], None]
    open_gate: Callable[[Object], Object] | None
    give_way: Callable[[rollout.Observation, str], Object | None] | None
    pause: Callable[[float], None]
    tell: Callable[[str], None]


class Follower:
    """One rollout of one Deployment, which is the answer to our own write. `began`: when the operation did, RFC 3339,
    by the API server's clock."""

    def __init__(self, api: Api, deployment: Object, wishes: Wishes, hooks: Hooks, began: str) -> None:
        self.api, self.wishes, self.hooks, self.began = api, wishes, hooks, began
        self.name, self.generation = deployment["metadata"]["name"], deployment["metadata"]["generation"]
        self.selector = label_selector(deployment)
        # A pod may take so long; the count begins anew with each pod that becomes ready.
        self.budget = wishes.image_pull_timeout + rollout.startup_budget(deployment["spec"]["template"])
        self.open_gate, self.give_way = hooks.open_gate, hooks.give_way
        self.cramped: float | None = None
        self.replica_set: Object | None = None
        self.owners: set[str] = set()
        self.deaths: Deaths = {}
        events = Events(api)
        self.autopsies = Autopsies(api, wishes.explain, events)
        self.stuck = Stuck(api, wishes.explain, events, wishes.timings)
        self.asked: set[tuple[str, int]] = set()
        self.start = self.progress = time.monotonic()
        self.told, self.told_at, self.suspicion = "", self.start, (0.0, "")

    def run(self) -> rollout.Ready:
        """The pods that serve. Raises Bad as soon as no waiting will help, or the time is up; ApiError where what it
        asks is not allowed."""
        while True:
            try:
                seen = self._asked(self._look())
                self._make_room(seen)
                answer = rollout.judge(seen, self.generation)
                if isinstance(answer, rollout.Ready) and (self.open_gate is None or not answer.pods):
                    self._let_pass(seen)
                    return answer
                self._heed(answer, seen)
                if seen.replica_set and doom.failed_create(seen.replica_set) and not self.stuck.ending(seen.pods)[0]:
                    self.stuck.nudge(seen.deployment)
            except (ConnectionFailed, ApiError) as error:
                if not error.transient or (isinstance(error, ApiError) and error.unauthorized):
                    raise
                self._wait_for_it(error)
            moment = time.monotonic()
            until_told = self.told_at + self.wishes.timings.tell_every - moment
            self.hooks.pause(max(0.1, min(self.wishes.timings.pause(moment - self.start), until_told)))

    def _look(self) -> rollout.Observation:
        deployment, pods = self.api.get(DEPLOYMENT, self.name), tuple(self.api.list(POD, self.selector))
        accepted = (deployment.get("status") or {}).get("observedGeneration", 0) >= self.generation
        if accepted and (not self._knows(pods) or _refuses(self.replica_set, deployment)):
            there = self.api.list(REPLICA_SET, self.selector)
            self.replica_set = rollout.current_replica_set(deployment, there)
            self.owners = {each["metadata"]["uid"] for each in there} | _owners(pods)
        self.deaths = with_deaths(self.deaths, pods, self.began)
        seen = rollout.Observation(
            deployment=deployment,
            replica_set=self.replica_set,
            pods=pods,
            deaths=self.deaths,
            autopsies=self.autopsies.causes,
            hints=self.stuck.hints,
            began=self.began,
            now=datetime.now(UTC),
        )
        self.autopsies.look(seen.new_pods, self.deaths)
        self.stuck.look([*seen.new_pods, *seen.given_up], seen.now)
        return replace(seen, hints=self.stuck.hints)

    def _knows(self, pods: tuple[Object, ...]) -> bool:
        """Whether the ReplicaSet is known, and none has come since that has pods."""
        return self.replica_set is not None and self.owners >= _owners(pods)

    def _asked(self, seen: rollout.Observation) -> rollout.Observation:
        """What is to be seen once whoever became ready was asked, before the controller's count of him is trusted; also
        who became ready meanwhile. A pod whose containers were started again since is asked again."""
        while fresh := [pod for pod in seen.new_pods if rollout.is_ready(pod) and life(pod) not in self.asked]:
            try:
                self.hooks.ask(fresh)
            except (Bad, ApiError) as error:
                seen = self._look()
                if _tells_of(error, fresh, seen.new_pods):
                    raise
                continue
            seen = self._look()  # to ask takes a while, in which much may happen
            self.hooks.compare(fresh, seen.pods)
            self.asked |= {life(pod) for pod in fresh}
            self.progress = time.monotonic()
        if any(life(pod) in self.asked for pod in seen.new_pods):
            self._let_pass(seen)
        return seen

    def _let_pass(self, seen: rollout.Observation) -> None:
        """Opens the gate, if it is closed. Where that fails, the next look finds it closed still."""
        if self.open_gate:
            self.generation = self.open_gate(seen.deployment)["metadata"]["generation"]
            self.open_gate = None

    def _make_room(self, seen: rollout.Observation) -> None:
        """Where a further pod has found no room for a while, an old one goes first."""
        lack, moment = strategy.stuck(seen) if self.give_way else "", time.monotonic()
        if not self.give_way or not lack:
            self.cramped = None
            return
        since = self.cramped = self.cramped or moment
        if moment - since < self.wishes.timings.no_room:
            return
        self.cramped = None
        written = self.give_way(seen, lack)
        if written:
            self.generation, self.give_way = written["metadata"]["generation"], None
            self.progress, self.suspicion = moment, (moment, "")

    def _heed(self, answer: rollout.Ready | rollout.Waiting | rollout.Failed, seen: rollout.Observation) -> None:
        moment = time.monotonic()
        if isinstance(answer, rollout.Failed):
            finding, counts = self.stuck.weighed(answer.doom, seen.pods)
            since, suspected = self.suspicion
            if suspected != finding.verdict or not counts:
                since = moment
            if moment - since >= self._certain_after(finding.verdict):
                raise Bad(finding.verdict, finding.cause)
            self.suspicion = (since, finding.verdict)
            answer = answer.meanwhile
        else:
            self.suspicion = (0.0, "")
        if isinstance(answer, rollout.Waiting):
            self._tell_at_intervals(answer.state, answer.text)
        if self._too_long(moment):
            raise Bad("silence", overdue(seen, int(moment - self.start)))

    def _wait_for_it(self, error: CollectionError) -> None:
        """For an API server, or its way to a pod, that does not answer. The rollout goes on without it, too."""
        moment = time.monotonic()
        if self._too_long(moment):
            raise Bad("silence", unreachable(error.why, int(moment - self.start))) from error
        self._tell_at_intervals("away", f"waiting for the API server: {error.why}")

    def _too_long(self, moment: float) -> bool:
        limit = self.wishes.wait_timeout
        return moment - self.progress > self.budget or (limit is not None and moment - self.start > limit)

    def _certain_after(self, verdict: str) -> float:
        """Seconds for which a finding must stand."""
        timings = self.wishes.timings
        return {doom.CONTRACT: 0, doom.ABSENT: timings.absent, doom.CAPACITY: self.wishes.schedule_timeout}.get(
            verdict, timings.confirm
        )

    def _tell_at_intervals(self, state: str, text: str) -> None:
        moment = time.monotonic()
        # That the controller has yet to look is news only when it takes long.
        news = state not in (self.told, rollout.ACCEPTED)
        if news or moment - self.told_at >= self.wishes.timings.tell_every:
            self.hooks.tell(text)
            self.told, self.told_at = state, moment


def _tells_of(error: Bad | ApiError, asked: list[Object], there: list[Object]) -> bool:
    """Whether what came of asking pods is to be heeded: not if it is about one that was evicted, drained or scaled away
    meanwhile. Another takes its place, and is asked."""
    left = {pod["metadata"]["uid"] for pod in there}
    gone = {f"Pod/{pod['metadata']['name']}" for pod in asked if pod["metadata"]["uid"] not in left}
    if isinstance(error, Bad):
        return error.cause.object not in gone
    return error.status != NOT_FOUND or not gone


def own_pods(api: Api, deployment: Object) -> list[Object]:
    """The pods of a Deployment that nobody is deleting."""
    return [pod for pod in all_pods(api, deployment) if "deletionTimestamp" not in pod["metadata"]]


def all_pods(api: Api, deployment: Object) -> list[Object]:
    """The pods of a Deployment, also of one that is deleted. Labels alone may fit somebody else's pod, too."""
    name = deployment["metadata"]["name"]
    return [
        pod
        for pod in api.list(POD, label_selector(deployment))
        if any(
            owner["kind"] == "ReplicaSet" and owner["name"].rpartition("-")[0] == name
            for owner in pod["metadata"].get("ownerReferences") or []
        )
    ]


def label_selector(deployment: Object) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(deployment["spec"]["selector"]["matchLabels"].items()))


def _owners(pods: tuple[Object, ...]) -> set[str]:
    return {owner["uid"] for pod in pods for owner in pod["metadata"].get("ownerReferences") or []}


def _refuses(replica_set: Object | None, deployment: Object) -> bool:
    """Whether it says, or the Deployment does, that a pod cannot be made: then it is looked at, each time anew. What
    the Deployment says may still be about a former ReplicaSet."""
    bodies = [body for body in (replica_set, deployment) if body]
    return any(doom.failed_create(body) for body in bodies)
