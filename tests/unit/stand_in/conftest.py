# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the stand-in as a process of its own, as a container would."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "cluster"
PATIENCE = 10.0  # seconds; everything here takes a fraction of one


class StandIn:
    """A running stand-in on a free port of the loopback."""

    def __init__(self, folder: Path, *flags: str, version: str = "0.33.0", **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log_file = folder / f"{self.port}.log"
        self.temporary = folder / f"tmp-{self.port}"
        self.temporary.mkdir()
        base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "TMPDIR": str(self.temporary)}
        arguments = ["serve", "/models/tiny", "--host", "127.0.0.1", "--port", str(self.port), *flags]
        with self.log_file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stand_in", *arguments],
                env={**base, "STAND_IN_VERSION": version, "STAND_IN_LOAD_SECONDS": "0", **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def wait_for_log(self, text: str) -> None:
        self._wait(lambda: text in self.log, f"{text!r} in the log")

    def wait_until_listening(self) -> StandIn:
        self._wait(self.listens, "a listener")
        return self

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except ConnectionRefusedError:
            return False
        return True

    @contextlib.contextmanager
    def request(
        self, path: str, body: object = None, *, method: str = "", key: str = ""
    ) -> Iterator[http.client.HTTPConnection]:
        """A connection on which the request has been sent."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        data = None if body is None else json.dumps(body)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request(method or ("GET" if body is None else "POST"), path, data, headers)
            yield connection

    def ask(self, path: str, body: object = None, *, method: str = "", key: str = "") -> tuple[int, Any]:
        """Status and body of one request; the body is JSON where it is declared so, else text."""
        with self.request(path, body, method=method, key=key) as connection, connection.getresponse() as response:
            text = response.read().decode()
        declared = response.headers.get("Content-Type", "")
        return response.status, json.loads(text) if text and declared == "application/json" else text

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"no {what} after {PATIENCE} s:\n{self.log}"
            time.sleep(0.01)


Start = Callable[..., StandIn]


@contextlib.contextmanager
def starter(folder: Path) -> Iterator[Start]:
    started: list[StandIn] = []

    def start(*flags: str, **environment: str) -> StandIn:
        started.append(StandIn(folder, *flags, **environment))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.process.kill()
            one.process.wait(PATIENCE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts stand-ins that end with the test."""
    with starter(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One that serves two names; it is shared, so a test must not change its state."""
    with starter(tmp_path_factory.mktemp("stand-in")) as started:
        yield started("--served-model-name", "a", "b", "--max-model-len", "512").wait_until_listening()
