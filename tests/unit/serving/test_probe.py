# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request over a byte stream, against a peer that says exactly what it is told to."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.address import SocketStream
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Limits, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import Conversation, Stream

HEALTH = Request(method="GET", path="/health")
COMPLETION = Request(method="POST", path="/v1/completions", body={"prompt": "Grüße", "max_tokens": 1})
STREAMED = Request(method="POST", path="/v1/completions", body={"stream": True}, stream=True)
PATIENT, SHORT = Limits(first=5, total=5), Limits(first=0.1, total=0.3)


class Peer:
    """The other end of a socket pair: reads one request, then sends `pieces` and, unless it `hangs`, closes."""

    def __init__(self, *pieces: bytes, hangs: bool = False, pause: float = 0) -> None:
        self.pieces, self.hangs, self.pause, self.heard = pieces, hangs, pause, b""
        self.ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(5)
        self._thread = threading.Thread(target=self._talk)

    def stream(self) -> Stream:
        self._thread.start()
        return SocketStream(self.ours)

    def answer(self, request: Request = HEALTH, limits: Limits = PATIENT, **more: str) -> Answer:
        try:
            return Conversation(self.stream, **more).ask(request, limits, last=True)
        finally:
            self.ours.close()
            self._thread.join()
            self.theirs.close()

    def _talk(self) -> None:
        with contextlib.suppress(OSError):  # the other side may have gone at any time
            self.heard = self._request()
            for piece in self.pieces:
                self.theirs.sendall(piece)
                time.sleep(self.pause)
            if self.hangs:
                self.theirs.recv(1)  # until it gives up
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
    answer = Peer(*pieces, hangs=True).answer(limits=SHORT)
    assert (answer.status, answer.error) == (0, "no answer within 0 s")
    assert 0.3 <= answer.seconds < 5


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def streamed(*parts: bytes) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("pieces", "values"),
    [
        pytest.param(streamed(event(1), event({"a": "Grüße"}), DONE), [1, {"a": "Grüße"}], id="values"),
        pytest.param(streamed(b": comment\n\n", event(1)[:4], event(1)[4:] + event(2) + DONE), [1, 2], id="in pieces"),
        pytest.param(streamed(event(1), b"data: {broken\n\n"), [1, "{broken"], id="no JSON"),
        pytest.param(streamed(DONE), [], id="none"),
        pytest.param(streamed(event(1), event(2))[:2], [1], id="cut short"),
    ],
)
def test_a_stream(pieces: list[bytes], values: list[Any]) -> None:
    answer = Peer(*pieces).answer(STREAMED)
    assert (answer.status, answer.body, answer.error) == (200, values, "")
    assert answer.events == values
    assert (answer.first is None) is (not values)


def test_a_stream_that_is_refused_has_a_body_of_its_own() -> None:
    answer = Peer(message("400 Bad Request", JSON)).answer(STREAMED)
    assert (answer.status, answer.body, answer.first, answer.events) == (400, VALUE, None, [])


@pytest.mark.parametrize(
    ("pieces", "first", "error"),
    [
        pytest.param([], False, "no first token within 0 s", id="silent"),
        pytest.param(streamed()[:1], False, "no first token within 0 s", id="no event"),
        pytest.param(streamed(event(1))[:-1], True, "not finished within 0 s", id="no end"),
    ],
)
def test_a_stream_that_hangs(pieces: list[bytes], first: bool, error: str) -> None:
    answer = Peer(*pieces, hangs=True).answer(STREAMED, limits=SHORT)
    assert (answer.status, answer.error, answer.first is not None) == (0, error, first)
    # The first token has a time of its own, which is over sooner.
    assert (answer.seconds < 0.3) is not first


def test_a_stream_that_never_ends_is_bounded_all_the_same() -> None:
    """Every byte comes in time, and the answer never does."""
    peer = Peer(*streamed()[:1], *[b"1\r\n:\r\n"] * 200, hangs=True, pause=0.01)
    answer = peer.answer(STREAMED, limits=Limits(first=0.2, total=0.2))
    assert (answer.status, answer.error) == (0, "no first token within 0 s")
    assert answer.seconds < 1


def test_several_requests_over_one_stream() -> None:
    opened: list[Stream] = []
    peer = Peer(message("200 OK", JSON), hangs=True)

    def stream() -> Stream:
        opened.append(peer.stream())
        return opened[-1]

    line = Conversation(stream)
    assert line.ask(HEALTH, PATIENT).status == 200
    assert b"Connection: keep-alive" in peer.heard
    assert line.ask(HEALTH, SHORT).error == "no answer within 0 s", "the peer answers but once"
    assert len(opened) == 1
    line.close()
    peer.theirs.close()


def refused() -> Stream:
    raise ConnectionRefusedError("dial tcp4 127.0.0.1:8000: connect: connection refused")


def reset() -> Stream:
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("open_stream", "error"),
    [(refused, "dial tcp4 127.0.0.1:8000: connect: connection refused"), (reset, "ConnectionResetError")],
)
def test_nobody_there(open_stream: Callable[[], Stream], error: str) -> None:
    answer = Conversation(open_stream).ask(HEALTH, PATIENT)
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


def test_the_prefix_and_the_host_of_an_address() -> None:
    peer = Peer(message("200 OK"))
    peer.answer(host="llm.example:8443", prefix="/llm")
    assert peer.heard.startswith(b"GET /llm/health HTTP/1.1\r\nHost: llm.example:8443\r\n")


def test_the_stream_is_closed_afterwards() -> None:
    peer = Peer(message("200 OK"))
    assert peer.answer().status == 200
    assert peer.ours.fileno() == -1
