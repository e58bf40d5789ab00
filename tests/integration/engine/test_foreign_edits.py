# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever somebody does by hand is seen and taken back; what the API server does by itself is no change."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.edits import AT_REST, MOVING, Edit
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import difference, snapshot
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

PARTS = ("config", "policy", "budget", "account", "role", "data")
SERVER = Server(
    parts=PARTS,
    replicas=1,
    labels={"team": "ours"},
    env={"LANGUAGE": "en", "EMPTY": ""},
    # All of this is written in another way, or filled in, by the API server.
    template={
        "serviceAccountName": "small",
        "affinity": {},
        "nodeSelector": {},
        "securityContext": {},
        "volumes": [{"name": "empty", "emptyDir": {}}],
    },
)
KINDS = 8


def odd_quantities(server: Server) -> list[hands.Object]:
    objects = server.objects()
    (container,) = objects[-1]["spec"]["template"]["spec"]["containers"]
    container["resources"] = {
        "requests": {"cpu": 0.005, "memory": "65536Ki", "nvidia.com/gpu": "0"},
        "limits": {"cpu": "4000m", "memory": "24576Mi", "nvidia.com/gpu": 0},
    }
    return objects


@pytest.fixture(scope="module")
def released(kubeconfig: Path, shared_namespace: Namespace) -> Namespace:
    """One release for all tests of this file: each of them leaves it as it was."""
    first = deploy(SERVER, definition=odd_quantities(SERVER)).run(kubeconfig, shared_namespace.name)
    assert not first.result.get("failed"), first.message
    return shared_namespace


def test_what_the_server_writes_in_its_own_way_is_no_change(released: Namespace, proxy: Proxy) -> None:
    again = deploy(SERVER, definition=odd_quantities(SERVER)).run(proxy.kubeconfig, released.name)
    assert again.result["changed"] is False
    assert again.result["requests"] == len(proxy.requests) == 1 + KINDS
    assert proxy.writes() == []


@pytest.mark.parametrize("edit", [*AT_REST.values(), *MOVING.values()], ids=[*AT_REST, *MOVING])
def test_an_edit_by_hand_is_taken_back(released: Namespace, proxy: Proxy, edit: Edit) -> None:
    before = snapshot(released)
    edit(released)

    command = deploy(SERVER, definition=odd_quantities(SERVER))
    repair = command.run(proxy.kubeconfig, released.name)
    assert not repair.result.get("failed"), f"{repair.message}\n{repair.told}"
    assert repair.result["changed"] is True
    assert repair.result["diff"], "changed, and nothing to show"
    assert difference(before, snapshot(released)) == ""

    proxy.requests.clear()
    assert command.run(proxy.kubeconfig, released.name).result["changed"] is False
    assert len(proxy.requests) == 1 + KINDS
    assert proxy.writes() == []
