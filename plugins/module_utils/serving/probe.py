# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests to a server, over whatever byte stream leads to it."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Buffer, Callable
from typing import Any, BinaryIO, Protocol, cast

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Limits, Request


class Stream(Protocol):
    """A byte stream. Reading raises TimeoutError after the seconds of `settimeout` without a byte."""

    def settimeout(self, seconds: float, /) -> None: ...
    def readinto(self, buffer: Buffer, /) -> int | None: ...
    def write(self, data: Buffer, /) -> int | None: ...
    def close(self) -> None: ...


class Conversation:
    """Several requests, one after the other, over one stream as long as the server keeps it open. `prefix`: what comes
    before every path."""

    def __init__(
        self, open_stream: Callable[[], Stream], *, host: str = "localhost", prefix: str = "", api_key: str = ""
    ) -> None:
        self._open_stream, self._host, self._prefix = open_stream, host, prefix
        self._identity = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._stream: Stream | None = None

    def ask(self, request: Request, limits: Limits, *, last: bool = False) -> Answer:
        """Sends one request and reads the answer whole. Never raises for what the network or the server does: no answer
        is an answer, too. After the `last` one the stream is closed."""
        start = time.monotonic()
        first: float | None = None

        def since() -> float:
            return round(time.monotonic() - start, 3)

        def begun() -> None:
            nonlocal first
            first = since()
            socket.until = start + limits.total

        try:
            if self._stream is None:
                self._stream = self._open_stream()
            socket = _Socket(self._stream)
            socket.until = start + min(limits.total, limits.first if request.stream else limits.total)
            connection = _Connection(self._host, socket)
            headers = {"Connection": "close" if last else "keep-alive", "Content-Type": "application/json"}
            body = json.dumps(request.body) if request.body is not None else None
            connection.request(request.method, self._prefix + request.path, body=body, headers=headers | self._identity)
            response = connection.getresponse()
            streams = response.headers.get_content_type() == "text/event-stream"
            found = _events(response, begun) if streams else _parsed(response.read())
            if last or response.will_close:
                self.close()
            return Answer(status=response.status, body=found, seconds=since(), first=first)
        except TimeoutError:
            self.close()
            early = request.stream and first is None
            what = "no first token" if early else "not finished" if request.stream else "no answer"
            limit = min(limits.total, limits.first) if early else limits.total
            return Answer(status=0, error=f"{what} within {limit:.0f} s", seconds=since(), first=first)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(status=0, error=str(error) or type(error).__name__, cut=True, seconds=since(), first=first)

    def close(self) -> None:
        if self._stream:
            self._stream.close()
        self._stream = None


class _Connection(http.client.HTTPConnection):
    """http.client over a stream that is already connected."""

    def __init__(self, host: str, socket: _Socket) -> None:
        super().__init__(host)
        self.sock = cast("Any", socket)


class _Socket:
    """The three things that http.client wants of a socket. `until`: the moment at which reading ends in a
    TimeoutError, however fast bytes come."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.until = float("inf")

    def sendall(self, data: bytes) -> None:
        self.stream.settimeout(self.left())
        self.stream.write(data)

    def makefile(self, _mode: str) -> BinaryIO:
        # Closing a reader would close the stream below it, which the next request still needs.
        return io.BufferedReader(_Unclosed(self))

    def close(self) -> None:
        pass

    def left(self) -> float:
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


class _Unclosed(io.RawIOBase):
    """A stream that stays open when its reader is closed."""

    def __init__(self, socket: _Socket) -> None:
        self._socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int | None:
        self._socket.stream.settimeout(self._socket.left())
        return self._socket.stream.readinto(buffer)


def _events(response: http.client.HTTPResponse, begun: Callable[[], None]) -> list[Any]:
    """The values of all `data:` lines but the closing `[DONE]`; `begun` is called at the first one."""
    found: list[Any] = []
    for line in response:
        data = line.strip().removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data and data != b"[DONE]":
            if not found:
                begun()
            found.append(_parsed(data))
    return found


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
