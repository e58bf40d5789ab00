# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user asks for, and the run that does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.tests.integration import scratch

WORKER = "ansible_collections.ai_aas.vllm.tests.integration.engine.worker"
SPECS = {
    "release": options.RELEASE,
    "rollback": options.ROLLBACK,
    "health": options.HEALTH,
    "info": options.INFO,
    "preflight": options.PREFLIGHT,
}
PATIENCE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A task: an operation and its options. `speed`: by how much the times of the lock are shorter. `times`: other ones
    of the engine, in seconds. `host`: another host that it says it is on, so that the others cannot see its process."""

    operation: str = "release"
    options: Mapping[str, Any] = field(default_factory=dict)
    check_mode: bool = False
    user: str = "alice"
    speed: float = 1.0
    times: Mapping[str, float] = field(default_factory=dict)
    host: str = ""

    def start(self, kubeconfig: Path, namespace: str, *, name: str = "small") -> Run:
        given = {"name": name, "namespace": namespace, "kubeconfig": str(kubeconfig)} | dict(self.options)
        validated = ArgumentSpecValidator(**SPECS[self.operation]).validate(given)
        assert not validated.error_messages, validated.error_messages
        task = {
            "operation": self.operation,
            "params": validated.validated_parameters,
            "check_mode": self.check_mode,
            "user": self.user,
            "speed": self.speed,
            "times": dict(self.times),
            "host": self.host,
        }
        output, progress = scratch.file("output"), scratch.file("progress")
        with output.open("w") as out, progress.open("w") as told:
            process = subprocess.Popen([sys.executable, "-m", WORKER], stdin=subprocess.PIPE, stdout=out, stderr=told)
        assert process.stdin
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
        return Run(process=process, output=output, progress=progress)

    def run(self, kubeconfig: Path, namespace: str, *, name: str = "small") -> Run:
        return self.start(kubeconfig, namespace, name=name).finish()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A worker that runs, or has run."""

    process: subprocess.Popen[bytes]
    output: Path
    progress: Path

    def finish(self) -> Run:
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it does not end\n{self.told}") from None
        return self

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def wait_for(self, text: str) -> None:
        """Waits for a line of progress."""
        until = time.monotonic() + PATIENCE
        while text not in self.told:
            assert self.process.poll() is None, self.told
            assert time.monotonic() < until, self.told
            time.sleep(0.02)

    @property
    def told(self) -> str:
        return self.progress.read_text()

    @property
    def result(self) -> dict[str, Any]:
        self.finish()
        assert self.process.returncode == 0, f"it ended with {self.process.returncode}\n{self.told}"
        return dict(json.loads(self.output.read_text()))

    @property
    def message(self) -> str:
        """The error's; empty if there was none."""
        return str(self.result.get("msg", ""))

    @property
    def lines(self) -> list[str]:
        return self.told.splitlines()
