# SPDX-License-Identifier: GPL-3.0-or-later
"""`vllm serve MODEL [flags]`, as far as a stand-in goes."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from typing import NoReturn

from . import faults, loading, log, options, shutdown
from .api import Api, max_model_len, served_names
from .engine import Engine
from .metrics import Metrics
from .server import ROUTES, Server

DEFAULT_VERSION = "0.33.0"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs until the server ends; the exit code is vLLM's."""
    arguments = sys.argv[1:] if arguments is None else arguments
    version = os.environ.get("STAND_IN_VERSION", DEFAULT_VERSION)
    if arguments[:1] != ["serve"]:
        raise SystemExit(f"The stand-in for vLLM knows `vllm serve MODEL [flags]` only, not {' '.join(arguments)!r}.")
    log.line(f"This is a stand-in for vLLM {version}. It is not vLLM: it loads no model and makes up its tokens.")
    switches = faults.read(os.environ)
    signals = shutdown.Signals()
    chosen = options.parse(arguments[1:], version)
    tempfile.gettempdir()  # fails as vLLM does where nothing may be written
    watch = threading.Thread(target=_crash_when_told, args=(switches, time.monotonic()), daemon=True)
    watch.start()
    metrics = Metrics(
        version,
        served_names(chosen, switches.served_model_name)[0],
        max_model_len(chosen),
        not chosen.disable_log_stats,
    )
    engine = Engine(switches, metrics)
    keys = chosen.api_key or [key for key in [os.environ.get("VLLM_API_KEY")] if key]
    try:
        loading.announce(chosen, version, options.given(chosen, version))
        loading.check(chosen, os.environ, switches)
        server = Server(chosen, Api(chosen, version, engine), engine, metrics, keys)
        loading.load(chosen, version, os.environ, switches.load_seconds)
    except loading.StartFailed:
        shutdown.leave(1)
    except OSError:
        traceback.print_exc()
        shutdown.leave(1)
    while switches.never_ready:
        time.sleep(1)
    signals.loading = False  # before anybody can connect, and then send a signal
    _listen(server, chosen.host or "0.0.0.0", chosen.port)  # noqa: S104 - as vLLM does
    shutdown.serve_until_the_end(engine, signals, server.close_listener, chosen.shutdown_timeout, version)


def _listen(server: Server, host: str, port: int) -> None:
    log.info(log.API_SERVER, "entry.py:136", f"Supported tasks: {server.tasks}")
    log.info(log.API_SERVER, "entry.py:140", f"Starting vLLM server on http://{host}:{port}")
    log.info(log.API_SERVER, "launcher.py:186", "Available routes are:")
    for route, methods in ROUTES.items():
        if route in server.missing:
            continue
        log.info(log.API_SERVER, "launcher.py:195", f"Route: {route}, Methods: {', '.join(methods)}")
    log.line(f"INFO:     Started server process [{os.getpid()}]")
    log.line("INFO:     Waiting for application startup.")
    server.server_activate()
    threading.Thread(target=server.serve_forever, args=(shutdown.POLL,), daemon=True).start()
    log.line("INFO:     Application startup complete.")


def _crash_when_told(switches: faults.Faults, begun: float) -> None:
    """The failures that come at a time after the start, whether the load is over or not."""
    if switches.crashes:
        time.sleep(max(0.0, begun + switches.crash_after_seconds - time.monotonic()))
        if switches.crash_log:
            log.line(faults.log_text(switches.crash_log))
        shutdown.leave(switches.exit_code)
    if switches.oom_after_seconds >= 0:
        time.sleep(max(0.0, begun + switches.oom_after_seconds - time.monotonic()))
        log.line(faults.exhaust_memory())
        shutdown.leave(1)


if __name__ == "__main__":
    main()
