# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which the stand-in fails when it is told to; README.md lists them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

# More than this is not allocated to be killed for it: the memory limits of real model servers exceed a test machine.
LARGEST_OOM = 2 * 1024**3
LOGS = Path(__file__).parent / "logs"  # in the image; a checkout has them among its fixtures
FIXTURES = Path(__file__).parents[2] / "fixtures" / "vllm-logs"
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Faults:
    """The switches. A field is read from the variable STAND_IN_ and its name in capitals; times are seconds."""

    load_seconds: float = 2.0
    never_ready: bool = False
    model_must_exist: bool = False
    crash_log: str = ""
    crash_exit_code: int = -1
    crash_after_seconds: float = 0.0
    oom_after_seconds: float = -1.0
    engine_death_after_seconds: float = -1.0
    hang_after_seconds: float = -1.0
    first_token_seconds: float = 0.0
    token_seconds: float = 0.002
    served_model_name: str = ""
    fingerprint: str = ""
    error_rate: float = 0.0
    health_flap_seconds: float = 0.0

    @property
    def crashes(self) -> bool:
        return bool(self.crash_log) or self.crash_exit_code >= 0

    @property
    def exit_code(self) -> int:
        return self.crash_exit_code if self.crash_exit_code >= 0 else 1


def read(environment: Mapping[str, str]) -> Faults:
    """The switches that are set. One that does not exist is refused: it would silently test nothing."""
    values: dict[str, Any] = {}
    known = {f"STAND_IN_{field.name.upper()}": field for field in fields(Faults)}
    for name, text in environment.items():
        if not name.startswith("STAND_IN_") or name == "STAND_IN_VERSION":
            continue
        if name not in known:
            raise SystemExit(f"{name} is no switch of the stand-in. There are: {', '.join(sorted(known))}.")
        field = known[name]
        kind: Any = type(field.default)
        try:
            values[field.name] = text.lower() in ("1", "true", "yes") if kind is bool else kind(text)
        except ValueError:
            raise SystemExit(f"{name} must be a {kind.__name__}, not {text!r}.") from None
    faults = Faults(**values)
    if faults.crash_log:
        log_text(faults.crash_log)
    return faults


def triggered(name: str) -> bool:
    """Whether somebody has made the file `stand-in-NAME` in the directory for temporary files."""
    return _trigger(name).exists()


def take(name: str) -> bool:
    """As `triggered`, for what happens once: the file is gone then, also where it would outlive the container."""
    try:
        _trigger(name).unlink()
    except FileNotFoundError:
        return False
    return True


def _trigger(name: str) -> Path:
    return Path(tempfile.gettempdir(), f"stand-in-{name}")


def log_text(name: str) -> str:
    """What a real vLLM once wrote. Raises SystemExit when there is no log of that name."""
    folder = LOGS if LOGS.exists() else FIXTURES
    path = folder / f"{name.removesuffix('.log')}.log"
    if not re.fullmatch(r"[\w.-]+", name) or not path.exists():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.log")))
        raise SystemExit(f"STAND_IN_CRASH_LOG={name} is not among the logs there are: {known}.")
    return path.read_text()


def exhaust_memory() -> str:
    """Takes memory until the kernel kills this process; returns why not, when that would hurt the machine."""
    limit = _memory_limit()
    if limit is None or limit > LARGEST_OOM:
        return f"STAND_IN_OOM_AFTER_SECONDS needs a memory limit of at most {LARGEST_OOM} bytes, and it is {limit}."
    taken = []
    while True:
        taken.append(bytearray(os.urandom(4096)) * 2048)


def _memory_limit() -> int | None:
    for path in MEMORY_LIMITS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        return None if text == "max" else int(text)
    return None
