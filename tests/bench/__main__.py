# SPDX-License-Identifier: GPL-3.0-or-later
"""Ours, Helm and kubernetes.core do the same things to the same cluster, in turn: `make bench`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench import fleet, report, single, templates, tools, unchanged
from ansible_collections.ai_aas.vllm.tests.bench.contestants import (
    GOOD,
    LIMIT,
    ONE,
    Contestant,
    Helm,
    KubernetesCore,
    Ours,
    release,
)
from ansible_collections.ai_aas.vllm.tests.bench.lane import Lane
from ansible_collections.ai_aas.vllm.tests.bench.measure import Counter, Runner
from ansible_collections.ai_aas.vllm.tests.bench.results import Results
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.cluster.steps import step
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster

CHECKOUT = Path(__file__).resolve().parents[2]
# Looks at an unchanged server are short and many things disturb them: so many in each round.
LOOKS = 3
PARTS = ("single", "fleet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    cluster: Cluster
    runner: Runner
    counter: Counter
    ours: Ours
    helm: Helm
    core: KubernetesCore
    results: Results = field(default_factory=Results)

    @contextmanager
    def lanes(self, *contestants: Contestant) -> Iterator[list[Lane]]:
        """Each in a new namespace."""
        with ExitStack() as stack:
            yield [
                Lane(
                    contestant=contestant,
                    namespace=stack.enter_context(self.cluster.namespace()),
                    runner=self.runner,
                    results=self.results,
                )
                for contestant in contestants
            ]

    def write_templates(self) -> None:
        """From what a release of ours has recorded."""
        with self.cluster.namespace() as namespace:
            self.runner.done(self.ours.deploy(namespace.name))
            name = release(ONE[0])
            definition = namespace.record(1, name)["definition"]
            marks = {
                "release": name,
                "namespace": namespace.name,
                "flag": GOOD.flag,
                "tag": GOOD.tag,
                "load": GOOD.load,
            }
        templates.write_chart(self.helm.chart, templates.render(definition, marks, templates.HELM), GOOD)
        self.core.template.write_text(templates.render(definition, marks, templates.JINJA))

    def single(self, number: int) -> None:
        """One round; the first also counts requests."""
        with self.lanes(self.ours, self.helm, self.core) as lanes:
            ours, helm, _core = lanes
            companions = unchanged.companions(ours, self.helm, helm, self.core)
            install, *others = single.CASES
            for lane in lanes:
                with step(f"install, {lane.contestant.name}"):
                    install(lane)
            with step("unchanged, each in turn"):
                for _look in range(LOOKS):
                    for lane in lanes:
                        unchanged.timed(lane)
                    for lane, row, command in companions:
                        lane.add(row, self.runner.done([command]).wall)
                for lane in lanes if number == 0 else []:
                    unchanged.counted(lane, self.counter)
            for case in others:
                for lane in lanes:
                    with step(f"{case.__name__.replace('_', ' ')}, {lane.contestant.name}"):
                        case(lane)

    def fleet(self, rounds: int) -> None:
        core = replace(self.core, wait=False)
        with self.lanes(self.ours, core) as (ours, theirs):
            with self.lanes(self.helm) as (helm,):
                fleet.twenty([ours, helm, theirs], self.counter, rounds)
            fleet.fifty([ours, theirs], rounds)


def main() -> None:
    options = _options()
    cache = CHECKOUT / ".cache"
    programs, folder = cache / "tools", cache / "bench"
    tools.fetch(programs)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kubeconfig = Path(os.environ["K8S_AUTH_KUBECONFIG"])
    with tempfile.TemporaryDirectory() as scratch, Proxy(kubeconfig, Path(scratch)) as proxy:
        environment = _environment(programs, Path(scratch))
        bench = Bench(
            cluster=Cluster(kubeconfig),
            runner=Runner(kubeconfig=kubeconfig, environment=environment),
            counter=Counter(proxy=proxy, runner=Runner(kubeconfig=proxy.kubeconfig, environment=environment)),
            ours=Ours(),
            helm=Helm(program=programs / "helm", chart=folder / "chart"),
            core=KubernetesCore(template=folder / "objects.yml.j2"),
        )
        started, load = time.monotonic(), os.getloadavg()[0]
        bench.write_templates()
        for number in range(options.rounds if "single" in options.parts else 0):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            bench.single(number)
        if "fleet" in options.parts:
            bench.fleet(options.rounds)
    names = [bench.ours.name, bench.helm.name, bench.core.name]
    about = {
        "Machine": f"{os.cpu_count()} processors, Python {platform.python_version()}; "
        f"load {load:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end",
        "Rounds": f"{options.rounds}, in {(time.monotonic() - started) / 60:.0f} minutes",
        "Limit": f"{LIMIT} s for Helm and kubernetes.core, which wait to its end; their defaults are 300 s and 120 s",
    }
    checked = report.goals(bench.results, *names[:2]) if set(options.parts) == set(PARTS) else []
    print(
        f"\n{report.write(folder, bench.results, names, checked, about)}\nWritten to {folder}/bench.md and bench.json"
    )


def _environment(programs: Path, scratch: Path) -> dict[str, str]:
    """The caches of the tools begin empty, in a place of their own."""
    helm = {f"HELM_{place}_HOME": str(scratch / "helm") for place in ("CACHE", "CONFIG", "DATA")}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return helm | {"KUBECACHEDIR": str(scratch / "kube"), "TMPDIR": str(scratch), "PATH": path, "ANSIBLE_NOCOLOR": "1"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
