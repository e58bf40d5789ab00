# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: routes, the API key, access log lines and metrics of requests."""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import select
import socket
import socketserver
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from . import log, pooling
from .api import Api, Body, Completion, Refused
from .engine import ClientGone, Engine
from .metrics import Metrics, number_of

OPEN = {"/health", "/ping", "/version", "/metrics", "/load"}
UNCOUNTED = {*OPEN, "/server_info"}
ROUTES = {
    "/health": ("GET",),
    "/ping": ("GET", "POST"),
    "/version": ("GET",),
    "/load": ("GET",),
    "/metrics": ("GET",),
    "/v1/models": ("GET",),
    "/tokenize": ("POST",),
    "/v1/completions": ("POST",),
    "/v1/chat/completions": ("POST",),
    "/invocations": ("POST",),
    "/v1/embeddings": ("POST",),
    "/pooling": ("POST",),
}


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Bound early and listening late, as vLLM is: until it listens, a connection is refused."""

    daemon_threads = True
    request_queue_size = 2048

    def __init__(
        self, options: argparse.Namespace, api: Api, engine: Engine, metrics: Metrics, keys: Sequence[str]
    ) -> None:
        self.api = api
        self.engine = engine
        self.metrics = metrics
        self.keys = set(keys)
        self.missing = pooling.missing(options)
        self.root_path = (options.root_path or "").rstrip("/")
        self.silent = set((getattr(options, "disable_access_log_for_endpoints", None) or "").split(","))
        self.access_log = not getattr(options, "disable_uvicorn_access_log", False)
        self.counts_load = bool(getattr(options, "enable_server_load_tracking", False))
        host = options.host or ""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, options.port), Handler, bind_and_activate=False)
        self.server_bind()

    def server_bind(self) -> None:
        # HTTPServer would look its own name up in DNS here.
        socketserver.TCPServer.server_bind(self)

    @property
    def tasks(self) -> list[str]:
        return ["generate"] if "/pooling" in self.missing else ["embed"]

    def close_listener(self) -> None:
        """From here on a connection is refused; those that are open go on."""
        self.shutdown()
        self.server_close()

    def guarded(self, path: str) -> bool:
        prefixes = ("/v1",) if number_of(self.api.version) <= (0, 20) else ("/v1", "/v2", "/inference", "/cohere")
        return bool(self.keys) and path.startswith(prefixes)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "uvicorn"
    sys_version = ""
    timeout = 5  # seconds that a connection may be idle

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_HEAD(self) -> None:
        self._serve("HEAD")

    def log_message(self, *_: Any) -> None:
        """Nothing: _serve writes the access log as uvicorn does."""

    def _serve(self, method: str) -> None:
        begun = time.monotonic()
        path = self.path.partition("?")[0]
        root = self.server.root_path
        route = path.removeprefix(root) if root and path.startswith(f"{root}/") else path
        handler = "/metrics" if route.startswith("/metrics") else route
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        self._status, self._sent = 0, 0
        try:
            self._answer(method, handler, body)
        except (ClientGone, ConnectionError, TimeoutError):
            self.close_connection = True
        if self.server.access_log and route not in self.server.silent and self._status:
            peer, phrase = self.client_address, HTTPStatus(self._status).phrase
            log.line(f'INFO:     {peer[0]}:{peer[1]} - "{method} {self.path} HTTP/1.1" {self._status} {phrase}')
        if handler not in UNCOUNTED and self._status not in (0, 401):
            known = handler if handler in ROUTES else "none"
            size = (length, self._sent)
            self.server.metrics.http(known, method, self._status, time.monotonic() - begun, size)

    def _answer(self, method: str, route: str, body: bytes) -> None:
        if self.server.guarded(route) and not self._has_key():
            self._json(401, {"error": "Unauthorized"})
        elif route in self.server.missing:
            self._json(*pooling.refusal(self.server.api.version, self.server.missing[route]))
        elif route not in ROUTES:
            self._json(404, {"detail": "Not Found"})
        elif method not in ROUTES[route]:
            self._json(405, {"detail": "Method Not Allowed"}, allow=", ".join(ROUTES[route]))
        else:
            try:
                self._route(route, body)
            except Refused as refused:
                self._json(refused.status, refused.body)

    def _route(self, route: str, body: bytes) -> None:
        api, engine = self.server.api, self.server.engine
        match route:
            case "/health" | "/ping":
                unhealthy = 503 if number_of(api.version) >= (0, 11) else 500
                self._send(200 if engine.healthy else unhealthy, b"", None)
            case "/version":
                self._json(200, {"version": api.version})
            case "/load":
                self._json(200, {"server_load": engine.in_flight if self.server.counts_load else 0})
            case "/metrics":
                text = self.server.metrics.render().encode()
                self._send(200, text, "text/plain; version=1.0.0; charset=utf-8")
            case "/v1/models":
                self._json(200, api.models())
            case "/tokenize":
                self._json(200, api.tokenize(_parsed(body)))
            case "/v1/embeddings" | "/pooling":
                self._json(200, api.pool(route, _parsed(body), self._client_gone))
            case _:
                document = _parsed(body)
                chat = route == "/v1/chat/completions" or "messages" in document
                self._complete(api.complete(document, chat=chat, client_gone=self._client_gone))

    def _complete(self, completion: Completion) -> None:
        if not completion.streaming:
            self._json(200, completion.whole())
            return
        self._status = 200
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in completion.events():
            data = event.encode()
            self._sent += len(data)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def _has_key(self) -> bool:
        scheme, _unused, key = (self.headers.get("Authorization") or "").partition(" ")
        return scheme.lower() == "bearer" and key in self.server.keys

    def _json(self, status: int, body: Body, *, allow: str | None = None) -> None:
        self._send(status, json.dumps(body, separators=(",", ":")).encode(), "application/json", allow)

    def _send(self, status: int, data: bytes, content_type: str | None, allow: str | None = None) -> None:
        self._status, self._sent = status, len(data)
        self.send_response(status)
        if allow:
            self.send_header("Allow", allow)
        self.send_header("Content-Length", str(len(data)))
        if content_type:
            self.send_header("Content-Type", content_type)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _client_gone(self) -> bool:
        with contextlib.suppress(OSError):
            readable, _unused, _unused = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        return True


def _parsed(body: bytes) -> Body:
    try:
        document = json.loads(body or b"null")
    except ValueError as error:
        raise Refused(
            400, f"[{{'type': 'json_invalid', 'msg': 'JSON decode error: {error}'}}]", "Bad Request"
        ) from None
    if not isinstance(document, dict):
        raise Refused(400, "[{'type': 'missing', 'loc': ('body',), 'msg': 'Field required'}]", "Bad Request")
    return document
