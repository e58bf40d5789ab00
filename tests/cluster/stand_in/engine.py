# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for the engine: it gives tokens at a given pace, until it is drained, aborted or dead."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .faults import Faults, triggered
from .metrics import Metrics

TICK = 0.02
ENGINE_DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."


class EngineDead(Exception):
    """The engine died, or was killed with the request in it. vLLM answers 500."""


class ClientGone(Exception):
    """The client has closed its connection."""


@dataclass(frozen=True)
class Request:
    """One completion: the number of tokens that came in and that may go out, and whether they go out one by one."""

    prompt_tokens: int
    max_tokens: int
    streaming: bool
    client_gone: Callable[[], bool]


class Engine:
    """Counts what is in flight. Times are seconds of the monotonic clock."""

    def __init__(self, faults: Faults, metrics: Metrics) -> None:
        self.faults = faults
        self.dead = False
        self.draining = False
        self.aborted = False
        self.in_flight = 0
        self.streaming = 0
        self._metrics = metrics
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._errors = itertools.count(1)

    @property
    def hangs(self) -> bool:
        after = self.faults.hang_after_seconds
        return (0 <= after <= time.monotonic() - self._begun) or triggered("hang")

    @property
    def healthy(self) -> bool:
        """What /health asks: never whether a token comes out."""
        flap = self.faults.health_flap_seconds
        flapping = flap > 0 and int((time.monotonic() - self._begun) / flap) % 2 == 1
        return not self.dead and not flapping

    def fails_now(self) -> bool:
        """Whether this request is one of those that the error rate asks for; they are spread evenly."""
        rate = 1.0 if triggered("errors") else self.faults.error_rate
        number = next(self._errors)
        return int(number * rate) > int((number - 1) * rate)

    def generate(self, request: Request) -> Iterator[str]:
        """Yields the tokens. Raises EngineDead or ClientGone, also in the middle."""
        begun = time.monotonic()
        reason, count, first = "abort", 0, begun
        self._count(request, +1)
        try:
            for count in range(1, request.max_tokens + 1):
                pace = self.faults.token_seconds + (self.faults.first_token_seconds if count == 1 else 0.0)
                self._wait(pace, request)
                if count == 1:
                    first = time.monotonic()
                yield " token" if count > 1 else "A"
            reason = "length"
        except EngineDead:
            reason = "error"
            raise
        finally:
            self._count(request, -1)
            self._metrics.finished(reason, request.prompt_tokens, count, request.max_tokens, begun, first)

    def pool(self, request: Request) -> Iterator[str]:
        """Yields nothing, when the prompt has gone through the model. Raises as `generate` does."""
        begun = time.monotonic()
        reason = "abort"
        self._count(request, +1)
        try:
            self._wait(self.faults.token_seconds + self.faults.first_token_seconds, request)
            reason = "stop"
            yield from ()
        except EngineDead:
            reason = "error"
            raise
        finally:
            self._count(request, -1)
            self._metrics.finished(reason, request.prompt_tokens, 0, 0, begun, time.monotonic())

    def _wait(self, seconds: float, request: Request) -> None:
        until = time.monotonic() + seconds
        while True:
            if self.dead or (self.aborted and not request.streaming):
                raise EngineDead
            # A stream whose engine was killed by SIGTERM gets nothing more, not even its end.
            stalled = self.aborted or self.hangs
            left = until - time.monotonic()
            if left <= 0 and not stalled:
                return
            time.sleep(TICK if stalled else min(TICK, left))
            if request.client_gone():
                raise ClientGone

    def _count(self, request: Request, change: int) -> None:
        with self._lock:
            self.in_flight += change
            self.streaming += change * request.streaming
            self._metrics.running(self.in_flight)
