# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to find that nothing has to be done for twenty servers, and for fifty in one play."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench.contestants import GOOD, SERVERS, Helm, Ours
from ansible_collections.ai_aas.vllm.tests.bench.lane import Lane, settled
from ansible_collections.ai_aas.vllm.tests.bench.measure import Command, Counter, Watch
from ansible_collections.ai_aas.vllm.tests.cluster.steps import step

TWENTY = SERVERS[:20]
# As many Helm processes as keep a small machine busy.
AT_ONCE = 4
SETTLING = 300

WALL, CPU, ASKED = (f"unchanged, {len(TWENTY)} servers: {what}" for what in ("wall, s", "CPU, s", "{}"))
WALL_AT_ONCE = f"unchanged, {len(TWENTY)} servers, {AT_ONCE} commands at once: wall, s"
MODULE = f"unchanged, {len(TWENTY)} servers, our module without the role: wall, s"
ALL_WALL, ALL_CPU = (f"unchanged, {len(SERVERS)} servers: {what}" for what in ("wall, s", "CPU, s"))


def twenty(lanes: Sequence[Lane], template: Path, counter: Counter, rounds: int) -> None:
    for lane in lanes:
        _install(lane, TWENTY)
    for lane in lanes:
        _settle(lane)
    for lane in lanes:
        with step(f"{len(TWENTY)} servers: count, {lane.contestant.name}"):
            for what, number in counter.count(_commands(lane, TWENTY), at_once=AT_ONCE).items():
                lane.add(ASKED.format(what), number)
    for _round in range(rounds):
        for lane in lanes:
            _time(lane, TWENTY, WALL, CPU)
            if isinstance(lane.contestant, Helm):
                lane.add(WALL_AT_ONCE, lane.runner.done(_commands(lane, TWENTY), at_once=AT_ONCE).wall)
            if isinstance(lane.contestant, Ours):
                alone = lane.contestant.module(lane.namespace.name, template, TWENTY)
                lane.add(MODULE, lane.runner.done([alone]).wall)


def fifty(lanes: Sequence[Lane], rounds: int) -> None:
    """With thirty more in the same namespaces. Ours come first, and only ours looks at pods: the node may have no room
    for all of the others."""
    for lane in lanes:
        _install(lane, SERVERS[len(TWENTY) :])
    _settle(lanes[0])
    for _round in range(rounds):
        for lane in lanes:
            _time(lane, SERVERS, ALL_WALL, ALL_CPU)


def _commands(lane: Lane, servers: Sequence[str]) -> Sequence[Command]:
    return lane.contestant.deploy(lane.namespace.name, GOOD, servers)


def _install(lane: Lane, servers: Sequence[str]) -> None:
    with step(f"{len(servers)} servers: install, {lane.contestant.name}"):
        lane.runner.done(_commands(lane, servers), at_once=AT_ONCE)


def _time(lane: Lane, servers: Sequence[str], wall: str, cpu: str) -> None:
    with step(f"{len(servers)} servers: unchanged, {lane.contestant.name}"):
        ran = lane.runner.done(_commands(lane, servers))
    lane.add(wall, ran.wall)
    lane.add(cpu, ran.cpu)


def _settle(lane: Lane) -> None:
    """Waits until all servers of a lane are ready."""

    def ready() -> bool:
        return all(settled(body) for body in lane.namespace.list("apps/v1/deployments"))

    with Watch(ready, interval=0.5) as watch:
        assert watch.wait_for(bool, seconds=SETTLING), (
            f"the servers of {lane.contestant.name} do not get ready; is this node of 110 pods used for something else?"
        )
