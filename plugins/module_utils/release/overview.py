# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be known about a release at a glance. Pure."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Death, Explain, Object, Standstill
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom, names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import last_end, ran, statuses, with_deaths
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Head, Row
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import is_ready, messages, pod_state

UNDER_WAY = {"deploy": "deploying", "repair": "repairing", "rollback": "rolling back", "remove": "removing"}


def overview(head: Head, written: str, *, dead: bool = False) -> dict[str, Any]:
    """The state of a release and its history, as JSON. `written`: when the head was written last, RFC 3339; `dead`:
    whether the run that holds it has ended.

    `revision` is the one that `state` speaks of, `current` the one that was committed last; they differ while an
    operation is under way and after one that failed."""
    current = head.current_row
    state, about, since = _state(head, current, written, dead=dead)
    shown = current or about
    operation = head.operation
    return {
        "state": state,
        "summary": _summary(state, about, current),
        "revision": about.revision if about else None,
        "current": current.revision if current else None,
        "verified": current.verified if current else None,
        "since": since,
        "image": shown.image if shown else "",
        "model": shown.model if shown else "",
        "model_revision": shown.model_revision if shown else "",
        "failure": about.failure if about else None,
        "operation": {
            "kind": operation.kind,
            "revision": operation.revision,
            "phase": operation.phase,
            "holder": str(operation.holder),
            "heartbeat": written,
        }
        if operation
        else None,
        "history": [asdict(row) for row in head.history],
    }


def pods_of(deployments: list[Object]) -> dict[str, Any]:
    """How many pods are ready, of whatever revision, and how many there should be."""
    ready = sum((body.get("status") or {}).get("readyReplicas", 0) for body in deployments)
    wanted = sum(body["spec"].get("replicas", 1) for body in deployments)
    return {"ready": ready, "wanted": wanted, "summary": f"{ready}/{wanted}" if deployments else ""}


def pods_belong(deployment: Object, pods: list[Object]) -> list[Object]:
    """Those of the pods that a Deployment selects, and nobody is deleting."""
    wanted = deployment["spec"]["selector"].get("matchLabels", {}).items()
    there = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return [pod for pod in there if wanted <= (pod["metadata"].get("labels") or {}).items()]


def trouble(deployments: list[Object], pods: list[Object], explain: Explain, now: datetime) -> Cause | None:
    """Why pods are not ready or not there, as far as their status and that of their Deployments tell, in the words that
    a rollout would have for it. None where nothing is said."""
    behind = [pod for pod in pods if not is_ready(pod)]
    hints = {
        pod["metadata"]["uid"]: cause
        for pod in behind
        if (said := messages(pod)) and (cause := explain(Standstill(messages=said)))
    }
    autopsies = {
        (pod["metadata"]["uid"], container["name"]): cause
        for pod in behind
        for container in statuses(pod)
        if (end := last_end(container)) and (cause := explain(_death(pod, container["name"], end)))
    }
    deaths = with_deaths({}, behind)
    for pod in behind:
        if found := doom.of_pod(pod, deaths, autopsies, hints):
            return found.cause
    if behind:
        return Cause(id="not_ready", sentence=pod_state(behind[0], now, hints)[1])
    refused = (doom.of_replica_set(body) for body in deployments)
    return next((found.cause for found in refused if found), None)


def last_write(body: Object) -> str:
    """When an object was written last, RFC 3339; empty if it does not say."""
    return max((entry.get("time") or "" for entry in body["metadata"].get("managedFields") or []), default="")


def release_of(body: Object) -> str:
    """The name of the release that an object, a head or a record belongs to; empty for none."""
    labels = body["metadata"].get("labels") or {}
    return str(labels.get(names.RECORD_OF) or labels.get(names.RELEASE) or "")


def _summary(state: str, about: Row | None, current: Row | None) -> str:
    """ "4", "4, 5 failed", "5 deploying", "3 removed" """
    if state == "running":
        return str(current.revision if current else "")
    news = f"{about.revision} {state}" if about and about is not current else state
    return f"{current.revision}, {news}" if current else news


def _state(head: Head, current: Row | None, written: str, *, dead: bool) -> tuple[str, Row | None, str]:
    """A word, the row that it speaks of, and since when it is so."""
    newest = head.history[0] if head.history else None
    operation = head.operation
    if operation and operation.phase != "tidy":
        row = head.row(operation.revision) or current
        if dead:
            return "interrupted", row, written
        return UNDER_WAY[operation.kind], row, row.started if row and operation.kind != "remove" else written
    if head.unsettled and newest and newest.state in ("failed", "interrupted"):
        return newest.state, newest, newest.finished or newest.started
    if head.unsettled and current and current.failure:  # its repair was no success
        return "failed", current, current.finished
    if current:
        return "running", current, current.finished
    return "removed", newest, written


def _death(pod: Object, container: str, end: dict[str, Any]) -> Death:
    """Of what the status keeps: the end of the log, if the container says so (terminationMessagePolicy)."""
    message = str(end.get("message") or "")
    part: Object = next((part for part in pod["spec"]["containers"] if part["name"] == container), {})
    code, reason = int(end.get("exitCode", 0)), str(end.get("reason", ""))
    return Death(exit_code=code, reason=reason, seconds=ran(end), log=message, container=part, messages=(message,))
