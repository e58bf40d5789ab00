# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to find out that nothing stands in the way of twenty servers on a large cluster."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench.contestants import SERVERS, playbook
from ansible_collections.ai_aas.vllm.tests.bench.measure import Runner
from ansible_collections.ai_aas.vllm.tests.bench.results import Results
from ansible_collections.ai_aas.vllm.tests.cluster.large import NODES, PODS, LargeCluster
from ansible_collections.ai_aas.vllm.tests.cluster.steps import step

TWENTY = SERVERS[:20]
CASE = f"preflight, {len(TWENTY)} servers on {NODES} nodes with {PODS} pods"
CPU_ALONE = f"{CASE}, without Ansible around it: CPU, s"
ALONE = "ansible_collections.ai_aas.vllm.tests.bench.look_ahead"
WALL, CPU, ASKED = (f"{CASE}: {what}" for what in ("wall, s", "CPU, s", "requests"))
# A server with a GPU, since that is what it is about.
WISH = {"vllm_deploy_namespace": "system", "vllm_deploy_gpus": 1}


def measured(runner: Runner, folder: Path, results: Results, ours: str, rounds: int) -> None:
    with LargeCluster() as large:
        kubeconfig = folder / "large.kubeconfig"
        kubeconfig.write_text(large.kubeconfig)
        command = playbook("ai_aas.vllm.preflight", TWENTY, WISH)
        for _round in range(rounds):
            large.asked.clear()
            with step(f"{len(TWENTY)} servers: preflight on a large cluster"):
                ran = replace(runner, kubeconfig=kubeconfig).done([command])
            results.add(WALL, ours, ran.wall)
            results.add(CPU, ours, ran.cpu)
            results.add(ASKED, ours, len(large.asked))
            results.add(CPU_ALONE, ours, runner.done([[sys.executable, "-m", ALONE, large.url, *TWENTY]]).cpu)
