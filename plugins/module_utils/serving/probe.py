# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request to a server, over whatever byte stream leads to it."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Request


def ask(open_stream: Callable[[], io.RawIOBase], request: Request, api_key: str = "") -> Answer:
    """Sends one request over a new stream and reads the answer whole. Never raises for what the network or the server
    does: no answer is an answer, too."""
    start = time.monotonic()

    def answer(status: int, body: Any = None, error: str = "") -> Answer:
        return Answer(status=status, body=body, error=error, seconds=round(time.monotonic() - start, 3))

    try:
        with open_stream() as stream:
            connection = _Connection(stream)
            headers = {"Connection": "close", "Content-Type": "application/json"}
            if api_key:
                headers["Authorization"] = f"Bearer {api_key}"
            body = json.dumps(request.body) if request.body is not None else None
            connection.request(request.method, request.path, body=body, headers=headers)
            with connection.getresponse() as response:
                return answer(response.status, _parsed(response.read()))
    except TimeoutError:
        return answer(0, error=f"no answer within {time.monotonic() - start:.0f} s")
    except (OSError, http.client.HTTPException) as error:
        return answer(0, error=str(error) or type(error).__name__)


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
        return io.BufferedReader(self._stream)

    def close(self) -> None:
        pass


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
