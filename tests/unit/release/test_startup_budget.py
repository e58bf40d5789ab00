# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a pod may take, by its own probes."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import startup_budget
from ansible_collections.ai_aas.vllm.tests.unit.release.observations import Object


@pytest.mark.parametrize(
    ("containers", "seconds"),
    [
        pytest.param([{}], 600, id="no probes: ten minutes"),
        pytest.param([{"startupProbe": {"failureThreshold": 20, "periodSeconds": 30}}], 600, id="tries times period"),
        pytest.param([{"startupProbe": {"httpGet": {}}}], 30, id="the defaults of Kubernetes"),
        pytest.param(
            [{"startupProbe": {"failureThreshold": 2, "periodSeconds": 5, "initialDelaySeconds": 7}}],
            17,
            id="a late start",
        ),
        pytest.param(
            [{"startupProbe": {"failureThreshold": 2, "periodSeconds": 5}, "readinessProbe": {"periodSeconds": 3}}],
            13,
            id="readiness comes after it",
        ),
        pytest.param(
            [
                {
                    "startupProbe": {"failureThreshold": 2, "periodSeconds": 5},
                    "readinessProbe": {"initialDelaySeconds": 30},
                }
            ],
            50,
            id="readiness begins late",
        ),
        pytest.param([{"readinessProbe": {"initialDelaySeconds": 900}}], 910, id="only a late readiness probe"),
        pytest.param([{"readinessProbe": {}}], 600, id="only a readiness probe"),
        pytest.param(
            [{"startupProbe": {"failureThreshold": 1}}, {"startupProbe": {"failureThreshold": 9}}],
            90,
            id="the slowest counts",
        ),
    ],
)
def test_startup_budget(containers: list[Object], seconds: int) -> None:
    assert startup_budget({"spec": {"containers": containers}}) == seconds
