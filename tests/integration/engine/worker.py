# SPDX-License-Identifier: GPL-3.0-or-later
"""One operation in a process of its own, without Ansible around it: a second less for each run, and a process to kill.

Reads a task as JSON from stdin, tells its progress on stderr, writes its result to stdout."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.operations import release
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller, perform
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.health import health
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.info import info
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.preflight import preflight
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Patience, Timings

OPERATIONS = {
    "release": release.release,
    "rollback": release.rollback,
    "health": health,
    "info": info,
    "preflight": preflight,
}


def timings(speed: float) -> Timings:
    """The real times of the lock, made shorter by a factor. Looks are for pods that load for a moment."""
    real = Patience()
    patience = Patience(beat=real.beat * speed, old=real.old * speed, fence=real.fence * speed, look=real.look * speed)
    return Timings(polls=((float("inf"), 0.25),), tell_every=5, confirm=0.5, no_room=2, unready=3, patience=patience)


def main() -> None:
    # Who runs tests in the background ignores Ctrl-C, and hands that down.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    task: dict[str, Any] = json.load(sys.stdin)
    if task["host"]:
        socket.gethostname = lambda: task["host"]
    caller = Caller(
        check_mode=task["check_mode"],
        console=lambda line: print(line, file=sys.stderr, flush=True),
        environ=os.environ,
        by={"user": task["user"], "host": "test"},
        timings=replace(timings(task["speed"]), **task["times"]),
        parent=os.getppid(),
    )
    json.dump(perform(OPERATIONS[task["operation"]], task["params"], caller), sys.stdout)


if __name__ == "__main__":
    main()
