# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts and stops the cluster's processes.

Each carries a mark in its environment, which nothing can change later and which its children inherit. So a process is
recognised whatever happened to the program that started it, and no file of pids can be stale.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .settings import LOGS

MARK = "AI_AAS_VLLM_CLUSTER"


def start(name: str, argv: Sequence[str | Path]) -> None:
    """Starts a process that outlives this one, its output in `LOGS/name.log`."""
    environment = {**os.environ, MARK: name}
    # No proxy may stand between the parts of the cluster, nor between kubelet and the registry on the loopback.
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environment.pop(variable, None)
        environment.pop(variable.lower(), None)
    with log_of(name).open("wb") as output:
        process = subprocess.Popen(
            argv,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    # For some milliseconds after exec the kernel shows no environment, and so no mark.
    while _component(process.pid) is None and process.poll() is None:
        time.sleep(0.001)


def log_of(name: str) -> Path:
    return LOGS / f"{name}.log"


def running() -> dict[str, list[int]]:
    """Pids of the cluster's processes by component; a process that has ended but was not reaped is none."""
    found: dict[str, list[int]] = {}
    for pid in [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]:
        name = _component(pid)
        if name is not None:
            found.setdefault(name, []).append(pid)
    return found


def kill() -> None:
    """Ends all of them with SIGKILL, and waits for it. Nothing they hold is needed any more."""
    while pids := [pid for found in running().values() for pid in found]:
        for pid in pids:
            _kill(pid)


def _kill(pid: int) -> None:
    # Through a pidfd, so that the signal cannot reach a stranger that was given the same number since.
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _component(pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 10)
    finally:
        os.close(handle)


def _component(pid: int) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    return next((entry[len(prefix) :].decode() for entry in environment.split(b"\0") if entry.startswith(prefix)), None)
