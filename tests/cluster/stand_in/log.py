# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines in the shape of vLLM's."""

from __future__ import annotations

import os
import sys
import time

API_SERVER = f"APIServer pid={os.getpid()}"
ENGINE_CORE = f"EngineCore pid={os.getpid() + 38}"
WORKER = f"Worker pid={os.getpid() + 50}"


def line(text: str) -> None:
    """A line without prefix, as uvicorn writes."""
    # One write: lines of several threads must not mix.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def info(process: str, place: str, text: str) -> None:
    _write(process, "INFO", place, text)


def warning(process: str, place: str, text: str) -> None:
    _write(process, "WARNING", place, text)


def error(process: str, place: str, text: str) -> None:
    _write(process, "ERROR", place, text)


def _write(process: str, level: str, place: str, text: str) -> None:
    now = time.strftime("%m-%d %H:%M:%S", time.gmtime())
    line("\n".join(f"({process}) {level} {now} [{place}] {part}" for part in text.split("\n")))
