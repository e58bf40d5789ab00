# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation, killed before and after every write and once in each stretch of reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import SCENARIOS, Scenario
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import sweep, undisturbed
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_killed_at_every_point(scenario: Scenario, cluster: Cluster, kubeconfig: Path) -> None:
    reference = undisturbed(scenario, cluster, kubeconfig)
    print(f"{scenario.name}: {len(reference.points)} points")
    wrong = sweep(scenario, reference.points, reference, cluster, kubeconfig)
    assert not wrong, "\n\n".join(f"{point}\n{text}" for point, text in wrong.items())
