# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who uses a server while it is worked on: a pod that asks it ten times a second, through its Service."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

PROGRAM = (Path(__file__).parent / "program.py").read_text()
LINES = 100_000
ACCESS = re.compile(r'"POST /v1/completions\?number=(\d+) HTTP/1\.1" (\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` 0: there was none, and `text` says why. `whole`: it came to its proper end. `began`, `ended`: seconds of
    the node's clock."""

    number: int
    stream: bool
    status: int
    text: str
    whole: bool
    began: float
    ended: float


class Client:
    """`tokens`: how long a stream is. `timeout`: seconds without a byte after which an answer counts as lost."""

    def __init__(
        self,
        connection: Connection,
        namespace: Namespace,
        *,
        service: str = "small",
        model: str = "m",
        tokens: int = 5,
        timeout: float = 5,
    ) -> None:
        self._api = Api(connection, namespace.name)
        address = namespace.get("services", service)["spec"]["clusterIP"]
        container = {
            "name": "client",
            "image": "vllm/vllm-openai:v0.33.0",
            "command": ["python3", "-c", PROGRAM, address, model, str(tokens), str(timeout)],
        }
        pod: dict[str, Any] = {
            "metadata": {"name": "client"},
            "spec": {
                "containers": [container],
                "terminationGracePeriodSeconds": 0,
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            },
        }
        hands.create(namespace, "pods", pod)
        hands.wait_for(lambda: namespace.get("pods", "client")["status"].get("phase") == "Running")
        self.wait_for_more()

    def answers(self) -> list[Answer]:
        """In the order in which they were asked for."""
        lines = self._api.logs("client", "client", lines=LINES).splitlines()
        return sorted((Answer(**json.loads(line)) for line in lines), key=lambda answer: answer.number)

    def answered_by(self, pod: str) -> dict[int, int]:
        """Of the requests that a pod has answered, by its access log: number -> status."""
        lines = self._api.logs(pod, "vllm", lines=LINES)
        return {int(number): int(status) for number, status in ACCESS.findall(lines)}

    def wait_for_more(self, count: int = 10) -> None:
        """Until so many more have been given."""
        wanted = len(self.answers()) + count
        hands.wait_for(lambda: len(self.answers()) >= wanted)


def lost(answers: list[Answer]) -> list[Answer]:
    """Those that did not come to their proper end."""
    return [answer for answer in answers if not answer.whole]


def gap(answers: list[Answer]) -> float:
    """Seconds between the last good answer before the first that was lost, and the first good one after the last."""
    missing = lost(answers)
    if not missing:
        return 0.0
    first, last = missing[0].number, missing[-1].number
    before = max(answer.began for answer in answers if answer.whole and answer.number < first)
    after = min(answer.began for answer in answers if answer.whole and answer.number > last)
    return after - before


def told(answers: list[Answer]) -> str:
    """A line about them all."""
    missing = lost(answers)
    sorts = Counter((answer.status, answer.text[:60]) for answer in missing)
    streams = sum(answer.stream for answer in answers)
    return f"{len(answers)} requests, {streams} of them streams, {len(missing)} lost {dict(sorts) if sorts else ''}"
