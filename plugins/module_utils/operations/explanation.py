# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine asks of those who know vLLM: why did it die, why does it not get on."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Death, Object, Standstill
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import diagnosis


def explained(what: Death | Standstill) -> Cause | None:
    budget = _startup_budget(what.container)
    if isinstance(what, Standstill):
        return diagnosis.explain_events(what.messages, what.seconds, budget)
    return diagnosis.explain(
        what.log,
        what.exit_code,
        reason=what.reason,
        ran_seconds=what.seconds,
        startup_budget=budget,
        messages=what.messages,
    )


def _startup_budget(container: Object) -> int | None:
    """Seconds, as diagnosis counts them."""
    probe = container.get("startupProbe")
    if not probe:
        return None
    tries = int(probe.get("failureThreshold", 3)) * int(probe.get("periodSeconds", 10))
    return int(probe.get("initialDelaySeconds", 0)) + tries
