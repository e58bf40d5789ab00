# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests it takes. N objects of K kinds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

SERVER = Server(parts=("config", "policy", "budget", "account"))
N = K = 6
SLACK = 12


@pytest.fixture(scope="module")
def released(kubeconfig: Path, shared_namespace: Namespace) -> Namespace:
    first = deploy(SERVER).run(kubeconfig, shared_namespace.name)
    assert not first.result.get("failed"), first.message
    return shared_namespace


def allowed(run: Run, proxy: Proxy) -> int:
    """By the rule: one for each pod that was verified, two for each look at a rollout. Heartbeats are left aside."""
    looks = sum(request.method == "GET" and request.path.endswith("/deployments/small") for request in proxy.requests)
    return N + K + SLACK + len(run.result["verification"]["pods"]) + 2 * looks


def test_a_release_that_is_there_already_is_only_read(released: Namespace, proxy: Proxy) -> None:
    run = deploy(SERVER).run(proxy.kubeconfig, released.name)
    assert run.result["changed"] is False
    assert len(proxy.requests) == run.result["requests"] == 1 + K
    assert proxy.writes() == []


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(SERVER, greeting="good day"), id="an object beside the server"),
        pytest.param(replace(SERVER, greeting="good day", env={"LANGUAGE": "en"}), id="the pod template"),
        pytest.param(replace(SERVER, greeting="good day", env={"LANGUAGE": "en"}, replicas=1), id="the number of pods"),
    ],
)
def test_a_change_of_one_object(released: Namespace, proxy: Proxy, changed: Server) -> None:
    run = deploy(changed).run(proxy.kubeconfig, released.name)
    assert not run.result.get("failed"), run.message
    assert len(run.result["actions"]["updated"]) == 1
    assert len(proxy.requests) <= allowed(run, proxy), "\n".join(
        f"{each.method} {each.path}" for each in proxy.requests
    )

    proxy.requests.clear()
    again = deploy(changed).run(proxy.kubeconfig, released.name)
    assert again.result["changed"] is False
    assert len(proxy.requests) == 1 + K


def test_a_check_writes_nothing(released: Namespace, proxy: Proxy) -> None:
    run = replace(deploy(replace(SERVER, greeting="good night")), check_mode=True).run(proxy.kubeconfig, released.name)
    assert run.result["changed"] is True
    assert proxy.writes() == []
    assert len(proxy.requests) <= 1 + K + N + 1, "one pod is asked for"
    assert not re.search("applying|asking", run.told)
