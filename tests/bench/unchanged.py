# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to find that nothing has to be done for one server."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench.contestants import HERE, ONE, Helm, Ours, playbook
from ansible_collections.ai_aas.vllm.tests.bench.lane import Lane
from ansible_collections.ai_aas.vllm.tests.bench.measure import Command, Counter

WALL, CPU, ASKED = (f"unchanged, 1 server: {what}" for what in ("wall, s", "CPU, s", "{}"))
MODULE = "unchanged, 1 server, our module without the role: wall, s"
HELM_MODULE = "unchanged, 1 server, kubernetes.core.helm: wall, s"
FLOOR = "a playbook with one debug task: wall, s"
PYTHON, IMPORT = "python -c pass: wall, s", "python -c 'import kubernetes': wall, s"


def timed(lane: Lane, template: Path) -> None:
    ran = lane.runner.done(lane.contestant.deploy(lane.namespace.name))
    lane.add(WALL, ran.wall)
    lane.add(CPU, ran.cpu)
    for row, command in _companions(lane, template).items():
        lane.add(row, lane.runner.done([command]).wall)


def counted(lane: Lane, counter: Counter) -> None:
    for what, number in counter.count(lane.contestant.deploy(lane.namespace.name)).items():
        lane.add(ASKED.format(what), number)


def _companions(lane: Lane, template: Path) -> dict[str, Command]:
    """Other ways to do the same, and what Ansible and Python take by themselves."""
    if isinstance(lane.contestant, Ours):
        return {
            MODULE: lane.contestant.module(lane.namespace.name, template, ONE),
            FLOOR: playbook(HERE / "playbooks" / "floor.yml", ONE, {}),
            PYTHON: [sys.executable, "-c", "pass"],
            IMPORT: [sys.executable, "-c", "import kubernetes"],
        }
    return {HELM_MODULE: lane.contestant.module(lane.namespace.name)} if isinstance(lane.contestant, Helm) else {}
