# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kubernetes tells of pods in its events. They are many and kept for an hour, so they are read only in need."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Forbidden
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object

EVENT = Kind("v1", "Event")
# Reasons. The kubelet ends a container (its message says which probe failed); or cannot make one.
KILLED = ("Killing",)
NOT_STARTED = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox")


class Events:
    """Without the right to read them there are none."""

    def __init__(self, api: Api) -> None:
        self.api, self._forbidden = api, False

    def of(self, uids: Sequence[str], reasons: Collection[str], *, since: str = "") -> dict[str, tuple[str, ...]]:
        """The messages about each of these pods, oldest first, last seen at `since` (RFC 3339) or later. One request,
        however many pods there are."""
        found: dict[str, tuple[str, ...]] = {}
        for event in sorted(self._listed(uids), key=_seen):
            uid = event["involvedObject"].get("uid", "")
            if uid in uids and event.get("reason") in reasons and _seen(event) >= since:
                found[uid] = (*found.get(uid, ()), str(event.get("message") or ""))
        return found

    def _listed(self, uids: Sequence[str]) -> list[Object]:
        if self._forbidden or not uids:
            return []
        about = f"involvedObject.uid={uids[0]}" if len(uids) == 1 else "involvedObject.kind=Pod"
        try:
            return self.api.list(EVENT, fields=about)
        except Forbidden:
            self._forbidden = True
            return []


def _seen(event: Object) -> str:
    """When it was seen last, to the second."""
    series = event.get("series") or {}
    times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    return next((str(moment)[:19] + "Z" for moment in times if moment), "")
