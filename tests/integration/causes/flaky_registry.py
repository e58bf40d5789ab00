# SPDX-License-Identifier: GPL-3.0-or-later
"""An image registry that fails until it is told not to, and then leads to the cluster's own."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

from ansible_collections.ai_aas.vllm.tests.cluster.settings import REGISTRY


class FlakyRegistry(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.works = False

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self.server_port}/vllm/vllm-openai:v0.33.0"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FlakyRegistry

    def do_GET(self) -> None:
        self.send_response(307 if self.server.works else 503)
        if self.server.works:
            self.send_header("Location", f"http://{REGISTRY}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        pass


@contextlib.contextmanager
def flaky_registry() -> Iterator[FlakyRegistry]:
    registry = FlakyRegistry()
    thread = threading.Thread(target=registry.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.shutdown()
        registry.server_close()
        thread.join()
