# SPDX-License-Identifier: GPL-3.0-or-later
"""A port-forward: one TCP connection into a pod, through the API server and the kubelet.

It arrives inside the pod's own network, so no NetworkPolicy cuts it, and it leaves request headers alone (the API
server's pod proxy strips Authorization)."""

from __future__ import annotations

import io
import re
from collections.abc import Buffer
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError, Forbidden

try:
    import websocket
except ImportError:  # Connection says so in a sentence, before anybody gets here
    pass

SUBPROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1


def open_tunnel(connection: Connection, namespace: str, pod: str, port: int, timeout: float) -> Tunnel:
    """A tunnel to `port` of `pod`; `timeout` seconds without a byte are a TimeoutError. Raises Forbidden, ApiError and
    ConnectionFailed when there is none to be had."""
    url = urlsplit(connection.host)
    scheme = "wss" if url.scheme == "https" else "ws"
    path = f"{url.path}/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    try:
        socket = websocket.create_connection(
            urlunsplit((scheme, url.netloc, path, f"ports={port}", "")),
            subprotocols=[SUBPROTOCOL],
            header=[f"{name}: {value}" for name, value in connection.identity()],
            timeout=timeout,
            enable_multithread=False,
            **connection.websocket_options(),
        )
    except websocket.WebSocketBadStatusException as error:
        if error.status_code == 401:
            raise connection.rejected() from error
        if error.status_code == 403:
            raise Forbidden(
                f"The API server does not allow a port-forward into {pod}",
                "It needs the verbs get and create on pods/portforward",
                "Add them to a Role of this account",
                status=403,
            ) from error
        raise ApiError(
            f"No port-forward into {pod}",
            f"The API server answers with HTTP status {error.status_code}",
            status=error.status_code,
        ) from error
    except (websocket.WebSocketException, OSError) as error:
        raise connection.unreachable(error) from error
    return Tunnel(socket)


class Tunnel(io.RawIOBase):
    """A byte stream over the websocket of a port-forward. Reading raises TimeoutError, and ConnectionRefusedError when
    the kubelet says that nobody listens."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._greeted: set[int] = set()
        self._pending = b""

    def settimeout(self, seconds: float, /) -> None:
        self._socket.settimeout(seconds)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        payload = bytes(data)
        try:
            self._socket.send_binary(bytes([DATA]) + payload)
        except websocket.WebSocketException as error:
            raise BrokenPipeError("the port-forward has ended") from error
        return len(payload)

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        while not self._pending:
            try:
                frame = self._socket.recv()
            except websocket.WebSocketTimeoutException as error:
                raise TimeoutError("no answer") from error
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                return 0
            if not frame:
                return 0
            frame = frame if isinstance(frame, bytes) else frame.encode()
            channel, payload = frame[0], frame[1:]
            if channel not in self._greeted:  # the first frame of each channel repeats the port number
                self._greeted.add(channel)
            elif channel == ERROR:
                raise ConnectionRefusedError(_told(payload.decode(errors="replace")))
            else:
                self._pending = payload
        size = min(len(view), len(self._pending))
        view[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            self._socket.close(timeout=1)
            self._socket.shutdown()  # close() leaves the connection open when the other side was first
        super().close()


def _told(error: str) -> str:
    """What the container runtime says, without its own names for pods and networks."""
    refused = re.search(r"forwarding port (\d+) to pod .*connection refused", error, re.DOTALL)
    return f"nobody listens on port {refused[1]}" if refused else error
