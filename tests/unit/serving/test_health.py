# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a server, and what counts as a right answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import health
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.health import PROCESS, inferences, judged
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server

SERVER = Server(
    image="v:1", model="/m", model_revision="", served_names=("llama", "alias"), port=8000, api_key_secret=None
)
SHORT = replace(SERVER, served_names=("llama",), max_model_len=512)
NAMELESS = replace(SERVER, served_names=())
COMPLETION, EMBEDDING, POOLING = inferences(SERVER, "Hello")


def test_a_completion_is_streamed_and_long_enough_to_need_more_than_the_prompt() -> None:
    assert COMPLETION.request == Request(
        method="POST",
        path="/v1/completions",
        stream=True,
        body={
            "model": "llama",
            "prompt": "Hello",
            "max_tokens": 8,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    )


@pytest.mark.parametrize(("question", "path"), [(EMBEDDING, "/v1/embeddings"), (POOLING, "/pooling")])
def test_what_a_model_is_asked_that_generates_nothing(question: Any, path: str) -> None:
    body = {"model": "llama", "input": "Hello", "encoding_format": "float"}
    assert question.request == Request(method="POST", path=path, body=body)


def test_without_a_name_the_server_takes_the_one_it_has() -> None:
    assert all("model" not in (question.request.body or {}) for question in inferences(NAMELESS, "Hello"))


def answer(body: Any, status: int = 200, first: float | None = None) -> Answer:
    return Answer(status=status, body=body, seconds=0.1, first=first)


def models(*names: str, length: int | None = 4096) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "max_model_len": length} for name in names]}


IDENTITY, IDENTITY_SHORT, IDENTITY_OPEN = (health.identity(server) for server in (SERVER, SHORT, NAMELESS))
UNAUTHORIZED = {"error": "Unauthorized"}


@pytest.mark.parametrize(
    ("question", "status", "body", "passed", "detail"),
    [
        (PROCESS, 200, "", True, "/health answers 200"),
        (PROCESS, 200, {"anything": 1}, True, "/health answers 200"),
        (PROCESS, 503, "", False, "GET /health answers 503"),
        (IDENTITY, 200, models("llama", "alias"), True, "serves llama, alias, 4096 tokens"),
        (IDENTITY, 200, models("other", "alias", "llama"), True, "serves other, alias, llama, 4096 tokens"),
        (IDENTITY, 200, models("llama", "alias", length=None), True, "serves llama, alias"),
        (IDENTITY, 200, models("llama"), False, "it serves llama, not alias"),
        (IDENTITY, 200, models("other", "one"), False, "it serves other, one, not llama, alias"),
        (IDENTITY, 200, models(), False, "it serves no model, not llama, alias"),
        (IDENTITY, 200, {}, False, "it serves no model, not llama, alias"),
        (IDENTITY, 200, "<html>", False, "it serves no model, not llama, alias"),
        (IDENTITY, 200, [], False, "it serves no model, not llama, alias"),
        (IDENTITY, 401, UNAUTHORIZED, False, "GET /v1/models answers 401: Unauthorized"),
        (IDENTITY_SHORT, 200, models("llama", length=512), True, "serves llama, 512 tokens"),
        (IDENTITY_SHORT, 200, models("llama", length=None), True, "serves llama"),
        (IDENTITY_SHORT, 200, models("llama"), False, "it serves llama with a context of 4096 tokens, not 512"),
        (IDENTITY_OPEN, 200, models("any", "other"), True, "serves any, other, 4096 tokens"),
        (IDENTITY_OPEN, 200, models(), False, "it serves no model"),
    ],
)
def test_process_and_identity(question: Any, status: int, body: Any, passed: bool, detail: str) -> None:
    check = judged(question, answer(body, status))
    assert check == Check(name=question.name, passed=passed, detail=detail, seconds=0.1)


def text(word: str) -> dict[str, Any]:
    return {"choices": [{"text": word}]}


def end(tokens: Any = 8, **more: Any) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": tokens}} | more


NOTHING_GENERATED = "it answered a completion with 200 but generated no token"
CUT = "its completion ended before it was complete"
NOT_FOUND = {"error": {"message": "The model `llama` does not exist.", "code": 404}}
DEAD = {"error": {"message": "EngineCore encountered an issue.", "code": 500}}


@pytest.mark.parametrize(
    ("status", "body", "passed", "detail"),
    [
        (200, [text("A"), text(" b"), end()], True, "generated 8 tokens, the first after 0.04 s"),
        (200, [text(""), end(1)], True, "generated 1 token, the first after 0.04 s"),
        (200, [text("A"), end(0)], False, NOTHING_GENERATED),
        (200, [text("A"), end(None)], False, NOTHING_GENERATED),
        (200, [text("A"), text(" b")], False, CUT),
        (200, [], False, CUT),
        (200, ["{broken"], False, CUT),
        (200, "", False, CUT),
        (200, {}, False, CUT),
        (200, [text("A"), DEAD], False, "its completion broke off: EngineCore encountered an issue."),
        (200, [{"error": {"code": 500}}], False, "its completion broke off"),
        (404, NOT_FOUND, False, "POST /v1/completions answers 404: The model `llama` does not exist."),
        (500, "Internal Server Error", False, "POST /v1/completions answers 500"),
        (301, None, False, "POST /v1/completions answers 301"),
        (400, {"error": {"code": 400}}, False, "POST /v1/completions answers 400"),
        (400, {"error": None}, False, "POST /v1/completions answers 400"),
    ],
)
def test_a_completion(status: int, body: Any, passed: bool, detail: str) -> None:
    check = judged(COMPLETION, answer(body, status, first=0.04))
    assert check == Check(name="inference", passed=passed, detail=detail, seconds=0.1)


