# SPDX-License-Identifier: GPL-3.0-or-later
"""One line per step with its seconds, and the one way a step fails."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


class StepError(Exception):
    """A step that cannot go on: what failed, why, what to do, and where more is written."""

    def __init__(self, what: str, why: str, todo: str, log: Path | None = None) -> None:
        self.log = log
        super().__init__(f"{what}: {why.strip()} {todo}" + (f" The log is {log}." if log else ""))


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Prints `name ... seconds` around the block; the name is there before a long step begins."""
    print(f"  {name:<62}", end="", flush=True)
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - begun:6.1f} s", flush=True)


def run(
    argv: Sequence[str | Path], *, log: Path, todo: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> None:
    """Runs a command with its output in `log`; a failure is a StepError with the last line written."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        try:
            code = subprocess.call(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        except FileNotFoundError:
            raise StepError(f"{argv[0]} is missing", "it is not on PATH.", todo) from None
    if code:
        raise StepError(f"{Path(argv[0]).name} {argv[1]} failed", f"{last_line(log)}.", todo, log)


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip().rstrip(".")[:300] for line in reversed(lines) if line.strip()), "it wrote nothing")


def wait_for[T](probe: Callable[[], T | None], *, seconds: float, failure: Callable[[], StepError]) -> T:
    """Calls `probe` until it returns something; after `seconds` raises what `failure` makes."""
    deadline = time.monotonic() + seconds
    while (found := probe()) is None:
        if time.monotonic() > deadline:
            raise failure()
        time.sleep(0.05)
    return found
