# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who uses a server while it is worked on: a pod that asks it ten times a second, through its Service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

# Every request in a thread of its own: one that hangs does not keep the next one from being sent.
PROGRAM = """
import http.client, json, os, sys, threading, time

def ask():
    answer = {"status": 0, "text": ""}
    try:
        connection = http.client.HTTPConnection(sys.argv[1], 8000, timeout=5)
        body = json.dumps({"model": "m", "prompt": "Hello", "max_tokens": 1})
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = {"status": response.status, "text": response.read().decode()}
    except OSError as error:
        answer["text"] = type(error).__name__ + ": " + str(error)
    os.write(1, (json.dumps(answer) + "\\n").encode())

while True:
    threading.Thread(target=ask).start()
    time.sleep(0.1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` 0: there was none, and `text` says why."""

    status: int
    text: str


class Client:
    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._api = Api(connection, namespace.name)
        address = namespace.get("services", "small")["spec"]["clusterIP"]
        container = {
            "name": "client",
            "image": "vllm/vllm-openai:v0.33.0",
            "command": ["python3", "-c", PROGRAM, address],
        }
        pod: dict[str, Any] = {
            "metadata": {"name": "client"},
            "spec": {
                "containers": [container],
                "terminationGracePeriodSeconds": 0,
                "tolerations": [{"operator": "Exists"}],
            },
        }
        hands.create(namespace, "pods", pod)
        hands.wait_for(lambda: namespace.get("pods", "client")["status"].get("phase") == "Running")
        self.wait_for_more()

    def answers(self) -> list[Answer]:
        return [Answer(**json.loads(line)) for line in self._api.logs("client", "client", lines=10000).splitlines()]

    def wait_for_more(self) -> None:
        """Until ten more have been given."""
        wanted = len(self.answers()) + 10
        hands.wait_for(lambda: len(self.answers()) >= wanted)
