# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one release, with the first held back or standing still at each of its writes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Side
from ansible_collections.ai_aas.vllm.tests.integration.engine.rivals import held_back, stopped
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import FIRST, Scenario, deploy, remove, scenario
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import difference, passing, snapshot
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import SIDE_BY_SIDE, Reference, end, undisturbed
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

BOB = replace(deploy(replace(FIRST, greeting="from bob")), user="bob")
SCENARIOS = ("install", "upgrade", "failing upgrade", "rollback", "remove")
TAKEN = "Another run has taken small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What came of two runs. `reference`: what the first comes to where nobody is in its way. `bobs`: the same for the
    second, where there was nobody before it."""

    scenario: Scenario
    point: Point
    reference: Reference
    bobs: Reference
    first: Run
    second: Run
    namespace: Namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is to be tried at every point of a side; `check` returns what is wrong."""

    scenario: Scenario
    first: Command
    second: Command
    side: Side
    meet: Callable[[Command, Command, Point, Path, Namespace], tuple[Run, Run]]
    check: Callable[[Meeting], str]
    bobs: Reference

    def at(self, point: Point, reference: Reference, cluster: Cluster, kubeconfig: Path) -> str:
        with cluster.namespace() as namespace:
            self.scenario.prepare(kubeconfig, namespace)
            try:
                first, second = self.meet(self.first, self.second, point, kubeconfig, namespace)
            except AssertionError as error:
                return f"{point}: {error}"
            meeting = Meeting(
                scenario=self.scenario,
                point=point,
                reference=reference,
                bobs=self.bobs,
                first=first,
                second=second,
                namespace=namespace,
            )
            try:
                wrong = self.check(meeting)
            except AssertionError as error:
                wrong = str(error)
            told = (first.told, first.message, "----", second.told, second.message)
            return "\n".join([f"{point}: {wrong}", *told]) if wrong else ""

    def everywhere(self, cluster: Cluster, kubeconfig: Path) -> list[str]:
        reference = undisturbed(self.scenario, cluster, kubeconfig)
        points = [point for point in reference.points if point.side == self.side]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            tried = pool.map(lambda point: self.at(point, reference, cluster, kubeconfig), points)
            return [wrong for wrong in tried if wrong]


def bob_has_it(meeting: Meeting) -> str:
    """What is wrong where Bob has won: his release is whole, and of the other nothing is left, whether the inventory
    names it or not."""
    state = snapshot(meeting.namespace)
    current = state["head"]["current"]["revision"]
    rows = {row["revision"]: row["state"] for row in state["head"]["history"]}
    if state["head"]["operation"] or rows[current] != "current":
        return f"{rows}, {state['head']['operation']}"
    if "running" in rows.values() or list(rows.values()).count("current") != 1:
        return str(rows)
    named = {item["kind"] for item in state["head"]["inventory"]}
    if named != {"ConfigMap", "NetworkPolicy", "Service", "Deployment"}:
        return str(named)
    wanted, found = ({key: one[key] for key in ("objects", "pods")} for one in (meeting.bobs.once, state))
    return difference(wanted, found)


def one_wins(meeting: Meeting) -> str:
    """The first is not disturbed by one that is refused; or the second has it, and the first is told so."""
    first, second = meeting.first, meeting.second
    if "is working on small" in second.message or TAKEN in second.message:
        return difference(meeting.reference.once, end(meeting.scenario, first, meeting.namespace))
    if second.result.get("failed") or TAKEN not in first.message or "bob has made revision" not in first.message:
        return "neither has won"
    return bob_has_it(meeting)


def the_heir_wins(meeting: Meeting) -> str:
    if meeting.second.result.get("failed"):
        return "the heir has failed"
    return false_claim(meeting) or bob_has_it(meeting)


def nothing_is_left(meeting: Meeting) -> str:
    if meeting.second.result.get("failed"):
        return "the removal has failed"
    state = snapshot(meeting.namespace)
    if state != {"head": None, "objects": {}, "pods": [], "records": {}}:
        return str(state["objects"].keys())
    return false_claim(meeting)


def false_claim(meeting: Meeting) -> str:
    """What is wrong with what somebody says who stood still and has lost the release. Only where nothing was left to be
    done, he may tell of what he has done."""
    first = meeting.first
    if first.result.get("failed") and first.message.startswith(f"{TAKEN}. "):
        return ""
    if meeting.point != meeting.reference.last:
        return "the first has lost the release, and does not say so"
    if bool(first.result.get("failed")) is not meeting.scenario.fails:
        return "the first does not tell how it ended"
    told = passing(first.message, meeting.namespace.name)
    return "" if told == meeting.reference.once["message"] else f"the first says {told}"


@pytest.fixture(scope="module")
def bobs(cluster: Cluster, kubeconfig: Path) -> Reference:
    return undisturbed(Scenario(name="bob's", command=BOB), cluster, kubeconfig)


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_is_held_back_at_every_write(name: str, bobs: Reference, cluster: Cluster, kubeconfig: Path) -> None:
    one = scenario(name)
    trial = Trial(scenario=one, first=one.command, second=BOB, side="before", meet=held_back, check=one_wins, bobs=bobs)
    wrong = trial.everywhere(cluster, kubeconfig)
    assert not wrong, "\n\n".join(wrong)


def zombie(one: Scenario) -> Command:
    """On a host that cannot be seen from the other's."""
    return replace(one.command, host="elsewhere", speed=0.1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_stands_still_at_every_write(name: str, bobs: Reference, cluster: Cluster, kubeconfig: Path) -> None:
    """It goes on when another has taken the release over, and has to find that out before it does any harm."""
    one, heir = scenario(name), replace(BOB, speed=0.1)
    trial = Trial(
        scenario=one, first=zombie(one), second=heir, side="after", meet=stopped, check=the_heir_wins, bobs=bobs
    )
    wrong = trial.everywhere(cluster, kubeconfig)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("name", ["install", "upgrade"])
def test_the_release_is_removed_while_one_stands_still(
    name: str, bobs: Reference, cluster: Cluster, kubeconfig: Path
) -> None:
    one, heir = scenario(name), replace(remove(), speed=0.1)
    trial = Trial(
        scenario=one, first=zombie(one), second=heir, side="after", meet=stopped, check=nothing_is_left, bobs=bobs
    )
    wrong = trial.everywhere(cluster, kubeconfig)
    assert not wrong, "\n\n".join(wrong)
