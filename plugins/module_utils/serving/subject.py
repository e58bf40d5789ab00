# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules about a server look at."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import values


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One server: its Deployment, its container, its arguments, and everything that is released with it."""

    deployment: Object
    container: Object
    argv: tuple[str, ...]
    objects: tuple[Object, ...]

    @property
    def name(self) -> str:
        return f"Deployment/{self.deployment['metadata']['name']}"

    @property
    def pod(self) -> Object:
        pod: Object = self.deployment["spec"]["template"]["spec"]
        return pod

    def number(self, *spellings: str, default: int = 1) -> int:
        """The number behind a flag; the default also for what is no number, which vLLM itself will refuse."""
        found = next((value for flag in spellings for value in values(list(self.argv), flag)), "")
        return int(found) if found.isdigit() else default

    def others(self, kind: str) -> list[Object]:
        return [body for body in self.objects if body["kind"] == kind]
