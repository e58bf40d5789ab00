# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP question and its answer, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` 0 means that there was none; `error` says why. `body` is the JSON value, or the text where it is
    none."""

    status: int
    body: Any = None
    error: str = ""
    seconds: float
