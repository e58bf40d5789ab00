# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is not good: why, and what is kept of it as evidence."""

from __future__ import annotations

from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import sentence
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause


class Bad(Exception):
    """`verdict`: the class of the finding (contract, named_cause, repetition, silence, verification)."""

    def __init__(self, verdict: str, cause: Cause) -> None:
        super().__init__(cause.sentence)
        self.verdict, self.cause = verdict, cause

    def evidence(self, now: str) -> dict[str, Any]:
        """As in the module's result and in the history row; first seen `now`."""
        cause = self.cause
        return {
            "class": self.verdict,
            "cause": cause.id,
            "message": sentence(cause.sentence),
            "hint": cause.cure,
            "object": cause.object,
            "container": cause.container,
            "node": cause.node,
            "setting": cause.setting,
            "reason": cause.reason,
            "exit_code": cause.exit_code,
            "log": cause.message,
            "first_seen": now,
        }
