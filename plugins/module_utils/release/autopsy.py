# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a container died: its log, read once for each death, and put before somebody who can read it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Death, Explain, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import (
    Deaths,
    count_deaths,
    last_end,
    ran,
    statuses,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.events import KILLED, Events

# Every tensor parallel worker repeats the trace, and the cause stands before the first of them.
LINES = 5000
LOOKS = 10
# Seconds: a log, or the end of it, may come a moment after the death that it tells of.
PATIENCE, LOOK = 2.0, 0.25
START_ERROR = 128
# SIGINT, SIGKILL and SIGTERM.
BY_SIGNAL = (130, 137, 143)


class Autopsies:
    """The causes that are known, by pod uid and container. Without `explain` there are none."""

    def __init__(self, api: Api, explain: Explain | None, events: Events) -> None:
        self.api, self.explain, self.events = api, explain, events
        self.causes: dict[tuple[str, str], Cause] = {}
        self._looks: dict[tuple[str, str, int], int] = {}

    def look(self, pods: Iterable[Object], known: Deaths) -> None:
        """Looks into every death of this rollout that was not looked into yet: a request or two each."""
        for pod in pods:
            for container in statuses(pod):
                key, deaths = (pod["metadata"]["uid"], container["name"]), count_deaths(container)
                looked = self._looks.get((*key, deaths), 0)
                if self.explain and deaths and known[key].fresh and looked < LOOKS:
                    cause = self._cause(self.explain, pod, container, patience=0 if looked else PATIENCE)
                    self._looks[(*key, deaths)] = LOOKS if cause else looked + 1
                    if cause:
                        self.causes[key] = cause
                    elif looked + 1 == LOOKS:  # until then, what the last death was of is the best there is
                        self.causes.pop(key, None)

    def _cause(self, explain: Explain, pod: Object, container: dict[str, Any], *, patience: float) -> Cause | None:
        """What a line of the log names, or else the end by itself. What ended a process from outside is in no log."""
        until = time.monotonic() + patience
        while True:
            death = self._death(pod, container)
            cause = explain(death)
            told = death.reason == "OOMKilled" or death.exit_code in (START_ERROR, *BY_SIGNAL)
            if told or (cause and cause.message) or time.monotonic() >= until:
                return cause
            time.sleep(LOOK)

    def _death(self, pod: Object, container: dict[str, Any]) -> Death:
        end, name = last_end(container), container["name"]
        # What the pod itself keeps is less, but something.
        log = self._log(pod["metadata"]["name"], container) + "\n" + str(end.get("message") or "")
        spec = pod["spec"]
        parts = [*spec.get("containers", []), *spec.get("initContainers", [])]
        return Death(
            exit_code=int(end.get("exitCode", 0)),
            reason=str(end.get("reason", "")),
            seconds=ran(end),
            log=log,
            container=next((part for part in parts if part["name"] == name), {}),
            messages=self._messages(pod, end),
        )

    def _log(self, pod: str, container: Object) -> str:
        """The log of the run that ended. Empty where nobody may read it, and where it is gone with its node."""
        # Until the kubelet knows that the next run has to wait, "previous" is the run before the one that ended. The
        # first one has none before it: if there is a former run by now, it is the one that ended.
        just_ended, first = "terminated" in (container.get("state") or {}), not container.get("restartCount")
        log = ""
        for previous in (False, True) if first else (not just_ended,):
            with contextlib.suppress(ApiError):
                log = self.api.logs(pod, container["name"], previous=previous, lines=LINES)
        return log

    def _messages(self, pod: Object, end: dict[str, Any]) -> tuple[str, ...]:
        """What Kubernetes says of the end, where it has had a hand in it."""
        if end.get("exitCode") == START_ERROR:
            return (str(end.get("message") or ""),)
        if end.get("exitCode") not in (0, *BY_SIGNAL) or end.get("reason") == "OOMKilled":
            return ()
        uid = pod["metadata"]["uid"]
        return self.events.of([uid], KILLED, since=str(end.get("startedAt", ""))).get(uid, ())
