# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request to a server, over whatever byte stream leads to it."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Buffer, Callable
from typing import Any, BinaryIO, cast

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Request


class Conversation:
    """Several requests, one after the other, over one stream as long as the server keeps it open."""

    def __init__(self, open_stream: Callable[[], io.RawIOBase]) -> None:
        self._open_stream = open_stream
        self._stream: io.RawIOBase | None = None

    def ask(self, request: Request, api_key: str = "", *, last: bool = False) -> Answer:
        """Sends one request and reads the answer whole. Never raises for what the network or the server does: no answer
        is an answer, too. After the `last` one the stream is closed."""
        start = time.monotonic()

        def answer(status: int, body: Any = None, error: str = "") -> Answer:
            return Answer(status=status, body=body, error=error, seconds=round(time.monotonic() - start, 3))

        try:
            if self._stream is None:
                self._stream = self._open_stream()
            connection = _Connection(self._stream)
            headers = {"Connection": "close" if last else "keep-alive", "Content-Type": "application/json"}
            if api_key:
                headers["Authorization"] = f"Bearer {api_key}"
            body = json.dumps(request.body) if request.body is not None else None
            connection.request(request.method, request.path, body=body, headers=headers)
            response = connection.getresponse()
            found = answer(response.status, _parsed(response.read()))
            if last or response.will_close:
                self.close()
            return found
        except TimeoutError:
            self.close()
            return answer(0, error=f"no answer within {time.monotonic() - start:.0f} s")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return answer(0, error=str(error) or type(error).__name__)

    def close(self) -> None:
        if self._stream:
            self._stream.close()
        self._stream = None


def ask(open_stream: Callable[[], io.RawIOBase], request: Request, api_key: str = "") -> Answer:
    """One request over a stream of its own."""
    return Conversation(open_stream).ask(request, api_key, last=True)


class _Connection(http.client.HTTPConnection):
    """http.client over a stream that is already connected."""

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__("localhost")
        self.sock = cast("Any", _Socket(stream))


class _Socket:
    """The three things that http.client wants of a socket."""

    def __init__(self, stream: io.RawIOBase) -> None:
        self._stream = stream

    def sendall(self, data: bytes) -> None:
        self._stream.write(data)

    def makefile(self, _mode: str) -> BinaryIO:
        # Closing a reader would close the stream below it, which the next request still needs.
        return io.BufferedReader(_Unclosed(self._stream))

    def close(self) -> None:
        pass


class _Unclosed(io.RawIOBase):
    """A stream that stays open when its reader is closed."""

    def __init__(self, stream: io.RawIOBase) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int | None:
        return self._stream.readinto(buffer)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
