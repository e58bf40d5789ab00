# SPDX-License-Identifier: GPL-3.0-or-later
"""One contestant in a namespace of its own, with the first server of the inventory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.tests.bench.contestants import ONE, Contestant, release
from ansible_collections.ai_aas.vllm.tests.bench.measure import Runner, Watch
from ansible_collections.ai_aas.vllm.tests.bench.results import Results, Value
from ansible_collections.ai_aas.vllm.tests.bench.templates import Wish
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

NAME = release(ONE[0])
# Seconds for a cluster to come to rest.
PATIENCE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`asked`: containers and replicas of the Deployment; `settled`: all its pods are those, and Ready."""

    asked: str
    settled: bool
    policy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    contestant: Contestant
    namespace: Namespace
    runner: Runner
    results: Results

    def add(self, row: str, value: Value) -> None:
        self.results.add(row, self.contestant.name, value)

    def state(self) -> State:
        body = self.namespace.deployment(NAME)
        asked = {"replicas": body["spec"]["replicas"], "containers": body["spec"]["template"]["spec"]["containers"]}
        policies = self.namespace.names("networking.k8s.io/v1/networkpolicies")
        return State(asked=json.dumps(asked, sort_keys=True), settled=settled(body), policy=NAME in policies)

    def rest(self) -> State:
        """Waits until the Deployment is as somebody asked for it; what that is."""
        with Watch(self.state) as watch:
            assert watch.wait_for(lambda state: state.settled, seconds=PATIENCE), f"{NAME} does not get ready"
        return watch.looks[-1][1]

    def restore(self, wanted: State) -> None:
        """By force, where the contestant did not do it by itself."""
        self.runner.done(self.contestant.force(self.namespace.name))
        assert self.rest() == wanted, f"{self.contestant.name} did not restore the former state"

    def is_loading(self, wish: Wish) -> bool:
        """Whether a pod of this wish runs and is not ready."""
        return any(_asks_for(pod, wish) and _runs(pod) and not is_ready(pod) for pod in self.namespace.list("pods"))


def settled(deployment: dict[str, Any]) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == {wanted}


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _asks_for(pod: dict[str, Any], wish: Wish) -> bool:
    env = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
    return env.get("STAND_IN_LOAD_SECONDS") == wish.load


def _runs(pod: dict[str, Any]) -> bool:
    return any("running" in each["state"] for each in pod["status"].get("containerStatuses", []))
