# SPDX-License-Identifier: GPL-3.0-or-later
"""Was it the same process all the while? Pure.

vLLM exits with 0 when its engine dies, and Kubernetes starts it again. What is asked before and after are two servers.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import statuses


def life(pod: Object) -> tuple[str, int]:
    """What tells one run of a pod's containers from the next: its uid and how often they were started again."""
    return pod["metadata"]["uid"], sum(container.get("restartCount", 0) for container in statuses(pod))


def check(before: Object, after: Iterable[Object]) -> Check:
    """`before`: the pod as it was asked. `after`: all pods as they are now."""
    uid, restarts = life(before)
    now = next((pod for pod in after if pod["metadata"]["uid"] == uid), None)
    if now is None:
        return Check(
            name="restarts", passed=False, detail="it is gone since it was asked", cure="Find out who deletes it"
        )
    more = life(now)[1] - restarts
    if more:
        detail = f"it was started again while it was asked ({more}x)"
        return Check(name="restarts", passed=False, detail=detail, cure="Read the log of the run before")
    return Check(name="restarts", passed=True, detail="the same process all the while")
