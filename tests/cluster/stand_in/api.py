# SPDX-License-Identifier: GPL-3.0-or-later
"""What the endpoints answer, without HTTP: requests and responses are dictionaries."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from . import pooling
from .engine import ENGINE_DEAD, Engine, EngineDead, Request
from .metrics import number_of

Body = dict[str, Any]


class Refused(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str, kind: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


@dataclass(frozen=True)
class Completion:
    """A completion that was accepted: its tokens are still to come."""

    streaming: bool
    chat: bool
    base: Body
    usage: Body
    include_usage: bool
    tokens: Iterator[str]

    def whole(self) -> Body:
        """Waits for all tokens. Raises Refused when the engine dies."""
        try:
            words = list(self.tokens)
        except EngineDead:
            raise Refused(500, ENGINE_DEAD, "InternalServerError") from None
        text = "".join(words)
        choice = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        return {**self.base, "choices": [self._choice(choice, "length")], "usage": self._used(len(words))}

    def events(self) -> Iterator[str]:
        """The server-sent events of a stream."""
        count = 0
        if self.chat:
            yield self._event({"delta": {"role": "assistant", "content": ""}}, None)
        try:
            for word in self.tokens:
                count += 1
                yield self._event({"delta": {"content": word}} if self.chat else {"text": word}, None)
        except EngineDead:
            error = Refused(500, ENGINE_DEAD, "InternalServerError")
            yield f"data: {json.dumps(error.body)}\n\n"
        else:
            yield self._event({"delta": {"content": ""}} if self.chat else {"text": ""}, "length")
            if self.include_usage:
                yield f"data: {json.dumps({**self.base, 'choices': [], 'usage': self._used(count)})}\n\n"
        yield "data: [DONE]\n\n"

    def _event(self, content: Body, reason: str | None) -> str:
        return f"data: {json.dumps({**self.base, 'choices': [self._choice(content, reason)]})}\n\n"

    def _choice(self, content: Body, reason: str | None) -> Body:
        return {"index": 0, **content, "logprobs": None, "finish_reason": reason}

    def _used(self, count: int) -> Body:
        return {**self.usage, "completion_tokens": count, "total_tokens": self.usage["prompt_tokens"] + count}


class Api:
    """The OpenAI-compatible endpoints."""

    def __init__(self, options: argparse.Namespace, version: str, engine: Engine) -> None:
        self.version = version
        self.engine = engine
        self.root = options.model
        self.names: list[str] = served_names(options, engine.faults.served_model_name)
        self.max_model_len = max_model_len(options)
        self.fingerprint = engine.faults.fingerprint or _fingerprint(options, version)

    def models(self) -> Body:
        now = int(time.time())
        permission = {"id": f"modelperm-{uuid.uuid4().hex}", "object": "model_permission", "created": now}
        return {
            "object": "list",
            "data": [
                {
                    "id": name,
                    "object": "model",
                    "created": now,
                    "owned_by": "vllm",
                    "root": self.root,
                    "parent": None,
                    "max_model_len": self.max_model_len,
                    "permission": [permission],
                }
                for name in self.names
            ],
        }

    def tokenize(self, body: Body) -> Body:
        count = _count(body.get("prompt", ""))
        return {"count": count, "max_model_len": self.max_model_len, "tokens": list(range(1, count + 1))}

    def complete(self, body: Body, *, chat: bool, client_gone: Callable[[], bool]) -> Completion:
        """Accepts a request or raises Refused, with the status and the words of vLLM."""
        self._refuse_model(body.get("model"))
        prompt = self._prompt_tokens(body, chat)
        limit = self._limit(body, prompt)
        if self.engine.fails_now():
            raise Refused(500, "Internal server error", "InternalServerError")
        streaming = bool(body.get("stream"))
        base = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{uuid.uuid4().hex[:16]}",
            "object": _object(chat=chat, streaming=streaming),
            "created": int(time.time()),
            "model": body.get("model") or self.names[0],
            "system_fingerprint": self.fingerprint,
        }
        request = Request(prompt_tokens=prompt, max_tokens=limit, streaming=streaming, client_gone=client_gone)
        options = body.get("stream_options") or {}
        return Completion(
            streaming=streaming,
            chat=chat,
            base=base,
            usage={"prompt_tokens": prompt},
            include_usage=bool(options.get("include_usage")),
            tokens=self._accepted(self.engine.generate(request)),
        )

    def pool(self, route: str, body: Body, client_gone: Callable[[], bool]) -> Body:
        """Raises Refused, as `complete` does."""
        self._refuse_model(body.get("model"))
        if "input" not in body:
            raise Refused(
                400, "[{'type': 'missing', 'loc': ('body', 'input'), 'msg': 'Field required'}]", "Bad Request"
            )
        if self.engine.fails_now():
            raise Refused(500, "Internal server error", "InternalServerError")
        prompt = _count(body["input"])
        request = Request(prompt_tokens=prompt, max_tokens=0, streaming=False, client_gone=client_gone)
        try:
            list(self._accepted(self.engine.pool(request)))
        except EngineDead:
            raise Refused(500, ENGINE_DEAD, "InternalServerError") from None
        return pooling.answer(route, body.get("model") or self.names[0], prompt)

    def _accepted(self, tokens: Iterator[str]) -> Iterator[str]:
        if self.engine.dead:
            raise Refused(500, ENGINE_DEAD, "InternalServerError")
        if self.engine.draining:
            raise Refused(500, "cannot schedule new futures after shutdown", "InternalServerError")
        return tokens

    def _refuse_model(self, model: object) -> None:
        if model is None or model in self.names:
            return
        message = f"The model `{model}` does not exist."
        if number_of(self.version) > (0, 30, 0):
            shown = ("<path>" if name.startswith("/") else name for name in self.names)
            message += f" Valid aliases: {', '.join(shown)}."
        raise Refused(404, message, "NotFoundError", "model")

    def _prompt_tokens(self, body: Body, chat: bool) -> int:
        field = "messages" if chat else "prompt"
        if field not in body:
            text = f"[{{'type': 'missing', 'loc': ('body', '{field}'), 'msg': 'Field required'}}]"
            raise Refused(400, text, "Bad Request")
        if not chat:
            return _count(body["prompt"])
        return sum(_count(message.get("content") or "") for message in body["messages"]) + 4

    def _limit(self, body: Body, prompt: int) -> int:
        asked = body.get("max_completion_tokens", body.get("max_tokens"))
        room = self.max_model_len - prompt
        if asked is not None and not 1 <= int(asked) <= room:
            message = (
                f"'max_tokens' or 'max_completion_tokens' is too large: {asked}. This model's maximum context length "
                f"is {self.max_model_len} tokens and your request has {prompt} input tokens."
            )
            raise Refused(400, message, "BadRequestError", "max_tokens")
        return min(16, max(room, 1)) if asked is None else int(asked)


def served_names(options: argparse.Namespace, instead: str = "") -> list[str]:
    """The names that requests may use; the first is the one in metrics."""
    return [instead] if instead else options.served_model_name or [options.model]


def max_model_len(options: argparse.Namespace) -> int:
    """What was asked for; 4096 stands in for what a model's own configuration says."""
    return options.max_model_len if options.max_model_len and options.max_model_len > 0 else 4096


def _fingerprint(options: argparse.Namespace, version: str) -> str | None:
    if number_of(version) < (0, 21) or options.fingerprint_mode == "none":
        return None
    if options.fingerprint_mode == "custom":
        return str(options.fingerprint_value)
    described = f"{options.model} {max_model_len(options)} {options.tensor_parallel_size}"
    digest = hashlib.sha256(described.encode()).hexdigest()[:8]
    parallel = f"-tp{options.tensor_parallel_size}" if options.tensor_parallel_size > 1 else ""
    return f"vllm-{version}{parallel if options.fingerprint_mode == 'full' else ''}-{digest}"


def _object(*, chat: bool, streaming: bool) -> str:
    if chat:
        return "chat.completion.chunk" if streaming else "chat.completion"
    return "text_completion"


def _count(prompt: object) -> int:
    if isinstance(prompt, list):
        return max(1, len(prompt))
    return max(1, len(str(prompt).split()))
