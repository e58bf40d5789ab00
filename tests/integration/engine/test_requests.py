# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests it takes. N objects of K kinds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import HEARTBEAT, Story
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


def asked(proxy: Proxy) -> list[Request]:
    """All requests but heartbeats, and what a busy machine brings about: looks at the events of a pod that stands
    still."""
    story = Story()
    return [
        request
        for request in proxy.requests
        if not (request.is_write and story.name(request) == HEARTBEAT) and not request.path.endswith("/events")
    ]


def allowed(run: Run, proxy: Proxy) -> int:
    """By the rule: one for each pod that was verified, two for each look while it waits, for pods or for endpoints; and
    three for each object that a controller has written in between, so that it had to be looked at again."""
    ways = [request.path.rpartition("/namespaces/")[2].partition("/")[2] for request in asked(proxy)]
    reads = [way for way, request in zip(ways, asked(proxy), strict=True) if request.method == "GET"]
    looks = reads.count("deployments/small") + reads.count("endpointslices") - 1
    moved = sum(request.status == 409 for request in proxy.requests)
    return N + K + SLACK + len(run.result["verification"]["pods"]) + 2 * looks + 3 * moved


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
    assert len(asked(proxy)) <= allowed(run, proxy), "\n".join(f"{each.method} {each.path}" for each in asked(proxy))

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
