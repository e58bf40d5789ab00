# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands: how long they take, what processor time they and all their children use, what they ask of the API
server."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration import scratch

Command = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """`wall` and `cpu` in seconds; `started` and `ended` of the monotonic clock."""

    started: float
    ended: float
    cpu: float
    succeeded: bool
    output: str

    @property
    def wall(self) -> float:
        return self.ended - self.started


@dataclass(slots=True)
class Process:
    """A command that runs, in a process group of its own."""

    popen: subprocess.Popen[bytes]
    output: Path
    started: float

    def kill(self) -> None:
        """As AWX and a lost terminal do it: without a warning."""
        os.killpg(self.popen.pid, signal.SIGKILL)

    def finish(self) -> Ran:
        # Children count as far as their parents wait for them, as Ansible does for its workers and they for modules.
        _pid, status, usage = os.wait4(self.popen.pid, 0)
        ended = time.monotonic()
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        text = self.output.read_text(errors="replace")
        self.output.unlink()
        return Ran(
            started=self.started,
            ended=ended,
            cpu=usage.ru_utime + usage.ru_stime,
            succeeded=self.popen.returncode == 0,
            output=text,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs commands against the cluster of a kubeconfig."""

    kubeconfig: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, command: Command) -> Process:
        output = scratch.file("output")
        places = {"KUBECONFIG": str(self.kubeconfig), "K8S_AUTH_KUBECONFIG": str(self.kubeconfig)}
        with output.open("wb") as stream:
            started = time.monotonic()
            popen = subprocess.Popen(
                command,
                env=os.environ | dict(self.environment) | places,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        return Process(popen=popen, output=output, started=started)

    def run(self, commands: Sequence[Command], *, at_once: int = 1) -> Ran:
        """All of them, one after the other or some side by side, as one."""
        with ThreadPoolExecutor(at_once) as pool:
            ran = list(pool.map(lambda command: self.start(command).finish(), commands))
        return Ran(
            started=min(each.started for each in ran),
            ended=max(each.ended for each in ran),
            cpu=sum(each.cpu for each in ran),
            succeeded=all(each.succeeded for each in ran),
            output="\n".join(each.output for each in ran),
        )

    def done(self, commands: Sequence[Command], *, at_once: int = 1) -> Ran:
        """The same, where a failure makes the benchmark meaningless."""
        ran = self.run(commands, at_once=at_once)
        if not ran.succeeded:
            raise RuntimeError(f"{' '.join(commands[0])} failed, which was not expected:\n{ran.output}")
        return ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Counts what commands ask of the API server. They run through a proxy for that, and are not timed there."""

    proxy: Proxy
    runner: Runner

    def count(self, commands: Sequence[Command], *, at_once: int = 1) -> dict[str, float]:
        before = len(self.proxy.requests)
        self.runner.done(commands, at_once=at_once)
        sent = self.proxy.requests[before:]
        return {"requests": len(sent), "writes": len([request for request in sent if request.is_write])}


class Watch[T]:
    """Calls `look` again and again, from `with` to its end, beside all else: `looks` are (moment, what it was)."""

    def __init__(self, look: Callable[[], T], *, interval: float = 0.1) -> None:
        self.looks: list[tuple[float, T]] = []
        self._look, self._interval = look, interval
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._watching = self._pool.submit(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._pool.shutdown()
        self._watching.result()

    def wait_for(self, condition: Callable[[T], bool], *, seconds: float) -> bool:
        """Whether it came to pass in this time."""
        until = time.monotonic() + seconds
        while not (self.looks and condition(self.looks[-1][1])):
            if self._watching.done() or time.monotonic() > until:
                return False
            time.sleep(self._interval)
        return True

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            self.looks.append((time.monotonic(), self._look()))
