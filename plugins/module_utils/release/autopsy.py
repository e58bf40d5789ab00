# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a container died: its log, read once for each death, and put before somebody who can read it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Death, Explain, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom

# Every tensor parallel worker repeats the trace, and the cause stands before the first of them.
LINES = 5000
LOOKS = 3


class Autopsies:
    """The causes that are known, by pod uid and container. Without `explain` there are none."""

    def __init__(self, api: Api, explain: Explain | None) -> None:
        self.api, self.explain = api, explain
        self.causes: dict[tuple[str, str], Cause] = {}
        self._looks: dict[tuple[str, str, int], int] = {}

    def look(self, pods: Iterable[Object]) -> None:
        """Looks into every death that was not looked into yet: one request each."""
        for pod in pods:
            for container in doom.statuses(pod):
                key, deaths = (pod["metadata"]["uid"], container["name"]), doom.count_deaths(container)
                looked = self._looks.get((*key, deaths), 0)
                if self.explain and deaths and looked < LOOKS:
                    death = self._death(pod, container)
                    # A log may come a moment after the death that it tells of.
                    self._looks[(*key, deaths)] = LOOKS if death.log.strip() else looked + 1
                    self.causes.pop(key, None)
                    cause = self.explain(death)
                    if cause:
                        self.causes[key] = cause

    def _death(self, pod: Object, container: dict[str, Any]) -> Death:
        end, name, log = doom.last_end(container), container["name"], ""
        started_again = "running" in (container.get("state") or {}) or container.get("restartCount", 0) > 0
        # No right to read logs, or gone with its node: what the pod itself keeps is less, but something. It is also
        # there when the container was started again since the pod was looked at, and the log is already the next one.
        with contextlib.suppress(ApiError):
            log = "" if started_again else self.api.logs(pod["metadata"]["name"], name, lines=LINES)
        # If there is a former run by now, it is the one that ended, and what was read belongs to the next.
        with contextlib.suppress(ApiError):
            log = self.api.logs(pod["metadata"]["name"], name, previous=True, lines=LINES)
        log += "\n" + str(end.get("message") or "")
        spec = pod["spec"]
        parts = [*spec.get("containers", []), *spec.get("initContainers", [])]
        return Death(
            exit_code=int(end.get("exitCode", 0)),
            reason=str(end.get("reason", "")),
            seconds=_seconds(end),
            log=log,
            container=next((part for part in parts if part["name"] == name), {}),
        )


def _seconds(end: dict[str, Any]) -> float:
    try:
        started, finished = (datetime.fromisoformat(end[name]) for name in ("startedAt", "finishedAt"))
    except (KeyError, TypeError, ValueError):
        return 0.0
    return (finished - started).total_seconds()
