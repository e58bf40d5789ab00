# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a pod whether it serves: the questions of `serving.health`, through a port-forward."""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.tunnel import open_tunnel
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import InvalidInput, NotFound
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Answers, Check, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Verify
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.examination import Terms, examine
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Limits
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import Conversation
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import CONTAINER, Server, server_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.soak import Bounds

SECRET = Kind("v1", "Secret")
# The least and the most that the numbers of the option `verification` may be.
RANGES = {
    "ttft_timeout": (1, math.inf),
    "request_timeout": (1, math.inf),
    "soak_seconds": (0, math.inf),
    "p95_seconds": (0, math.inf),
    "error_ratio": (0, 1),
}


def terms_of(verification: Mapping[str, Any]) -> Terms:
    """The option `verification` of every module. Raises InvalidInput for a number that means nothing."""
    for name, (least, most) in RANGES.items():
        value = verification[name]
        if value is not None and not least <= value <= most:
            bound = f"at least {least}" if most == math.inf else f"from {least} to {most}"
            raise InvalidInput(
                f"verification.{name} is {value:g}",
                f"It has to be {bound}",
                "Correct it",
                setting=f"verification {name}",
            )
    return Terms(
        prompt=verification["prompt"],
        limits=Limits(
            first=float(verification["ttft_timeout"]),
            total=float(verification["request_timeout"]),
        ),
        bounds=Bounds(
            seconds=float(verification["soak_seconds"]),
            p95=verification["p95_seconds"],
            error_ratio=verification["error_ratio"],
        ),
    )


def verifier(api: Api, verification: Mapping[str, Any]) -> Verify:
    """Asks one pod of a Deployment. Raises what a missing port-forward or API key raises."""
    terms = terms_of(verification)

    def verify(deployment: Object, pod: Object) -> Answers:
        server = server_of(deployment["spec"]["template"])
        if server is None:
            detail, cure = f"the pod template has no container named {CONTAINER}", "Name the server's container so"
            return Answers(checks=(Check(name="server", passed=False, detail=detail, cure=cure),))
        name, port = pod["metadata"]["name"], server.port
        line = Conversation(
            lambda: open_tunnel(api.connection, api.namespace, name, port, terms.limits.total),
            api_key=_api_key(api, server),
        )
        with contextlib.closing(line):
            return examine(line, server, terms)

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
    return sendable(base64.b64decode(data[key]).decode("latin-1"), f"key {key!r} of Secret/{name}")


def sendable(api_key: str, where: str) -> str:
    """The API key, if a header can carry it. Raises InvalidInput, which does not show it."""
    if not (api_key.isascii() and api_key.isprintable()):
        raise InvalidInput(
            f"The API key of the server, {where}, cannot be sent",
            "It holds a character that no HTTP header can carry, such as a line break at its end",
            "Write it anew without that",
        )
    return api_key
