# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a server serve? The questions that are put to it, and what counts as a right answer. Pure: nobody is asked here.

A ready pod proves little: /health never runs the model, and stays 200 while the engine hangs. A completion proves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import metrics
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server

DEFAULT_PROMPT = "Hello"
# More than one token: the first comes out of the prompt, and only the next ones out of the loop that may hang.
TOKENS = 8
# What to do about a check that fails.
CURES = {
    "process": "Read the pod's log",
    "identity": "Correct the model, the names it is served under, or its context length",
    "inference": "Read the pod's log: an engine may hang behind a /health that answers",
    "fingerprint": "Find out who changes the pod or its arguments on their way",
    "progress": "Read the pod's log: the engine has stopped behind a server that answers",
    "soak": "Read the pod's log, or change the bounds (p95_seconds, error_ratio)",
}
VERSION = Request(method="GET", path="/version")
METRICS = Request(method="GET", path="/metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`judge` returns what is wrong with a 200 answer, or nothing; `praise` what was right about it."""

    name: str
    request: Request
    judge: Callable[[Answer], str]
    praise: Callable[[Answer], str]


PROCESS = Question(
    name="process",
    request=Request(method="GET", path="/health"),
    judge=lambda _answer: "",
    praise=lambda _answer: "/health answers 200",
)


def identity(server: Server) -> Question:
    return Question(
        name="identity",
        request=Request(method="GET", path="/v1/models"),
        judge=lambda answer: _misfit(server, _models(answer.body)),
        praise=lambda answer: _described(server, _models(answer.body)),
    )


def inferences(server: Server, prompt: str) -> tuple[Question, ...]:
    """The ways to run the model, of which a server has at least one; the first that it has is taken.

    Which one follows from the model, not from the flags. /v1/completions is there for every model that generates, also
    without a chat template; /v1/embeddings and /pooling are there for the others."""
    model = {"model": server.served_names[0]} if server.served_names else {}
    generating = {"prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True, "stream": True}
    generating["stream_options"] = {"include_usage": True}
    return (
        Question(
            name="inference",
            request=Request(method="POST", path="/v1/completions", body=model | generating, stream=True),
            judge=_ungenerated,
            praise=lambda answer: (
                f"generated {_many(used(answer)[1], 'token')}, the first after {answer.first or 0:.2f} s"
            ),
        ),
        _pooling("/v1/embeddings", model, prompt),
        _pooling("/pooling", model, prompt),
    )


def judged(question: Question, answer: Answer) -> Check:
    """The answer to one question, as a check that passed or did not."""
    wrong = problem(question, answer)
    return Check(name=question.name, passed=not wrong, detail=wrong or question.praise(answer), seconds=answer.seconds)


def problem(question: Question, answer: Answer) -> str:
    """What is wrong with an answer, as a clause; empty if nothing is."""
    if answer.status == 0:
        return f"{question.request}: {answer.error}"
    if answer.status != 200:
        return f"{question.request} answers {answer.status}{_message(answer.body)}"
    return question.judge(answer)


def lacks_route(answer: Answer) -> bool:
    """Whether the server has no such endpoint, because its model is of another sort. vLLM registers only what the model
    can do and answers 404 without an error; before 0.12 it had all of them, and said that the model does not support
    the API (400, later 501)."""
    if answer.status == 404:
        return _message(answer.body) in ("", ": Not Found")
    return answer.status in (400, 501) and "does not support" in _message(answer.body)


def fingerprint(server: Server, answer: Answer) -> Check | None:
    """Whether the right revision has answered, by its system_fingerprint; None where the flags give it none, and where
    the answer is no completion."""
    if not server.fingerprint or not answer.events:
        return None
    said = next((event["system_fingerprint"] for event in _dicts(answer) if event.get("system_fingerprint")), "")
    if not said:
        return Check(name="fingerprint", passed=None, detail="its answer names no system_fingerprint")
    right = said == server.fingerprint
    detail = f"answers as pod template {said}"
    return Check(
        name="fingerprint",
        passed=right,
        detail=detail if right else f"it {detail}, not {server.fingerprint}",
    )


def version(answer: Answer) -> str:
    found = answer.body.get("version") if isinstance(answer.body, dict) else None
    return str(found or "")


def used(answer: Answer) -> tuple[int, int]:
    """The tokens that vLLM says it has read and generated."""
    bodies = [answer.body] if isinstance(answer.body, dict) else list(_dicts(answer))
    usage: dict[str, Any] = next((body["usage"] for body in bodies if body.get("usage")), {})
    return int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)


def progress(before: Answer, after: Answer, inference: Answer) -> Check:
    """Whether the counters of /metrics went on by what was answered between two looks at them."""
    first, second = (metrics.counters(str(each.body)) if each.status == 200 else None for each in (before, after))
    seconds = after.seconds
    if after.status != 200:
        told = after.error or f"answers {after.status}"
        return Check(name="progress", passed=None, detail=f"not looked at: {METRICS} {told}", seconds=seconds)
    if first is None or second is None:
        detail = "not looked at: it counts nothing (--disable-log-stats)"
        return Check(name="progress", passed=None, detail=detail, seconds=seconds)
    prompt, generated = used(inference)
    wrong = metrics.stalled(first, second, prompt=prompt, generated=generated)
    right = f"counted {_many(generated or prompt, 'token')}, {_many(int(second.waiting), 'request')} in the queue"
    return Check(name="progress", passed=not wrong, detail=wrong or right, seconds=seconds)


def _pooling(path: str, model: dict[str, str], prompt: str) -> Question:
    return Question(
        name="inference",
        request=Request(method="POST", path=path, body=model | {"input": prompt, "encoding_format": "float"}),
        judge=_unpooled,
        praise=lambda answer: f"{path} answers with {_many(len(_numbers(answer.body)), 'number')}",
    )


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _models(body: Any) -> dict[str, Any]:
    """Served names, and what is told about each."""
    models = body.get("data") if isinstance(body, dict) else None
    return {str(model.get("id")): model for model in models or [] if isinstance(model, dict)}


def _misfit(server: Server, models: dict[str, Any]) -> str:
    missing = [name for name in server.served_names if name not in models]
    if missing or not models:
        wanted = f", not {', '.join(missing)}" if missing else ""
        return f"it serves {', '.join(models) or 'no model'}{wanted}"
    for name in server.served_names:
        length = models[name].get("max_model_len")
        if server.max_model_len and length and length != server.max_model_len:
            return f"it serves {name} with a context of {length} tokens, not {server.max_model_len}"
    return ""


def _described(server: Server, models: dict[str, Any]) -> str:
    names = server.served_names or tuple(models)
    length = models[names[0]].get("max_model_len")
    return f"serves {', '.join(models)}{f', {length} tokens' if length else ''}"


def _dicts(answer: Answer) -> Iterator[dict[str, Any]]:
    """The events of a stream, last one first: usage and fingerprint come with the end."""
    return (event for event in reversed(answer.events) if isinstance(event, dict))


def _ungenerated(answer: Answer) -> str:
    broken = next((_message(event) for event in _dicts(answer) if event.get("error")), None)
    if broken is not None:
        return f"its completion broke off{broken}"
    if not any(event.get("usage") for event in _dicts(answer)):
        return "its completion ended before it was complete"
    return "" if used(answer)[1] >= 1 else "it answered a completion with 200 but generated no token"


def _numbers(value: Any) -> list[Any]:
    """The numbers of an embedding or of pooled data, however deep they lie."""
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    if isinstance(value, dict):
        return [number for key in ("data", "embedding") for number in _numbers(value.get(key, []))]
    return [value]


def _unpooled(answer: Answer) -> str:
    numbers = _numbers(answer.body) if isinstance(answer.body, dict) else []
    if not numbers:
        return "it answered with 200 but without a number"
    sound = all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers)
    return "" if sound else "it answered with numbers that are none (NaN)"


def _message(body: Any) -> str:
    """What vLLM says about an error: `{"error": {"message": …}}`, or `{"error": "Unauthorized"}`, or nothing."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return f": {message}" if message else ""
