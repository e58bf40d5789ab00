# SPDX-License-Identifier: GPL-3.0-or-later
"""How the server ends: by SIGTERM as it was measured on vLLM 0.32, by the death of its engine, or when told to."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from . import faults, log
from .engine import ENGINE_DEAD, Engine
from .metrics import number_of

POLL = 0.05
# After a drain with requests in flight vLLM keeps its listener until this long after SIGTERM.
DRAIN_LINGERS = 15.0


class Signals:
    """SIGTERM and SIGINT. The first during a load is swallowed, the second ends it; while serving, one is enough."""

    def __init__(self) -> None:
        self.loading = True
        # No threading.Event: its set() waits for a lock that the interrupted thread may hold in its wait().
        self.received = False
        self._during_load = 0
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)

    def _handle(self, *_: object) -> None:
        if not self.loading:
            self.received = True
            return
        self._during_load += 1
        if self._during_load > 1:
            # Not through log.line: the handler may interrupt it.
            os.write(2, b"KeyboardInterrupt: terminated\n")
            os._exit(130)


def serve_until_the_end(
    engine: Engine, signals: Signals, close_listener: Callable[[], None], shutdown_timeout: float, version: str
) -> NoReturn:
    """Blocks the main thread until something ends the server, then exits the process."""
    switches, begun = engine.faults, time.monotonic()
    while not signals.received:
        time.sleep(POLL)
        served = time.monotonic() - begun
        if 0 <= switches.engine_death_after_seconds <= served or faults.take("engine-death"):
            _die(engine, close_listener, version)
        if faults.take("crash"):
            log.line("Told to crash by the file stand-in-crash.")
            leave(switches.exit_code)
        if faults.take("oom"):
            log.line(faults.exhaust_memory())
            leave(1)
    _terminate(engine, close_listener, shutdown_timeout)


def _die(engine: Engine, close_listener: Callable[[], None], version: str) -> NoReturn:
    """The engine is gone: 503 for a moment, then the listener closes and the process exits with 0 (!)."""
    engine.dead = True
    log.error(
        log.API_SERVER, "core_client.py:701", "Engine core proc EngineCore died unexpectedly, shutting down client."
    )
    trace = f"Traceback (most recent call last):\nvllm.v1.engine.exceptions.EngineDeadError: {ENGINE_DEAD}"
    log.error(log.API_SERVER, "async_llm.py:906", f"AsyncLLM output_handler failed.\n{trace}")
    while os.environ.get("VLLM_KEEP_ALIVE_ON_ENGINE_DEATH") == "1" and number_of(version) >= (0, 11):
        time.sleep(1)
    time.sleep(0.14)
    log.line("INFO:     Shutting down")
    close_listener()
    time.sleep(1.0)
    log.line("INFO:     Finished server process")
    leave(0)


def _terminate(engine: Engine, close_listener: Callable[[], None], shutdown_timeout: float) -> NoReturn:
    begun = time.monotonic()
    mode = "drain" if shutdown_timeout else "abort"
    log.info(log.API_SERVER, "launcher.py:254", "[shutdown] API server: shutdown triggered")
    text = f"[shutdown] API server: stopping engine client mode={mode} timeout={shutdown_timeout:.0f}s"
    log.info(log.API_SERVER, "launcher.py:270", text)
    busy = engine.in_flight > 0
    engine.draining = True
    if shutdown_timeout and busy:
        while engine.in_flight and time.monotonic() - begun < shutdown_timeout:
            time.sleep(POLL)
        if engine.in_flight:
            engine.dead = True
        else:
            time.sleep(max(0.0, begun + min(DRAIN_LINGERS, shutdown_timeout) - time.monotonic()))
    else:
        engine.aborted = True
    time.sleep(0.3)
    log.info(log.API_SERVER, "launcher.py:279", "[shutdown] API server: engine client stopped")
    log.info(log.API_SERVER, "launcher.py:282", "[shutdown] API server: signalling HTTP server shutdown")
    log.info(log.API_SERVER, "launcher.py:304", "[shutdown] API server: shutting down FastAPI HTTP server")
    log.line("INFO:     Shutting down")
    close_listener()
    if engine.streaming:
        log.line("INFO:     Waiting for connections to close. (CTRL+C to force quit)")
    while engine.streaming:
        time.sleep(POLL)
    time.sleep(0.1)
    log.line("INFO:     Waiting for application shutdown.")
    log.line("INFO:     Application shutdown complete.")
    leave(0)


def leave(code: int) -> NoReturn:
    """Ends the process at once, whatever its threads do."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
