# SPDX-License-Identifier: GPL-3.0-or-later
"""The moments of an operation at which a run may end, with names that stay the same from run to run.

A write is named by its phase, its verb and its object: "commit: PUT head", "apply: PATCH deployments/small". The phase
is read from the head, whose writes divide an operation."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Drop, Request

HEAD = re.compile(r"vllm-release-[^./]+$")
RECORD = re.compile(r"vllm-release-[^./]+\.v(\d+)$")
PHASES = {"apply": "announce", "failed": "evidence", "tidy": "commit", None: "done"}
FOLLOWING = {"announce": "apply", "evidence": "settle", "commit": "tidy", "done": "after"}
# What happens in one run and not in the next: a heartbeat, and a DELETE that a controller was faster than.
HEARTBEAT, AGAIN = "heartbeat", "again"
CONFLICT = 409
PATIENCE = 60

Side = Literal["before", "after", "reads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Before a write is passed on; after the server has answered it and before the client sees that; or at the first
    read behind all of `writes`."""

    side: Side
    writes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.side} {self.writes[-1] if self.writes else 'from the start'}"


class Story:
    """Gives the writes of one run their names."""

    def __init__(self) -> None:
        self._phase, self._kind = "plan", ""
        self._count: Counter[str] = Counter()

    def name(self, request: Request) -> str:
        obj = request.path.partition("/namespaces/")[2].partition("/")[2]
        body = json.loads(request.body) if request.body else {}
        if request.method == "POST":
            obj += f"/{body['metadata']['name']}"
        phase = self._phase
        if obj.startswith("configmaps/") and HEAD.search(obj):
            obj = "head"
            if request.method != "DELETE":
                operation = json.loads(body["data"]["head"])["operation"] or {}
                if operation.get("heartbeat"):
                    return HEARTBEAT
                phase = PHASES[operation.get("phase")]
                self._phase, self._kind = FOLLOWING[phase], operation.get("kind", self._kind)
        found = RECORD.search(obj)
        obj = f"record {found[1]}" if found else obj
        name = f"{self._kind} {phase}: {request.method} {obj}"
        self._count[name] += 1
        if request.method == "DELETE" and self._count[name] > 1:
            return AGAIN
        return name if self._count[name] == 1 else f"{name} #{self._count[name]}"

    def take_back(self, name: str) -> None:
        """Of a write that was none."""
        self._count[name.partition(" #")[0]] -= 1


class Watch:
    """The hooks of a proxy: they write down what passes, and do something to the process when it comes to a point.

    `act` is what they do: `kill`, `stop`, or a function that holds the request back until it returns."""

    def __init__(self, point: Point | None = None, act: Callable[[Watch], None] | None = None) -> None:
        self.point, self.act = point, act or Watch.kill
        self.reached = threading.Event()
        self.answered: list[str] = []
        self.stretches: list[Point] = []
        self._story = Story()
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._open: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._known = threading.Event()
        self._killed = False

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._known.set()

    def kill(self) -> None:
        """What it was about to ask, it has not asked; what it was told, it has not heard."""
        self._killed = True
        self.signal(signal.SIGKILL)
        raise Drop

    def stop(self) -> None:
        """It stands still, until it is told to go on."""
        self.signal(signal.SIGSTOP)

    def signal(self, number: signal.Signals) -> None:
        assert self._known.wait(PATIENCE)
        assert self._process
        self._process.send_signal(number)

    def before(self, request: Request) -> None:
        with self._lock:
            if self._killed:
                raise Drop
            if request.is_write:
                name = self._names[id(request)] = self._story.name(request)
                here = self._is("before", (name,))
            else:
                here = self._read()
        if here:
            self._act()
        with self._lock:
            self._open.add(id(request))

    def after(self, request: Request) -> None:
        with self._lock:
            self._open.discard(id(request))
            here = False
            if request.is_write:
                name = self._names[id(request)]
                # Another was faster, in this run and not in the next: the same write comes again.
                if request.status == CONFLICT:
                    self._story.take_back(name)
                else:
                    self.answered.append(name)
                    here = self._is("after", (name,))
        if here:
            self._act()

    def settle(self) -> None:
        """Waits until everything that was passed on has been answered."""
        until = time.monotonic() + PATIENCE
        while self._open:
            assert time.monotonic() < until, "the API server does not answer"
            time.sleep(0.01)

    def points(self) -> list[Point]:
        """All moments of the run that was watched, in its order."""
        writes = [name for name in self.answered if name not in (HEARTBEAT, AGAIN)]
        sides: tuple[Side, ...] = ("before", "after")
        return [Point(side=side, writes=(name,)) for name in writes for side in sides] + self.stretches

    def _read(self) -> bool:
        passed = tuple(name for name in self.answered if name not in (HEARTBEAT, AGAIN))
        if not self.stretches or self.stretches[-1].writes != passed:
            self.stretches.append(Point(side="reads", writes=passed))
        point = self.point
        return point is not None and point.side == "reads" and set(point.writes) <= set(passed)

    def _is(self, side: Side, writes: tuple[str, ...]) -> bool:
        return self.point is not None and (self.point.side, self.point.writes) == (side, writes)

    def _act(self) -> None:
        with self._lock:
            if self.reached.is_set():
                return
            self.reached.set()
        self.act(self)
