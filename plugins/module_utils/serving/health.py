# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a server serve? The questions that are put to it, and what counts as a right answer. Pure: nobody is asked here.

A ready pod proves little: /health never runs the model, and stays 200 while the engine hangs. A completion proves it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server

DEFAULT_PROMPT = "Hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`judge` returns what is wrong with a 200 answer's body, or nothing; `praise` what was right about it."""

    name: str
    request: Request
    judge: Callable[[Any], str]
    praise: Callable[[Any], str]


def questions(server: Server, prompt: str) -> tuple[Question, ...]:
    """In the order in which they are asked; the first wrong answer ends it."""
    completion = {"model": server.served_names[0], "prompt": prompt, "max_tokens": 1, "temperature": 0}
    return (
        Question(
            name="process",
            request=Request(method="GET", path="/health"),
            judge=_nothing_more,
            praise=lambda _body: "/health answers 200",
        ),
        Question(
            name="identity",
            request=Request(method="GET", path="/v1/models"),
            judge=lambda body: _missing_names(server.served_names, body),
            praise=lambda body: f"serves {', '.join(_served(body))}",
        ),
        Question(
            name="inference",
            request=Request(method="POST", path="/v1/completions", body=completion),
            judge=_no_token,
            praise=lambda body: f"generated {_tokens(body)} token",
        ),
    )


def judged(question: Question, answer: Answer) -> Check:
    """The answer to one question, as a check that passed or did not."""
    asked = f"{question.request.method} {question.request.path}"
    if answer.status == 0:
        wrong = f"{asked}: {answer.error}"
    elif answer.status != 200:
        wrong = f"{asked} answers {answer.status}{_message(answer.body)}"
    else:
        wrong = question.judge(answer.body)
    return Check(
        name=question.name, passed=not wrong, detail=wrong or question.praise(answer.body), seconds=answer.seconds
    )


def _nothing_more(_body: Any) -> str:
    return ""


def _served(body: Any) -> list[str]:
    models = body.get("data") if isinstance(body, dict) else None
    return [str(model.get("id")) for model in models or []]


def _missing_names(wanted: tuple[str, ...], body: Any) -> str:
    served = _served(body)
    missing = [name for name in wanted if name not in served]
    return f"it serves {', '.join(served) or 'no model'}, not {', '.join(missing)}" if missing else ""


def _tokens(body: Any) -> int:
    return int((body.get("usage") or {}).get("completion_tokens") or 0) if isinstance(body, dict) else 0


def _no_token(body: Any) -> str:
    return "" if _tokens(body) >= 1 else "it answered a completion with 200 but generated no token"


def _message(body: Any) -> str:
    """What vLLM says about an error: `{"error": {"message": …}}`, or `{"error": "Unauthorized"}`, or nothing."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return f": {message}" if message else ""
