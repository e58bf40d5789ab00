# SPDX-License-Identifier: GPL-3.0-or-later
"""The course: who does what, in which order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench import fleet, preflight, single, templates, unchanged, verdicts
from ansible_collections.ai_aas.vllm.tests.bench.contestants import (
    GOOD,
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

# Looks at an unchanged server are short and many things disturb them: so many in each round.
LOOKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    cluster: Cluster
    runner: Runner
    counter: Counter
    ours: Ours
    helm: Helm
    core: KubernetesCore
    results: Results = field(default_factory=Results)

    def prepare(self) -> None:
        """Writes the chart and the template, from what a release of ours has recorded."""
        with self.cluster.namespace() as namespace:
            self.runner.done(self.ours.deploy(namespace.name))
            name = release(ONE[0])
            definition = namespace.record(1, name)["definition"]
            marks = {
                "release": name,
                "namespace": namespace.name,
                "flag": GOOD.flag,
                "model": GOOD.model,
                "tag": GOOD.tag,
                "load": GOOD.load,
            }
        templates.write_chart(self.helm.chart, templates.render(definition, marks, templates.HELM), GOOD)
        self.core.template.write_text(templates.render(definition, marks, templates.JINJA))

    def single(self, rounds: int) -> None:
        """One server of each; the first round also counts requests."""
        for number in range(rounds):
            with self._lanes(self.ours, self.helm, self.core) as lanes:
                install, *others = single.CASES
                for lane in lanes:
                    with step(f"install, {lane.contestant.name}"):
                        install(lane)
                with step("unchanged, each in turn"):
                    self._unchanged(lanes, count=number == 0)
                for case in others:
                    for lane in lanes:
                        with step(f"{case.__name__.replace('_', ' ')}, {lane.contestant.name}"):
                            case(lane)

    def fleet(self, rounds: int) -> None:
        """Many of each. Helm's go before the fifty come: the node takes 110 pods."""
        core = replace(self.core, wait=False)
        with self._lanes(self.ours, core) as (ours, theirs):
            with self._lanes(self.helm) as (helm,):
                fleet.twenty([ours, helm, theirs], self.core.template, self.counter, rounds)
            fleet.fifty([ours, theirs], rounds)

    def preflight(self, rounds: int) -> None:
        """Twenty servers of ours; the others have nothing like it."""
        preflight.measured(self.runner, self.core.template.parent, self.results, self.ours.name, rounds)

    def verdicts(self, _rounds: int) -> None:
        """Every way in which a release of ours can be bad, once; the others do not tell them apart."""
        verdicts.measured(self.cluster, self.runner.kubeconfig, self.results, self.ours.name)

    @contextmanager
    def _lanes(self, *contestants: Contestant) -> Iterator[list[Lane]]:
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

    def _unchanged(self, lanes: list[Lane], *, count: bool) -> None:
        for _look in range(LOOKS):
            for lane in lanes:
                unchanged.timed(lane, self.core.template)
        for lane in lanes if count else []:
            unchanged.counted(lane, self.counter)


@contextmanager
def prepared(kubeconfig: Path, programs: Path, folder: Path) -> Iterator[Bench]:
    """`programs`: where Helm and kubectl are; `folder`: for the chart and the template."""
    with tempfile.TemporaryDirectory() as scratch, Proxy(kubeconfig, Path(scratch)) as proxy:
        # The caches of the tools begin empty, in a place of their own.
        environment = {f"HELM_{place}_HOME": f"{scratch}/helm" for place in ("CACHE", "CONFIG", "DATA")} | {
            "KUBECACHEDIR": f"{scratch}/kube",
            "TMPDIR": scratch,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_NOCOLOR": "1",
        }
        bench = Bench(
            cluster=Cluster(kubeconfig),
            runner=Runner(kubeconfig=kubeconfig, environment=environment),
            counter=Counter(proxy=proxy, runner=Runner(kubeconfig=proxy.kubeconfig, environment=environment)),
            ours=Ours(),
            helm=Helm(program=programs / "helm", chart=folder / "chart"),
            core=KubernetesCore(template=folder / "objects.yml.j2"),
        )
        with step("chart and template"):
            bench.prepare()
        yield bench
