# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and other tools do to objects, each under the name that it has in the ledger of field owners."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import websocket
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Object = dict[str, Any]
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
PATIENCE = 60


def path(namespace: Namespace, kind: str, name: str = "") -> str:
    """`kind`: "services", "apps/v1/deployments"."""
    version, _slash, plural = kind.rpartition("/")
    base = f"{f'/apis/{version}' if version else '/api/v1'}/namespaces/{namespace.name}/{plural}"
    return f"{base}/{name}" if name else base


def patch(
    namespace: Namespace,
    kind: str,
    change: Any,
    *,
    name: str = "small",
    manager: str = "kubectl-edit",
    sort: str = STRATEGIC,
    subresource: str = "",
) -> Object:
    """As `kubectl edit`, `patch`, `label`, `annotate`, `scale` and the like do it."""
    where = path(namespace, kind, name) + (f"/{subresource}" if subresource else "")
    answer = namespace.cluster.ask("PATCH", where, change, content_type=sort, query={"fieldManager": manager})
    assert answer, f"there is no {kind} {name}"
    return answer


def apply(namespace: Namespace, kind: str, body: Object, *, manager: str = "flux") -> Object:
    """As `kubectl apply --server-side --force-conflicts` does it."""
    query = {"fieldManager": manager, "force": "true"}
    where = path(namespace, kind, body["metadata"]["name"])
    answer = namespace.cluster.ask("PATCH", where, body, content_type=APPLY, query=query)
    assert answer
    return answer


def create(namespace: Namespace, kind: str, body: Object, *, manager: str = "kubectl-create") -> Object:
    answer = namespace.cluster.ask("POST", path(namespace, kind), body, query={"fieldManager": manager})
    assert answer
    return answer


def delete(namespace: Namespace, kind: str, *, name: str = "small") -> None:
    """Until it is gone."""
    namespace.cluster.ask("DELETE", path(namespace, kind, name))
    wait_for(lambda: namespace.cluster.ask("GET", path(namespace, kind, name)) is None)


def container(**changes: Any) -> Object:
    """A patch for the server's container."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "vllm"} | changes]}}}}


def touch(namespace: Namespace, pod: str, file: str) -> None:
    """As `kubectl exec POD -- touch FILE` does it."""
    connection = namespace.cluster.connection
    url = urlsplit(connection.host)
    query = urlencode([("command", "touch"), ("command", file), ("container", "vllm"), ("stderr", "1")])
    where = urlunsplit(("wss", url.netloc, f"{path(namespace, 'pods', pod)}/exec", query, ""))
    socket = websocket.create_connection(
        where,
        subprotocols=["v4.channel.k8s.io"],
        header=[f"{name}: {value}" for name, value in connection.identity()],
        timeout=PATIENCE,
        **connection.websocket_options(),
    )
    said = b""
    try:
        while frame := socket.recv():
            said += frame[1:] if isinstance(frame, bytes) else frame[1:].encode()
    except websocket.WebSocketConnectionClosedException:
        pass
    finally:
        socket.shutdown()
    assert not said or b"Success" in said, said


def wait_for(condition: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    until = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < until, "it does not come to pass"
        time.sleep(0.1)
    return found
