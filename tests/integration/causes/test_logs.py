# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of real servers that failed, as they come out of a cluster: all of them read by one run."""

from __future__ import annotations

import json

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.explanation import explained
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.autopsy import Autopsies
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import with_deaths
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.events import Events
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Object
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT

EXPECTED: dict[str, str | None] = json.loads((CHECKOUT / "tests/fixtures/vllm-logs/expected.json").read_text())
# A log that is printed to its end is that of a server that died; nothing stands in those of healthy ones.
LOGS = sorted(EXPECTED)


def crashing(log: str) -> Object:
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.33.0",
        "args": ["/models/m"],
        "env": [{"name": "STAND_IN_CRASH_LOG", "value": log.removesuffix(".log")}],
    }
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    spec = {"containers": [container], "restartPolicy": "Never", "tolerations": tolerations}
    return {"metadata": {"name": log.removesuffix(".log")}, "spec": spec}


@pytest.fixture(scope="module")
def causes(kubeconfig: object, shared_namespace: Namespace) -> dict[str, str]:
    """What was read in each log."""
    for log in LOGS:
        hands.create(shared_namespace, "pods", crashing(log))
    hands.wait_for(lambda: all(pod["status"].get("phase") == "Failed" for pod in shared_namespace.pods()), patience=180)
    api = Api(Connection({"kubeconfig": str(kubeconfig)}, {}), shared_namespace.name)
    autopsies, pods = Autopsies(api, explained, Events(api)), shared_namespace.pods()
    autopsies.look(pods, with_deaths({}, pods))
    names = {pod["metadata"]["uid"]: f"{pod['metadata']['name']}.log" for pod in pods}
    return {names[uid]: cause.id for (uid, _container), cause in autopsies.causes.items()}


@pytest.mark.parametrize("log", LOGS)
def test_its_cause(causes: dict[str, str], log: str) -> None:
    assert causes.get(log) == EXPECTED[log]
