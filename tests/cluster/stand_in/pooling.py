# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that generate nothing but give numbers: embedding models and other pooling models."""

from __future__ import annotations

import argparse
import uuid
from typing import Any

from .metrics import number_of

GENERATING = {"/v1/completions": "Completions", "/v1/chat/completions": "Chat Completions", "/invocations": ""}
POOLING = {"/v1/embeddings": "Embeddings", "/pooling": "Pooling"}
DIMENSIONS = 8


def missing(options: argparse.Namespace) -> dict[str, str]:
    """The routes that the model does not have, and what vLLM calls their APIs."""
    pools = getattr(options, "runner", None) == "pooling" or getattr(options, "task", None) in ("embed", "reward")
    if not pools:
        return POOLING
    embeds = getattr(options, "task", None) != "reward" and options.convert in (None, "auto", "embed")
    return GENERATING if embeds else GENERATING | {"/v1/embeddings": "Embeddings"}


def refusal(version: str, api: str) -> tuple[int, dict[str, Any]]:
    """What a route that the model does not have answers: before 0.12 all routes were there."""
    if number_of(version) >= (0, 12):
        return 404, {"detail": "Not Found"}
    message = f"The model does not support {api} API"
    return 400, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}


def answer(route: str, model: str, prompt_tokens: int) -> dict[str, Any]:
    """The response of an embedding or pooling request."""
    numbers = [round(1 / (place + prompt_tokens), 6) for place in range(DIMENSIONS)]
    one = {"embedding": numbers} if route == "/v1/embeddings" else {"data": [numbers]}
    return {
        "id": f"{'embd' if route == '/v1/embeddings' else 'pool'}-{uuid.uuid4().hex[:16]}",
        "object": "list",
        "model": model,
        "data": [{"index": 0, "object": "embedding" if route == "/v1/embeddings" else "pooling", **one}],
        "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens, "completion_tokens": 0},
    }
