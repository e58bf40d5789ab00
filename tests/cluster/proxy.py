# SPDX-License-Identifier: GPL-3.0-or-later
"""A reverse proxy in front of the API server that records every request, and may hold it back or drop it.

    with Proxy(kubeconfig, tmp_path) as proxy:
        run(kubeconfig=proxy.kubeconfig)
        assert not proxy.writes()

Every request has a connection of its own, on both sides. So the bytes of an answer need not be understood to be passed
on: watches, logs, websockets and what comes later work alike.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import select
import socket
import socketserver
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from . import certificates
from .settings import LOOPBACK

CHUNK = 65536


class Drop(Exception):
    """Raised by a hook: the connection ends here, without an answer."""


@dataclasses.dataclass(kw_only=True)
class Request:
    """One request as it came; `status` is None until the API server has answered."""

    method: str
    path: str
    query: str
    user_agent: str
    body: bytes = dataclasses.field(repr=False)
    status: int | None = None

    @property
    def is_write(self) -> bool:
        """Whether it may change something: a dry run does not."""
        return self.method not in ("GET", "HEAD", "OPTIONS") and "dryRun=All" not in self.query


Hook = Callable[[Request], None]


class Proxy:
    """Runs from `with` to its end, in threads of this process.

    `before` is called with a request before it is passed on, `after` when the API server has answered and the client
    has not seen it. They run in the thread of the request: one that waits holds back only this request.
    """

    def __init__(
        self, kubeconfig: Path, folder: Path, *, before: Hook | None = None, after: Hook | None = None
    ) -> None:
        self.before = before
        self.after = after
        self.requests: list[Request] = []
        self.kubeconfig = folder / "proxy.kubeconfig"
        self._upstream = _Upstream(kubeconfig, folder)
        self._certificate = certificates.create_for_loopback(folder / "proxy.pem")
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(self._certificate)
        self._server = socketserver.ThreadingTCPServer((LOOPBACK, 0), self._handler(), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.request_queue_size = 128

    def writes(self) -> list[Request]:
        """The recorded requests that may have changed something."""
        return [request for request in self.requests if request.is_write]

    def __enter__(self) -> Self:
        self._server.server_bind()
        self._server.server_activate()
        self._write_kubeconfig()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        serve = self._serve

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                # A client that leaves, or an API server that does, ends this connection and nothing else.
                with contextlib.suppress(OSError, Drop):
                    serve(self.request)

        return Handler

    def _serve(self, connection: socket.socket) -> None:
        with self._tls.wrap_socket(connection, server_side=True) as client:
            head, rest = _read_head(client)
            if not head:
                return
            line, headers = head[0], head[1:]
            method, target, _unused = line.split(" ", 2)
            rest += _read_exactly(client, int(_header(headers, "Content-Length") or 0) - len(rest))
            path, _unused, query = target.partition("?")
            agent = _header(headers, "User-Agent")
            request = Request(method=method, path=path, query=query, user_agent=agent, body=rest)
            self.requests.append(request)
            if self.before:
                self.before(request)
            with self._upstream.connect(authorized=bool(_header(headers, "Authorization"))) as server:
                server.sendall(_written(line, self._upstream.adapted(headers)) + rest)
                answer, rest = _read_head(server)
                if not answer:
                    return
                request.status = int(answer[0].split(" ", 2)[1])
                if self.after:
                    self.after(request)
                client.sendall(_written(answer[0], _closing(answer[1:])) + rest)
                _relay(client, server)

    def _write_kubeconfig(self) -> None:
        host, port = self._server.server_address[:2]
        cluster = {"server": f"https://{host!s}:{port}", "certificate-authority": str(self._certificate)}
        original = self._upstream.document
        clusters = [{"name": entry["name"], "cluster": cluster} for entry in original["clusters"]]
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(json.dumps({**original, "clusters": clusters}))


class _Upstream:
    """The API server that a kubeconfig's current context names, and the client certificate for it.

    A request with a token is passed on as it is; one without gets the certificate of the kubeconfig, because that which
    the client has for the proxy ends here.
    """

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.document: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
        context = _named(self.document, "context", self.document["current-context"])
        cluster, user = (_named(self.document, kind, context[kind]) for kind in ("cluster", "user"))
        address = urllib.parse.urlsplit(cluster["server"])
        self.host, self.port = address.hostname or "", address.port or 443
        authority = _data(cluster, "certificate-authority")
        self._anonymous = _trusting(authority)
        self._identified = _trusting(authority)
        if "client-certificate" in user or "client-certificate-data" in user:
            pair = folder / "client.pem"
            pair.touch(mode=0o600)
            pair.write_text(_data(user, "client-certificate") + _data(user, "client-key"))
            self._identified.load_cert_chain(pair)

    @contextlib.contextmanager
    def connect(self, *, authorized: bool) -> Iterator[ssl.SSLSocket]:
        """A new connection, with the client certificate unless the request is authorized by a token."""
        tls = self._anonymous if authorized else self._identified
        with (
            socket.create_connection((self.host, self.port)) as plain,
            tls.wrap_socket(plain, server_hostname=self.host) as connection,
        ):
            yield connection

    def adapted(self, headers: list[str]) -> list[str]:
        """The headers of a request as the API server must see them."""
        kept = [header for header in headers if not header.lower().startswith("host:")]
        return [f"Host: {self.host}:{self.port}", *_closing(kept)]


def _relay(one: ssl.SSLSocket, other: ssl.SSLSocket) -> None:
    """Passes bytes both ways until one side ends."""
    directions = {one: other, other: one}
    while True:
        ready = [side for side in directions if side.pending()] or select.select(list(directions), [], [])[0]
        for side in ready:
            data = side.recv(CHUNK)
            if not data:
                return
            directions[side].sendall(data)


def _read_head(connection: ssl.SSLSocket) -> tuple[list[str], bytes]:
    """The first line and the headers, and the bytes that came behind them. Nothing when the peer left."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(CHUNK)
        if not more:
            return [], b""
        data += more
    head, _unused, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def _read_exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(CHUNK)
        if not more:
            raise ConnectionError
        data += more
    return data


def _header(headers: list[str], name: str) -> str:
    found = (
        value for key, _unused, value in (header.partition(":") for header in headers) if key.lower() == name.lower()
    )
    return next(found, "").strip()


def _closing(headers: list[str]) -> list[str]:
    """The headers with `Connection: close`, but for an upgrade."""
    if "upgrade" in _header(headers, "Connection").lower():
        return headers
    return [*(header for header in headers if not header.lower().startswith("connection:")), "Connection: close"]


def _written(line: str, headers: list[str]) -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1")


def _named(document: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry[kind] for entry in document[f"{kind}s"] if entry["name"] == name)
    return found


def _data(entry: dict[str, Any], name: str) -> str:
    inside = entry.get(f"{name}-data")
    return base64.b64decode(inside).decode() if inside else Path(entry[name]).read_text()


def _trusting(authority: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the test cluster's authority has no keyUsage, on purpose
    return context
