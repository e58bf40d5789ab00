# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of two hundred nodes and five thousand pods, as far as a preflight asks for it: an API server that lists
them in pages, and takes every pod that is tried."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from .node import GPU, LABELS

NODES, PODS, GPUS = 200, 5000, 8


class LargeCluster:
    """Serves from `with` to its end. `asked`: method and path of every request, with its query."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.asked))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def kubeconfig(self) -> str:
        """JSON is YAML, too."""
        context = {"cluster": "large", "user": "somebody"}
        names = ("development", "staging", "production")
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "production",
                "clusters": [{"name": "large", "cluster": {"server": self.url}}],
                "users": [{"name": "somebody", "user": {"token": "somebody"}}],
                "contexts": [{"name": name, "context": context} for name in names],
            }
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(asked: list[tuple[str, str, dict[str, list[str]]]]) -> type[BaseHTTPRequestHandler]:
    lists = {
        "/api/v1/nodes": [_node(number) for number in range(NODES)],
        "/api/v1/pods": [_pod(number) for number in range(PODS)],
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, query = self._noted()
            bodies = lists.get(path)
            if bodies is None:
                self._answer(404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "there is none"})
                return
            size, begin = int(query.get("limit", ["0"])[0]) or len(bodies), int(query.get("continue", ["0"])[0])
            following = str(begin + size) if begin + size < len(bodies) else ""
            self._answer(200, {"metadata": {"continue": following}, "items": bodies[begin : begin + size]})

        def do_POST(self) -> None:
            self._noted()
            self._answer(201, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _noted(self) -> tuple[str, dict[str, list[str]]]:
            url = urlsplit(self.path)
            asked.append((self.command, url.path, parse_qs(url.query)))
            return url.path, asked[-1][2]

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_words: Any) -> None:
            pass

    return Handler


def _node(number: int) -> dict[str, Any]:
    amounts = {"cpu": "128", "memory": "1Ti", "pods": "110", GPU: str(GPUS)}
    name = f"node-{number:03}"
    return {
        "metadata": {"name": name, "labels": LABELS | {"kubernetes.io/hostname": name}},
        "spec": {"taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": amounts,
            "capacity": amounts,
            "images": [{"names": [f"image-{n}"]} for n in range(50)],
        },
    }


def _pod(number: int) -> dict[str, Any]:
    """Every fifth has a GPU, so that five of eight are taken on each node."""
    asked = {"cpu": "500m", "memory": "1Gi"} | ({GPU: "1"} if number % 5 == 0 else {})
    container = {
        "name": "server",
        "image": "registry.example/server:1",
        "env": [{"name": f"SETTING_{n}", "value": "something"} for n in range(20)],
        "resources": {"requests": asked, "limits": asked},
    }
    fields: dict[str, Any] = {"f:spec": {f"f:setting-{n}": {} for n in range(60)}}
    return {
        "metadata": {
            "name": f"pod-{number:05}",
            "namespace": f"team-{number % 40:02}",
            "labels": {"app": f"app-{number % 400}"},
            "managedFields": [{"manager": "controller", "fieldsV1": fields}],
        },
        "spec": {"nodeName": f"node-{number // 5 % NODES:03}", "containers": [container]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
