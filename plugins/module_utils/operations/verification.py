# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a pod whether it serves: the questions of `serving.health`, through a port-forward."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.tunnel import open_tunnel
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import NotFound
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Verify
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import health
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import Conversation
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server, server_of

SECRET = Kind("v1", "Secret")


def verifier(api: Api, verification: Mapping[str, Any]) -> Verify:
    timeout, prompt = float(verification["request_timeout"]), verification["prompt"]

    def verify(deployment: Object, pod: Object) -> tuple[Check, ...]:
        server = server_of(deployment["spec"]["template"])
        if server is None:
            return (Check(name="server", passed=False, detail="the pod template has no container named vllm"),)
        key, name, port = _api_key(api, server), pod["metadata"]["name"], server.port
        checks: list[Check] = []
        line = Conversation(lambda: open_tunnel(api.connection, api.namespace, name, port, timeout))
        with contextlib.closing(line):
            for question in health.questions(server, prompt):
                checks.append(health.judged(question, line.ask(question.request, key)))
                if not checks[-1].passed:
                    break
        return tuple(checks)

    return verify


def _api_key(api: Api, server: Server) -> str:
    """The API key, out of the Secret that the server takes it from; empty where it has none. Never logged, never
    returned."""
    if server.api_key_secret is None:
        return ""
    name, key = server.api_key_secret
    data = api.get(SECRET, name).get("data") or {}
    if key not in data:
        raise NotFound(
            f"Secret/{name} has no key {key!r}", "The server takes its API key from there", "Add it", status=404
        )
    return base64.b64decode(data[key]).decode()
