# SPDX-License-Identifier: GPL-3.0-or-later
"""How the runs of containers ended. Pure; Kubernetes itself remembers only the last end of each.

Deaths are counted, not states: CrashLoopBackOff is only that the kubelet waits before the next start, and a wait of a
configurable length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How a container's runs ended, as (exit code, reason), oldest first. `past`: as many of them had started before
    this rollout began, and say nothing about it: what they died of may have been put right since."""

    ends: tuple[tuple[int, str], ...]
    past: int = 0

    @property
    def fresh(self) -> int:
        """How many of them belong to this rollout."""
        return len(self.ends) - self.past


# (pod uid, container) -> its ends.
Deaths: TypeAlias = Mapping[tuple[str, str], Ends]


def with_deaths(known: Deaths, pods: Iterable[Object], began: str = "") -> Deaths:
    """What is known about deaths, and what these pods show. `began`: when the rollout did, RFC 3339, by the API
    server's clock."""
    deaths = dict(known)
    for pod in pods:
        older = pod["metadata"].get("creationTimestamp", began) < began
        for container in statuses(pod):
            end, key = last_end(container), (pod["metadata"]["uid"], container["name"])
            count = count_deaths(container) if end else 0
            # Deaths that nobody looked at are taken to have been like the one that is seen.
            signatures = ((int(end.get("exitCode", 0)), str(end.get("reason", ""))),) * count
            seen = deaths.get(key) or Ends(ends=signatures, past=count if older else 0)
            past = count if older and _started_before(end, began) else seen.past
            deaths[key] = Ends(ends=seen.ends + signatures[len(seen.ends) :], past=past)
    return deaths


def statuses(pod: Object) -> list[dict[str, Any]]:
    """The container statuses of a pod, init containers first; without those init containers that have done their
    work."""
    status = pod.get("status") or {}
    first = (part for part in status.get("initContainerStatuses") or [] if not _done(part))
    return [*first, *(status.get("containerStatuses") or [])]


def last_end(container: Mapping[str, Any]) -> dict[str, Any]:
    """How the container's last run ended; empty if it has not."""
    state, last = container.get("state") or {}, container.get("lastState") or {}
    return dict(state.get("terminated") or last.get("terminated") or {})


def count_deaths(container: Mapping[str, Any]) -> int:
    """How many runs of a container have ended."""
    state = container.get("state") or {}
    over = "terminated" in state or ("waiting" in state and (container.get("lastState") or {}).get("terminated"))
    return int(container.get("restartCount", 0)) + (1 if over else 0)


def ran(end: Mapping[str, Any]) -> float:
    """How many seconds a run took, by the node's clock; 0 if that is not known."""
    try:
        started, finished = (datetime.fromisoformat(end[name]) for name in ("startedAt", "finishedAt"))
    except (KeyError, TypeError, ValueError):
        return 0.0
    return (finished - started).total_seconds()


def _started_before(end: Mapping[str, Any], began: str) -> bool:
    """By the node's clock. Of a run that could not even start, the kubelet says that it was in 1970."""
    return "1971" < str(end.get("startedAt") or "") < began


def _done(container: Mapping[str, Any]) -> bool:
    ended = (container.get("state") or {}).get("terminated") or {}
    return bool(ended.get("exitCode") == 0)
