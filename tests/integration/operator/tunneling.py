# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP proxy that asks for a password and opens tunnels (CONNECT, RFC 9110)."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self


class HttpProxy:
    """Runs from `with` to its end. `connects`: where the tunnels led."""

    def __init__(self, credentials: str) -> None:
        self.credentials = credentials
        self.connects: list[str] = []
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    proxy._serve(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return self.address.replace("//", f"//{self.credentials}@")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: socketserver.StreamRequestHandler) -> None:
        method, target, _version = handler.rfile.readline().decode().split()
        headers = dict(self._headers(handler))
        wanted = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        if method != "CONNECT" or headers.get("proxy-authorization") != wanted:
            handler.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        self.connects.append(target)
        host, _colon, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            handler.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._relay(handler.connection, server)

    @staticmethod
    def _headers(handler: socketserver.StreamRequestHandler) -> list[tuple[str, str]]:
        found = []
        while line := handler.rfile.readline().decode().strip():
            name, _colon, value = line.partition(":")
            found.append((name.lower(), value.strip()))
        return found

    @staticmethod
    def _relay(one: socket.socket, other: socket.socket) -> None:
        directions = {one: other, other: one}
        while True:
            for side in select.select(list(directions), [], [])[0]:
                data = side.recv(65536)
                if not data:
                    return
                directions[side].sendall(data)
