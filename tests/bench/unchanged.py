# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to find that nothing has to be done for one server."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ansible_collections.ai_aas.vllm.tests.bench.contestants import GOOD, HERE, ONE, Helm, KubernetesCore, playbook
from ansible_collections.ai_aas.vllm.tests.bench.lane import Lane
from ansible_collections.ai_aas.vllm.tests.bench.measure import Command, Counter

WALL, CPU = "unchanged, 1 server: wall, s", "unchanged, 1 server: CPU, s"
ASKED = "unchanged, 1 server: {}"
MODULE = "unchanged, 1 server, our module without the role: wall, s"
HELM_MODULE = "unchanged, 1 server, kubernetes.core.helm: wall, s"
FLOOR = "a playbook with one debug task: wall, s"
PYTHON, IMPORT = "python -c pass: wall, s", "python -c 'import kubernetes': wall, s"


def timed(lane: Lane) -> None:
    ran = lane.runner.done(lane.contestant.deploy(lane.namespace.name))
    lane.add(WALL, ran.wall)
    lane.add(CPU, ran.cpu)


def counted(lane: Lane, counter: Counter) -> None:
    for what, number in counter.count(lane.contestant.deploy(lane.namespace.name)).items():
        lane.add(ASKED.format(what), number)


def companions(ours: Lane, helm: Helm, helm_lane: Lane, core: KubernetesCore) -> Sequence[tuple[Lane, str, Command]]:
    """Other ways to do the same, and what Ansible and Python take by themselves, each with its column and row."""
    playbooks = HERE / "playbooks"
    release = {"release_namespace": ours.namespace.name, "template": str(core.template)} | GOOD.values()
    chart = {"release_namespace": helm_lane.namespace.name, "chart": str(helm.chart), "helm": str(helm.program)}
    return [
        (ours, FLOOR, playbook(playbooks / "floor.yml", ONE, {})),
        (ours, PYTHON, [sys.executable, "-c", "pass"]),
        (ours, IMPORT, [sys.executable, "-c", "import kubernetes"]),
        (ours, MODULE, playbook(playbooks / "vllm_release.yml", ONE, release)),
        (
            helm_lane,
            HELM_MODULE,
            playbook(playbooks / "kubernetes_core_helm.yml", ONE, chart | {"chart_values": GOOD.values()}),
        ),
    ]
