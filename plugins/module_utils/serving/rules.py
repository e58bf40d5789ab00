# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vLLM server's definition must have. Pure: no cluster, no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import server_of

MOVING = ("", "main")


def required(objects: Iterable[Object], require: Iterable[str]) -> Iterator[Finding]:
    """What the servers among `objects` lack of `require`: model_revision (a name that does not move)."""
    if "model_revision" not in frozenset(require):
        return
    for body in objects:
        server = server_of(body["spec"]["template"]) if body["kind"] == "Deployment" else None
        if server and server.model_revision in MOVING:
            yield Finding(
                rule="model-revision",
                level="error",
                what=f"Deployment/{body['metadata']['name']} serves model revision {server.model_revision!r}",
                why="a branch means other weights tomorrow, and a rollback would not bring the old ones back",
                do="Name a commit or tag as the model revision",
                setting="model revision",
            )
