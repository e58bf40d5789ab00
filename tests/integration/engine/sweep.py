# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a run at one of its points, give the same command once more, and compare with an undisturbed run."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Watch
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import Scenario
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import difference, passing, snapshot
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

SIDE_BY_SIDE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an undisturbed run came to, and after a second one like it: `points`, the state and the message."""

    points: tuple[Point, ...]
    once: Any
    twice: Any

    @property
    def last(self) -> Point:
        """The one moment at which nothing is left to do but to tell: the same command again is a second one."""
        return [point for point in self.points if point.side == "after"][-1]


def undisturbed(scenario: Scenario, cluster: Cluster, kubeconfig: Path) -> Reference:
    with cluster.namespace() as namespace:
        scenario.prepare(kubeconfig, namespace)
        watch = Watch()
        once = end(scenario, watched(scenario, kubeconfig, namespace, watch), namespace)
        twice = end(scenario, scenario.command.run(kubeconfig, namespace.name), namespace)
        return Reference(points=tuple(watch.points()), once=once, twice=twice)


def killed(scenario: Scenario, point: Point, reference: Reference, cluster: Cluster, kubeconfig: Path) -> str:
    """What is wrong after a kill at `point` and the same command again; empty if nothing is."""
    with cluster.namespace() as namespace:
        scenario.prepare(kubeconfig, namespace)
        watch = Watch(point)
        run = watched(scenario, kubeconfig, namespace, watch)
        if not watch.reached.is_set():
            return f"the point was never reached\n{run.told}"
        if run.process.returncode != -signal.SIGKILL:
            return f"it was killed, and ended with {run.process.returncode}\n{run.told}"
        again = scenario.command.run(kubeconfig, namespace.name)
        try:
            found = end(scenario, again, namespace)
        except AssertionError as error:
            return f"{error}\n{run.told}----\n{again.told}"
        wanted = reference.twice if point == reference.last else reference.once
        wrong = difference(wanted, found)
        return f"{wrong}\n{run.told}----\n{again.told}" if wrong else ""


def sweep(
    scenario: Scenario, points: Iterable[Point], reference: Reference, cluster: Cluster, kubeconfig: Path
) -> dict[str, str]:
    """Every point in a namespace of its own, several at the same time; what was wrong."""

    def one(point: Point) -> tuple[str, str]:
        return str(point), killed(scenario, point, reference, cluster, kubeconfig)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return {name: wrong for name, wrong in pool.map(one, points) if wrong}


def watched(scenario: Scenario, kubeconfig: Path, namespace: Namespace, watch: Watch) -> Run:
    with (
        tempfile.TemporaryDirectory() as folder,
        Proxy(kubeconfig, Path(folder), before=watch.before, after=watch.after) as proxy,
    ):
        run = scenario.command.start(proxy.kubeconfig, namespace.name)
        watch.watch(run.process)
        run.finish()
        watch.settle()
    return run


def end(scenario: Scenario, run: Run, namespace: Namespace) -> Any:
    """The message and the state that a run has come to. Fails when it has not ended as it has to."""
    result = run.result
    assert bool(result.get("failed")) is scenario.fails, result.get("msg")
    return {"message": passing(str(result.get("msg", "")), namespace.name)} | snapshot(namespace)
