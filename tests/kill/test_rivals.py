# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one release, with the first held back or standing still at each of its writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point
from ansible_collections.ai_aas.vllm.tests.integration.engine.rivals import held_back, stopped
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import FIRST, Scenario, deploy, remove, scenario
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import snapshot
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import SIDE_BY_SIDE, undisturbed
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

BOB = replace(deploy(replace(FIRST, greeting="from bob")), user="bob")
SCENARIOS = ("install", "upgrade", "failing upgrade", "rollback", "remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What is to be tried at one point; `check` returns what is wrong."""

    scenario: Scenario
    first: Command
    second: Command
    meet: Callable[[Command, Command, Point, Path, Namespace], tuple[Run, Run]]
    check: Callable[[Run, Run, Namespace], str]

    def at(self, point: Point, cluster: Cluster, kubeconfig: Path) -> str:
        with cluster.namespace() as namespace:
            self.scenario.prepare(kubeconfig, namespace)
            try:
                first, second = self.meet(self.first, self.second, point, kubeconfig, namespace)
                wrong = self.check(first, second, namespace)
            except AssertionError as error:
                return f"{point}: {error}"
            return (
                f"{point}: {wrong}\n{first.told}\n{first.message}\n----\n{second.told}\n{second.message}"
                if wrong
                else ""
            )

    def everywhere(self, points: Iterable[Point], cluster: Cluster, kubeconfig: Path) -> list[str]:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return [wrong for wrong in pool.map(lambda point: self.at(point, cluster, kubeconfig), points) if wrong]


def bobs(namespace: Namespace) -> str:
    """What is wrong where Bob has won: his release is whole, and nothing of the other is left."""
    state = snapshot(namespace)
    greeting = state["objects"]["configmaps/small"]["data"]["greeting"]
    current = state["head"]["current"]["revision"]
    rows = {row["revision"]: row["state"] for row in state["head"]["history"]}
    if greeting != "from bob" or state["head"]["operation"] or rows[current] != "current" or len(state["pods"]) != 2:
        return f"{greeting}, {rows}, {state['head']['operation']}, {state['pods']}"
    if "running" in rows.values() or list(rows.values()).count("current") != 1:
        return str(rows)
    named = {f"{item['kind']}" for item in state["head"]["inventory"]}
    return "" if named == {"ConfigMap", "NetworkPolicy", "Service", "Deployment"} else str(named)


def one_wins(first: Run, second: Run, namespace: Namespace) -> str:
    if "is working on small" in second.message or "Another run has taken" in second.message:
        state = snapshot(namespace)  # checks the inventory
        return "an operation is left" if state["head"] and state["head"]["operation"] else ""
    if second.result.get("failed") or "bob has made revision" not in first.message:
        return "neither has won"
    return bobs(namespace)


def the_heir_wins(_first: Run, second: Run, namespace: Namespace) -> str:
    if second.result.get("failed"):
        return "the heir has failed"
    return bobs(namespace)


def nothing_is_left(_first: Run, second: Run, namespace: Namespace) -> str:
    if second.result.get("failed"):
        return "the removal has failed"
    state = snapshot(namespace)
    return "" if state == {"head": None, "objects": {}, "pods": [], "records": {}} else str(state["objects"].keys())


def writes(name: str, side: str, cluster: Cluster, kubeconfig: Path) -> list[Point]:
    return [point for point in undisturbed(scenario(name), cluster, kubeconfig).points if point.side == side]


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_is_held_back_at_every_write(name: str, cluster: Cluster, kubeconfig: Path) -> None:
    points = writes(name, "before", cluster, kubeconfig)
    first = scenario(name)
    meeting = Meeting(scenario=first, first=first.command, second=BOB, meet=held_back, check=one_wins)
    wrong = meeting.everywhere(points, cluster, kubeconfig)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_stands_still_at_every_write(name: str, cluster: Cluster, kubeconfig: Path) -> None:
    """It goes on when another has taken the release over, and has to find that out before it does any harm."""
    points = writes(name, "after", cluster, kubeconfig)
    first = scenario(name)
    zombie, heir = replace(first.command, host="elsewhere", speed=0.1), replace(BOB, speed=0.1)
    meeting = Meeting(scenario=first, first=zombie, second=heir, meet=stopped, check=the_heir_wins)
    wrong = meeting.everywhere(points, cluster, kubeconfig)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("name", ["install", "upgrade"])
def test_the_release_is_removed_while_one_stands_still(name: str, cluster: Cluster, kubeconfig: Path) -> None:
    points = writes(name, "after", cluster, kubeconfig)
    first = scenario(name)
    zombie, heir = replace(first.command, host="elsewhere", speed=0.1), replace(remove(), speed=0.1)
    meeting = Meeting(scenario=first, first=zombie, second=heir, meet=stopped, check=nothing_is_left)
    wrong = meeting.everywhere(points, cluster, kubeconfig)
    assert not wrong, "\n\n".join(wrong)
