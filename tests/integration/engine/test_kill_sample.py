# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed, once in every phase. `make test-kill` tries every single point."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Side
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import scenario
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import sweep, undisturbed
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster

SAMPLE: dict[str, list[tuple[Side, str]]] = {
    "install": [("after", "deploy announce: POST head"), ("before", "deploy apply: PATCH deployments/small")],
    "upgrade": [
        ("before", "deploy announce: PUT head"),
        ("before", "deploy apply: POST record 2"),
        ("after", "deploy apply: PATCH deployments/small"),
        ("before", "deploy apply: PATCH deployments/small #2"),
        ("before", "deploy commit: PUT head"),
        ("after", "deploy tidy: DELETE networkpolicies/small"),
        ("before", "deploy done: PUT head"),
    ],
    "failing upgrade": [
        ("after", "deploy evidence: PUT head"),
        ("after", "rollback announce: PUT head"),
        ("before", "rollback apply: PATCH deployments/small"),
        ("after", "rollback commit: PUT head"),
    ],
    "repair": [("after", "repair announce: PUT head"), ("after", "repair apply: PATCH services/small")],
    "remove": [("after", "remove apply: DELETE deployments/small"), ("before", "remove apply: DELETE head")],
}


@pytest.mark.parametrize("name", SAMPLE)
def test_a_run_that_is_killed_is_continued_by_the_same_command(name: str, cluster: Cluster, kubeconfig: Path) -> None:
    reference = undisturbed(scenario(name), cluster, kubeconfig)
    points = [Point(side=side, writes=(write,)) for side, write in SAMPLE[name]]
    missing = [str(point) for point in points if point not in reference.points]
    assert not missing, f"there is {[str(point) for point in reference.points]}"
    wrong = sweep(scenario(name), points, reference, cluster, kubeconfig)
    assert not wrong, "\n\n".join(f"{point}\n{text}" for point, text in wrong.items())
