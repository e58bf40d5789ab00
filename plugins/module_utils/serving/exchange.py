# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP question and its answer, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`stream`: the answer comes as server-sent events."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    stream: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds that an answer may take: until the first event of a stream, and in all."""

    first: float = 30
    total: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` 0 means that there was none; `error` says why, and `cut` that the connection ended early. `body` is the
    JSON value, or the text where it is none; of a stream, the list of its events' values. `first`: seconds until the
    first of them."""

    status: int
    body: Any = None
    error: str = ""
    cut: bool = False
    seconds: float
    first: float | None = None

    @property
    def events(self) -> list[Any]:
        return self.body if isinstance(self.body, list) else []
