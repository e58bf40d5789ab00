# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that are scarce, without taking any from other tests: a resource of one's own on the node that runs pods, and
nodes of one's own that run none."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.release.clock import now
from ansible_collections.ai_aas.vllm.tests.cluster.settings import NODE
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Object

MERGE = "application/merge-patch+json"
BEAT = 10


@contextlib.contextmanager
def devices(cluster: Cluster, count: int) -> Iterator[str]:
    """The name of a resource of which the node has so many."""
    name = f"example.com/gpu-{secrets.token_hex(4)}"
    _set(cluster, {name: str(count)})
    try:
        yield name
    finally:
        _set(cluster, {name: None})


def _set(cluster: Cluster, amount: Mapping[str, str | None]) -> None:
    change = {"status": {"capacity": amount, "allocatable": amount}}
    assert cluster.ask("PATCH", f"/api/v1/nodes/{NODE}/status", change, content_type=MERGE)


@contextlib.contextmanager
def node(
    cluster: Cluster,
    name: str,
    amounts: Mapping[str, str],
    *,
    labels: Mapping[str, str] | None = None,
    taints: tuple[Mapping[str, str], ...] = (),
    cordoned: bool = False,
) -> Iterator[str]:
    """A node without a kubelet: the scheduler knows it, and nothing runs there. `name` gets a part of its own."""
    name = f"{name}-{secrets.token_hex(3)}"
    room = {"cpu": "16", "memory": "64Gi", "pods": "20"} | dict(amounts)
    body: dict[str, Any] = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name} | dict(labels or {})},
        "spec": {"taints": list(taints), "unschedulable": cordoned},
    }
    over = threading.Event()

    def live() -> None:
        """Beats as a kubelet does: a node that does not for most of a minute is taken for lost."""
        while not over.is_set():
            ready = {"type": "Ready", "status": "True", "reason": "Test", "lastHeartbeatTime": now()}
            status = {"status": {"capacity": room, "allocatable": room, "conditions": [ready]}}
            assert cluster.ask("PATCH", f"/api/v1/nodes/{name}/status", status, content_type=MERGE)
            over.wait(BEAT)

    cluster.ask("POST", "/api/v1/nodes", body)
    life = threading.Thread(target=live)
    life.start()
    try:
        # Every new node is born with the taint of one that is not ready.
        hands.wait_for(lambda: not _not_ready(cluster, name))
        yield name
    finally:
        over.set()
        life.join()
        cluster.ask("DELETE", f"/api/v1/nodes/{name}")


def _not_ready(cluster: Cluster, name: str) -> bool:
    body = cluster.ask("GET", f"/api/v1/nodes/{name}") or {"spec": {}}
    return any(taint["key"] == "node.kubernetes.io/not-ready" for taint in body["spec"].get("taints", []))


def tainted(value: str) -> Object:
    """A taint that keeps other tests' pods away: they tolerate the one of GPU nodes."""
    return {"key": "example.com/test", "value": value, "effect": "NoSchedule"}
