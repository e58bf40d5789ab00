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
from collections.abc import Iterator, Sequence
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
        subprocess.Popen(
            argv,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


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


def stop(patience: float) -> None:
    """Ends all of them: SIGTERM, and SIGKILL for those that are still there after `patience` seconds."""
    for signal_number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        with contextlib.ExitStack() as stack:
            handles = {handle: None for pids in running().values() for pid in pids for handle in _handle(pid, stack)}
            for handle in handles:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal_number)
            _wait(set(handles), seconds)


def _wait(handles: set[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    while handles and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            handles.discard(handle)


def _handle(pid: int, stack: contextlib.ExitStack) -> Iterator[int]:
    """A pidfd, so that a signal cannot reach a stranger that was given the same number since."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    stack.callback(os.close, handle)
    if _component(pid) is not None:
        yield handle


def _component(pid: int) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    return next((entry[len(prefix) :].decode() for entry in environment.split(b"\0") if entry.startswith(prefix)), None)
