# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request over a byte stream, against a peer that says exactly what it is told to."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import ask

HEALTH = Request(method="GET", path="/health")
COMPLETION = Request(method="POST", path="/v1/completions", body={"prompt": "Grüße", "max_tokens": 1})


class Peer:
    """The other end of a socket pair: reads one request, then sends `pieces` and, unless it `hangs`, closes."""

    def __init__(self, *pieces: bytes, hangs: bool = False) -> None:
        self.pieces, self.hangs, self.heard = pieces, hangs, b""
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(0.2)
        self.theirs.settimeout(5)
        self._thread = threading.Thread(target=self._talk)

    def stream(self) -> io.RawIOBase:
        self._thread.start()
        return socket.SocketIO(self.ours, "rwb")

    def answer(self, request: Request = HEALTH, api_key: str = "") -> Answer:
        try:
            return ask(self.stream, request, api_key)
        finally:
            self.ours.close()
            self._thread.join()
            self.theirs.close()

    def _talk(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.heard = self._request()
            for piece in self.pieces:
                self.theirs.sendall(piece)
        if self.hangs:
            self.theirs.recv(1)  # until the other side gives up
        else:
            self.theirs.shutdown(socket.SHUT_RDWR)

    def _request(self) -> bytes:
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += self.theirs.recv(65536)
        head, _blank, body = heard.partition(b"\r\n\r\n")
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        missing = sum(int(line.split(b":")[1]) for line in lengths) - len(body)
        return heard + (self.theirs.recv(missing, socket.MSG_WAITALL) if missing > 0 else b"")


def message(status: str, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status.encode(), *headers, b"content-length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n"]


VALUE = {"data": [{"id": "Grüße"}]}
JSON = json.dumps(VALUE).encode()


@pytest.mark.parametrize(
    ("pieces", "status", "body"),
    [
        pytest.param([message("200 OK")], 200, "", id="no body"),
        pytest.param([message("200 OK", JSON)], 200, VALUE, id="JSON"),
        pytest.param([message("200 OK", JSON)[:30], message("200 OK", JSON)[30:]], 200, VALUE, id="in two pieces"),
        pytest.param([bytes([byte]) for byte in message("200 OK", JSON)], 200, VALUE, id="byte by byte"),
        pytest.param(chunked(JSON[:7], JSON[7:]), 200, VALUE, id="in chunks"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\n", JSON], 200, VALUE, id="until the end of the stream"),
        pytest.param([message("500 Oops", b"Internal Server Error")], 500, "Internal Server Error", id="a text"),
        pytest.param([message("200 OK", b"\xff\xfe")], 200, "��", id="no text either"),
        pytest.param([message("200 OK", b'{"a": ')], 200, '{"a": ', id="broken JSON"),
        pytest.param([message("301 Moved", b"", b"location: /other")], 301, "", id="a redirect is not followed"),
        pytest.param([message("200 OK", b"x" * 1_000_000)], 200, "x" * 1_000_000, id="a megabyte"),
    ],
)
def test_an_answer(pieces: list[bytes], status: int, body: Any) -> None:
    answer = Peer(*pieces).answer()
    assert (answer.status, answer.body, answer.error) == (status, body, "")
    assert 0 <= answer.seconds < 5


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        pytest.param([], "Remote end closed connection without response", id="closed at once"),
        pytest.param([b"SSH-2.0-OpenSSH\r\n"], "SSH-2.0-OpenSSH\r\n", id="another protocol"),
        pytest.param([b"\x00\x01\x02"], "\x00\x01\x02", id="garbage"),
        pytest.param([message("200 OK", JSON)[:-3]], "IncompleteRead(34 bytes read, 3 more expected)", id="cut short"),
        pytest.param(chunked(JSON)[:2], "IncompleteRead(37 bytes read)", id="chunks cut short"),
    ],
)
def test_no_answer(pieces: list[bytes], error: str) -> None:
    answer = Peer(*pieces).answer()
    assert (answer.status, answer.body, answer.error) == (0, None, error)


@pytest.mark.parametrize(
    "pieces", [[], [b"HTTP/1.1 200"], [message("200 OK", JSON)[:-3]]], ids=["silent", "in the head", "in the body"]
)
def test_a_server_that_hangs(pieces: list[bytes]) -> None:
    answer = Peer(*pieces, hangs=True).answer()
    assert (answer.status, answer.error) == (0, "no answer within 0 s")
    assert 0.2 <= answer.seconds < 5


def refused() -> io.RawIOBase:
    raise ConnectionRefusedError("dial tcp4 127.0.0.1:8000: connect: connection refused")


def reset() -> io.RawIOBase:
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("open_stream", "error"),
    [(refused, "dial tcp4 127.0.0.1:8000: connect: connection refused"), (reset, "ConnectionResetError")],
)
def test_nobody_there(open_stream: Callable[[], io.RawIOBase], error: str) -> None:
    answer = ask(open_stream, HEALTH)
    assert (answer.status, answer.error) == (0, error)


def test_what_is_sent() -> None:
    peer = Peer(message("200 OK"))
    peer.answer(COMPLETION)
    head, _blank, body = peer.heard.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/completions HTTP/1.1"
    assert {"Connection: close", "Content-Type: application/json", "Host: localhost"} <= set(lines)
    assert json.loads(body) == COMPLETION.body


@pytest.mark.parametrize(("api_key", "header"), [("", []), ("sk-1", ["Authorization: Bearer sk-1"])])
def test_the_key_is_sent_where_there_is_one(api_key: str, header: list[str]) -> None:
    peer = Peer(message("200 OK"))
    peer.answer(api_key=api_key)
    assert [line for line in peer.heard.decode().split("\r\n") if line.startswith("Authorization")] == header


def test_the_stream_is_closed_afterwards() -> None:
    peer = Peer(message("200 OK"))
    streams = []

    def opened() -> io.RawIOBase:
        streams.append(peer.stream())
        return streams[0]

    assert ask(opened, HEALTH).status == 200
    assert streams[0].closed
    peer.ours.close()
    peer.theirs.close()
