# SPDX-License-Identifier: GPL-3.0-or-later
"""How the pods of a release are going to come: what can be known before anything is written, and what is done when a
rollout finds no room."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Forbidden, NotFound
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object, Strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition, stamped
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import own_pods
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Action, Key, Step, key_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.planner import Planner
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import Observation, is_ready

LOOK = 0.5
CLAIM, EVENT = Kind("v1", "PersistentVolumeClaim"), Kind("v1", "Event")


class Placement:
    """`wanted`: auto, surge or replace; `unready`: seconds. `strategies`: the one of each Deployment, as far as it has
    been decided; `rolling`: those whose pods are replaced by others; `idle`: those of them that have no ready pod."""

    def __init__(self, api: Api, planner: Planner, wanted: str, unready: float) -> None:
        self.api, self.planner, self.wanted, self.unready = api, planner, wanted, unready
        self.strategies: dict[Key, Strategy] = {}
        self.rolling: set[Key] = set()
        self.idle: set[Key] = set()

    @property
    def strategy(self) -> Strategy | None:
        """The one that there is to tell of: of the Deployment whose pods are replaced, or else of the first."""
        return next(iter([*self.replacing.values(), *self.strategies.values()]), None)

    @property
    def replacing(self) -> dict[Key, Strategy]:
        return {key: chosen for key, chosen in self.strategies.items() if key in self.rolling}

    def bodies(self, definition: Definition, release_uid: str, live: Mapping[Key, Object]) -> list[Object]:
        """The objects as they are applied, with the strategy of each Deployment that names none."""
        named = {key_of(body) for body in definition.objects if "strategy" in (body.get("spec") or {})}
        bodies = stamped(definition, release_uid)
        self.strategies, self.rolling, self.idle = {}, set(), set()
        return [
            self._settled(body, live.get(key_of(body)), bodies, named=key_of(body) in named)
            if body["kind"] == "Deployment"
            else body
            for body in bodies
        ]

    def tried(self, steps: Iterable[Step], owned: Mapping[Key, str]) -> tuple[Step, ...]:
        """The steps, once admission was asked for a pod of each Deployment whose pods are replaced: with its warnings,
        and another strategy where a quota has no room for a further pod. Raises Refused where none would ever come."""
        steps = tuple(steps)
        created = [step.key for step in steps if step.action is Action.CREATE]

        def tried(step: Step) -> Step:
            replaced = step.changes and "template" in (step.difference.after.get("spec") or {})
            if step.key[1] != "Deployment" or not replaced:
                return step
            answer = self.planner.try_pod(step.body, created)
            if answer.over_quota and step.live and self.may_give_way(step.key):
                other = self.strategies[step.key] = strategy.without_surge(step.body, answer.over_quota)
                step = self.planner.step(strategy.with_strategy(step.body, other), step.live, owned.get(step.key, ""))
            return replace(step, warnings=step.warnings + answer.warnings)

        return tuple(in_parallel(tried, steps))

    def may_give_way(self, key: Key) -> bool:
        """True for a Deployment whose rollout may yet go on without a further pod."""
        return self.wanted == "auto" and self.strategies[key].name == "surge"

    def no_help(self, seen: Observation, patience: float) -> str:
        """Why an old pod had better not go first, though there is no room for a further one; empty if it should.
        `patience`: seconds that a new pod may wait for a node that an autoscaler has promised."""
        waits = any(
            (seen.now - strategy.created(pod)).total_seconds() < patience and self._scales_up(pod)
            for pod in seen.new_pods
        )
        if waits:
            return "an autoscaler is adding a node"
        return "" if strategy.takes_place(seen) else "it would give back too little, or on a node that is not suitable"

    def _settled(self, body: Object, live: Object | None, bodies: Iterable[Object], *, named: bool) -> Object:
        key, rolls = key_of(body), strategy.rolls_out(body, live)
        if live and rolls:
            self.rolling.add(key)
            self.idle |= set() if self._serves(live) else {key}
        chosen = strategy.own(body) if named else None
        if chosen is None:
            volume = self._single_volume(body, bodies) if rolls and self.wanted == "auto" else ""
            chosen = strategy.choose(self.wanted, body, live, volume=volume, ready=key not in self.idle)
        self.strategies[key] = chosen
        return strategy.with_strategy(body, chosen)

    def _serves(self, live: Object) -> bool:
        """Whether a live Deployment has a ready pod, or will have in a moment: its status says so later than the pods,
        and kubelet takes one that was started again back for a second or two before it stays ready."""
        if (live.get("status") or {}).get("readyReplicas"):
            return True
        until = time.monotonic() + self.unready
        while pods := own_pods(self.api, live):
            if any(map(is_ready, pods)):
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK)
        return False

    def _single_volume(self, deployment: Object, bodies: Iterable[Object]) -> str:
        """The name of a claim that only one node can mount, of those that a Deployment's pods mount; empty if there is
        none, or none is known."""
        known = {body["metadata"]["name"]: body for body in bodies if body["kind"] == CLAIM.name}
        for name in strategy.claims(deployment):
            try:
                claim = known[name] if name in known else self.api.get(CLAIM, name)
            except (NotFound, Forbidden):
                continue
            if strategy.single(claim):
                return name
        return ""

    def _scales_up(self, pod: Object) -> bool:
        """Whether an autoscaler is adding a node for a pod; False where events may not be read."""
        try:
            events = self.api.list(EVENT, fields=f"involvedObject.uid={pod['metadata']['uid']}")
        except Forbidden:
            return False
        return any(event.get("reason") in strategy.SCALING for event in events)
