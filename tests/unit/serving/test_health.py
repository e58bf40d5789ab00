# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a server, and what counts as a right answer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.health import judged, questions
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server

SERVER = Server(
    image="v:1", model="/m", model_revision="", served_names=("llama", "alias"), port=8000, api_key_secret=None
)
PROCESS, IDENTITY, INFERENCE = questions(SERVER, "Hello")


def test_the_questions_in_their_order() -> None:
    completion = {"model": "llama", "prompt": "Hello", "max_tokens": 1, "temperature": 0}
    assert [(question.name, question.request) for question in questions(SERVER, "Hello")] == [
        ("process", Request(method="GET", path="/health")),
        ("identity", Request(method="GET", path="/v1/models")),
        ("inference", Request(method="POST", path="/v1/completions", body=completion)),
    ]


def models(*names: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name} for name in names]}


def usage(tokens: Any) -> dict[str, Any]:
    return {"choices": [{"text": " word"}], "usage": {"completion_tokens": tokens}}


NOTHING_GENERATED = "it answered a completion with 200 but generated no token"
UNAUTHORIZED = {"error": "Unauthorized"}
NOT_FOUND = {"error": {"message": "The model `llama` does not exist.", "code": 404}}


@pytest.mark.parametrize(
    ("question", "status", "body", "passed", "detail"),
    [
        (PROCESS, 200, "", True, "/health answers 200"),
        (PROCESS, 200, {"anything": 1}, True, "/health answers 200"),
        (PROCESS, 503, "", False, "GET /health answers 503"),
        (IDENTITY, 200, models("llama", "alias"), True, "serves llama, alias"),
        (IDENTITY, 200, models("other", "alias", "llama"), True, "serves other, alias, llama"),
        (IDENTITY, 200, models("llama"), False, "it serves llama, not alias"),
        (IDENTITY, 200, models("other", "one"), False, "it serves other, one, not llama, alias"),
        (IDENTITY, 200, models(), False, "it serves no model, not llama, alias"),
        (IDENTITY, 200, {}, False, "it serves no model, not llama, alias"),
        (IDENTITY, 200, "<html>", False, "it serves no model, not llama, alias"),
        (IDENTITY, 200, [], False, "it serves no model, not llama, alias"),
        (IDENTITY, 401, UNAUTHORIZED, False, "GET /v1/models answers 401: Unauthorized"),
        (INFERENCE, 200, usage(1), True, "generated 1 token"),
        (INFERENCE, 200, usage(0), False, NOTHING_GENERATED),
        (INFERENCE, 200, usage(None), False, NOTHING_GENERATED),
        (INFERENCE, 200, {"usage": None}, False, NOTHING_GENERATED),
        (INFERENCE, 200, {}, False, NOTHING_GENERATED),
        (INFERENCE, 200, "", False, NOTHING_GENERATED),
        (INFERENCE, 404, NOT_FOUND, False, "POST /v1/completions answers 404: The model `llama` does not exist."),
        (INFERENCE, 500, "Internal Server Error", False, "POST /v1/completions answers 500"),
        (INFERENCE, 301, None, False, "POST /v1/completions answers 301"),
        (INFERENCE, 400, {"error": {"code": 400}}, False, "POST /v1/completions answers 400"),
        (INFERENCE, 400, {"error": None}, False, "POST /v1/completions answers 400"),
    ],
)
def test_judged(question: Any, status: int, body: Any, passed: bool, detail: str) -> None:
    check = judged(question, Answer(status=status, body=body, seconds=0.1))
    assert check == Check(name=question.name, passed=passed, detail=detail, seconds=0.1)


@pytest.mark.parametrize("question", [PROCESS, IDENTITY, INFERENCE])
def test_no_answer_is_a_wrong_answer(question: Any) -> None:
    check = judged(question, Answer(status=0, error="no answer within 60 s", seconds=60.0))
    asked = f"{question.request.method} {question.request.path}"
    assert check == Check(name=question.name, passed=False, detail=f"{asked}: no answer within 60 s", seconds=60.0)
