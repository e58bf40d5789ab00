# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook as a user runs it, with the results of its tasks and the moment at which each line appeared."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ansible_collections.ai_aas.vllm.tests.integration import scratch

CHECKOUT = Path(__file__).parents[2]
HERE = Path(__file__).parent
INVENTORY = HERE / "inventory"
DEPLOY, REMOVE = "ai_aas.vllm.deploy", "ai_aas.vllm.remove"
RELEASE = "ai_aas.vllm.vllm_release"
PATIENCE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was printed, and when (seconds of the monotonic clock)."""

    at: float
    text: str


@dataclass(slots=True, kw_only=True)
class Run:
    """A playbook that runs, or has run."""

    process: subprocess.Popen[str]
    started: float
    results_file: Path
    output: list[Line] = field(default_factory=list)
    progress: list[Line] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)

    def finish(self, patience: float = PATIENCE) -> Run:
        """Waits for its end."""
        try:
            self.process.wait(patience)
        finally:
            self.process.kill()
            self.process.wait()
            for reader in self.readers:
                reader.join()
        if self.results_file.exists():
            self.results = [json.loads(line) for line in self.results_file.read_text().splitlines()]
            self.results_file.unlink()
        return self

    def wait_for(self, pattern: str) -> None:
        """Waits for a line of progress; fails with all that was printed when there is none."""
        until = time.monotonic() + PATIENCE
        while not any(re.search(pattern, line.text) for line in list(self.progress)):
            assert self.process.poll() is None, self.told
            assert time.monotonic() < until, self.told
            time.sleep(0.02)

    def kill(self) -> None:
        """As AWX and a lost terminal do it: without a warning, and without its workers, which have sessions of their
        own."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.finish()

    def interrupt(self) -> None:
        """As Ctrl-C does it, once."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.finish()

    @property
    def succeeded(self) -> bool:
        return self.process.wait() == 0

    @property
    def stdout(self) -> str:
        return "\n".join(line.text for line in self.output)

    @property
    def stderr(self) -> str:
        return "\n".join(line.text for line in self.progress)

    @property
    def told(self) -> str:
        return f"{self.stdout}\n{self.stderr}"

    def result(self, host: str = "one") -> dict[str, Any]:
        """What vllm_release returned for a host."""
        found = [each["result"] for each in self.results if each["action"] == RELEASE and each["host"] == host]
        assert len(found) == 1, self.told
        return dict(found[0])

    @property
    def diff(self) -> str:
        """What --diff printed."""
        found = re.search(r"^(--- before.*?)\n*^(?:changed|ok|failed):", self.stdout, re.MULTILINE | re.DOTALL)
        return found[1] if found else ""


def start(
    playbook: str | Path,
    *options: str,
    inventory: Path = INVENTORY,
    variables: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Starts a playbook; `variables` become extra variables with their types."""
    results = scratch.file("results")
    command = ["ansible-playbook", "-i", str(inventory), str(playbook), "-e", json.dumps(variables or {}), *options]
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=os.environ
        | {
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "results",
            "ANSIBLE_NOCOLOR": "1",
            "TEST_RESULTS": str(results),
        }
        | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    run = Run(process=process, started=time.monotonic(), results_file=results)
    for stream, lines in ((process.stdout, run.output), (process.stderr, run.progress)):
        assert stream is not None
        run.readers.append(threading.Thread(target=_read, args=(stream, lines.append), daemon=True))
        run.readers[-1].start()
    return run


def start_deploy(namespace: str, *options: str, variables: Mapping[str, Any] | None = None, **settings: Any) -> Run:
    """Starts the deploy of one server (`-e vllm_hosts=…` or a later --limit takes others) into a namespace."""
    placed = {"vllm_deploy_namespace": namespace} | dict(variables or {})
    return start(DEPLOY, "--limit", "one", *options, variables=placed, **settings)


def deploy(namespace: str, *options: str, **settings: Any) -> Run:
    """Deploys one server, and waits for the end."""
    return start_deploy(namespace, *options, **settings).finish()


def play(playbook: str | Path, *options: str, **settings: Any) -> Run:
    """Runs a playbook to its end."""
    return start(playbook, *options, **settings).finish()


def _read(stream: IO[str], take: Callable[[Line], None]) -> None:
    for text in stream:
        take(Line(at=time.monotonic(), text=text.rstrip("\n")))
    stream.close()
