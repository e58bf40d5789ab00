# SPDX-License-Identifier: GPL-3.0-or-later
"""How long we take to say what is wrong with a release, from the moment when Kubernetes reports it, with the times that
users have. The bad releases are those of the integration tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import count_deaths, statuses
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Timings
from ansible_collections.ai_aas.vllm.tests.bench.lane import is_ready
from ansible_collections.ai_aas.vllm.tests.bench.measure import Watch
from ansible_collections.ai_aas.vllm.tests.bench.results import Results
from ansible_collections.ai_aas.vllm.tests.cluster.steps import step
from ansible_collections.ai_aas.vllm.tests.integration.causes.case import Case
from ansible_collections.ai_aas.vllm.tests.integration.causes.inside import INSIDE
from ansible_collections.ai_aas.vllm.tests.integration.causes.outside import OUTSIDE
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

SIDE_BY_SIDE = 3
FIRST, LAST = ("{}, {}: from Kubernetes' " + which + " report to the verdict, s" for which in ("first", "last"))
REAL = {name: value for name, value in asdict(Timings()).items() if name != "patience"}
# What is said of every pod that starts, or only follows from a death.
NO_REPORT = ("ContainerCreating", "PodInitializing", "CrashLoopBackOff", "Unhealthy", "BackOff")
READY = "ready"


def measured(cluster: Cluster, kubeconfig: Path, results: Results, ours: str) -> None:
    def add(case: Case) -> None:
        first, last = _seconds(case, cluster, kubeconfig)
        results.add(FIRST.format(case.verdict, case.name), ours, first)
        if case.verdict == "repetition":
            results.add(LAST.format(case.verdict, case.name), ours, last)

    with step("verdicts"), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(add, sorted(OUTSIDE + INSIDE, key=lambda case: case.verdict)))


def _seconds(case: Case, cluster: Cluster, kubeconfig: Path) -> tuple[float, float]:
    """From the first and from the last report to the end of the run. Where there is none, from the moment that a pod is
    ready, or from the beginning."""
    with case.prepared(cluster, kubeconfig) as namespace:
        older = {pod["metadata"]["uid"] for pod in namespace.list("pods")}
        with Watch(lambda: frozenset(_reports(namespace, older))) as watch:
            run = case.command(REAL).run(kubeconfig, namespace.name)
            ended = time.monotonic()
        assert run.result["failure"]["cause"] == case.cause, run.told
    moments: dict[str, float] = {}
    for moment, reports in watch.looks:
        for report in reports:
            moments.setdefault(report, moment)
    silent = moments.get(READY, watch.looks[0][0])
    told = [moment for report, moment in moments.items() if report != READY] or [silent]
    return ended - min(told), ended - max(told)


def _reports(namespace: Namespace, older: set[str]) -> Iterator[str]:
    """What pods that are not `older` and warnings say at this moment."""
    for pod in namespace.list("pods"):
        name = pod["metadata"]["name"]
        if pod["metadata"]["uid"] in older:
            continue
        if is_ready(pod):
            yield READY
        for condition in pod["status"].get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                yield f"{name} unscheduled"
        for container in statuses(pod):
            yield from (f"{name} death {number}" for number in range(count_deaths(container)))
            reason = (container["state"].get("waiting") or {}).get("reason", NO_REPORT[0])
            if reason not in NO_REPORT:
                yield f"{name} {reason}"
    for event in namespace.list("events"):
        if event["type"] == "Warning" and event["reason"] not in NO_REPORT:
            yield f"{event['involvedObject']['name']} {event['reason']}"