def data(*values: Any, key: str = "embedding") -> dict[str, Any]:
    return {"data": [{"index": place, key: value} for place, value in enumerate(values)], "usage": {"prompt_tokens": 2}}


NO_NUMBER, NAN = "it answered with 200 but without a number", "it answered with numbers that are none (NaN)"


@pytest.mark.parametrize(
    ("question", "body", "passed", "detail"),
    [
        (EMBEDDING, data([0.1, -2, 3e-5]), True, "/v1/embeddings answers with 3 numbers"),
        (POOLING, data([[0.1, 0.2], [0.3, 0.4]], key="data"), True, "/pooling answers with 4 numbers"),
        (POOLING, data([0.7], key="data"), True, "/pooling answers with 1 number"),
        (EMBEDDING, data([]), False, NO_NUMBER),
        (EMBEDDING, data(), False, NO_NUMBER),
        (EMBEDDING, {}, False, NO_NUMBER),
        (EMBEDDING, "", False, NO_NUMBER),
        (EMBEDDING, data([0.1, float("nan")]), False, NAN),
        (EMBEDDING, data([0.1, None]), False, NAN),
    ],
)
def test_numbers(question: Any, body: Any, passed: bool, detail: str) -> None:
    assert judged(question, answer(body)) == Check(name="inference", passed=passed, detail=detail, seconds=0.1)


@pytest.mark.parametrize("question", [PROCESS, IDENTITY, COMPLETION, EMBEDDING])
def test_no_answer_is_a_wrong_answer(question: Any) -> None:
    check = judged(question, Answer(status=0, error="no answer within 60 s", seconds=60.0))
    detail = f"{question.request.method} {question.request.path}: no answer within 60 s"
    assert check == Check(name=question.name, passed=False, detail=detail, seconds=60.0)


def refusal(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


@pytest.mark.parametrize(
    ("status", "body", "lacks"),
    [
        (404, {"detail": "Not Found"}, True),
        (404, "404 page not found", True),
        (404, refusal("Not Found"), True),
        (404, NOT_FOUND, False),
        (400, refusal("The model does not support Completions API"), True),
        (501, refusal("The model does not support Completions API"), True),
        (400, refusal("'max_tokens' is too large"), False),
        (500, refusal("The model does not support Completions API"), False),
        (401, UNAUTHORIZED, False),
        (200, {}, False),
        (0, None, False),
    ],
)
def test_a_route_that_is_not_there(status: int, body: Any, lacks: bool) -> None:
    assert health.lacks_route(answer(body, status)) is lacks


SAID = "answers as pod template 3f2a"


@pytest.mark.parametrize(
    ("wanted", "body", "expected"),
    [
        ("", [text("A"), end(system_fingerprint="3f2a")], None),
        ("3f2a", data([0.1]), None),
        ("3f2a", [text("A"), end(system_fingerprint="3f2a")], (True, SAID)),
        ("3f2a", [text("A") | {"system_fingerprint": "3f2a"}, end()], (True, SAID)),
        ("77b1", [text("A"), end(system_fingerprint="3f2a")], (False, f"it {SAID}, not 77b1")),
        ("3f2a", [text("A"), end(system_fingerprint=None)], (None, "its answer names no system_fingerprint")),
    ],
)
def test_the_fingerprint(wanted: str, body: Any, expected: tuple[bool | None, str] | None) -> None:
    check = health.fingerprint(replace(SERVER, fingerprint=wanted), answer(body))
    assert (check and (check.name, check.passed, check.detail)) == (expected and ("fingerprint", *expected))


@pytest.mark.parametrize(
    ("body", "version"), [({"version": "0.33.0"}, "0.33.0"), ({}, ""), ("", ""), ({"version": None}, ""), ([], "")]
)
def test_the_version(body: Any, version: str) -> None:
    assert health.version(answer(body)) == version


def counted(prompt: int, generated: int, waiting: int = 0, running: int = 0) -> Answer:
    lines = {
        "prompt_tokens_total": prompt,
        "generation_tokens_total": generated,
        "num_requests_waiting": waiting,
        "num_requests_running": running,
    }
    return answer("".join(f'vllm:{name}{{engine="0"}} {value}\n' for name, value in lines.items()))


SILENT = answer('http_requests_total{handler="/health"} 1.0\n')
GENERATED, EMBEDDED = answer([text("A"), end()]), answer(data([0.1]))


@pytest.mark.parametrize(
    ("before", "after", "inference", "passed", "detail"),
    [
        (counted(0, 0), counted(2, 8), GENERATED, True, "counted 8 tokens, 0 requests in the queue"),
        (counted(5, 5), counted(9, 20, 3, 1), GENERATED, True, "counted 8 tokens, 3 requests in the queue"),
        (counted(0, 0), counted(2, 0), EMBEDDED, True, "counted 2 tokens, 0 requests in the queue"),
        (counted(0, 0), counted(0, 0), EMBEDDED, False, "its count of tokens read rose by 0, not 2"),
        (counted(0, 0), counted(2, 1), GENERATED, False, "its count of tokens generated rose by 1, not 8"),
        (SILENT, SILENT, GENERATED, None, "not looked at: it counts nothing (--disable-log-stats)"),
        (answer("", 404), answer("", 404), GENERATED, None, "not looked at: GET /metrics answers 404"),
        (
            counted(0, 0),
            Answer(status=0, error="no answer within 60 s", seconds=0.1),
            GENERATED,
            None,
            "not looked at: GET /metrics no answer within 60 s",
        ),
    ],
)
def test_progress(before: Answer, after: Answer, inference: Answer, passed: bool | None, detail: str) -> None:
    check = health.progress(before, after, inference)
    assert check == Check(name="progress", passed=passed, detail=detail, seconds=0.1)
