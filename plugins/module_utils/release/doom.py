# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that will never serve, whatever is waited for. Pure; read from the pod's status and the ReplicaSet's conditions.

Only what cannot heal by itself is here. A registry that does not answer, a node that is full and a Secret that is not
there yet all may."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Object

CONTRACT, NAMED, REPEATED, ABSENT, CAPACITY = "contract", "named_cause", "repetition", "absent_reference", "capacity"
# Exit codes of a command line that is wrong (2, argparse) or cannot be run (126, 127), if it ends soon.
WRONG_COMMAND = (2, 126, 127)
SOON = 60

# (pod uid, container) -> how its runs ended, oldest first: (exit code, reason).
Deaths: TypeAlias = Mapping[tuple[str, str], tuple[tuple[int, str], ...]]
# (pod uid, container) -> what its log said about its last death.
Autopsies: TypeAlias = Mapping[tuple[str, str], Cause]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doom:
    """`verdict`: contract (certain at once), named_cause (confirmed by a second look), repetition, absent_reference (it
    may still be delivered) or capacity (it may still be made)."""

    verdict: str
    cause: Cause


_REPLICA_FAILURES = (
    ("violates PodSecurity", "pod_security", "Pod Security refuses the pod"),
    ("must specify", "quota_must_specify", "a quota wants requests or limits that the pod does not name"),
    (r"serviceaccount .* not found", "service_account_missing", "its ServiceAccount does not exist"),
    ("no PriorityClass with name", "priority_class_missing", "its PriorityClass does not exist"),
    (r"RuntimeClass .* not found", "runtime_class_missing", "its RuntimeClass does not exist"),
)


def of_replica_set(replica_set: Object) -> Doom | None:
    """Why the controller cannot make a single pod, where waiting does not help."""
    message = failed_create(replica_set)
    if "exceeded quota" in message:
        sentence, cure = f"no pod can be made: {message}", "Free some of the quota, or raise it"
        return Doom(verdict=CAPACITY, cause=Cause(id="quota_exceeded", sentence=sentence, cure=cure, message=message))
    for pattern, cause_id, words in _REPLICA_FAILURES:
        if re.search(pattern, message):
            sentence = f"no pod can be made, because {words}: {message}"
            cause = Cause(
                id=cause_id, sentence=sentence, cure="Correct the definition", reason="FailedCreate", message=message
            )
            return Doom(verdict=NAMED, cause=cause)
    return None


def failed_create(replica_set: Object) -> str:
    """The message of the ReplicaSet's ReplicaFailure condition; empty if it has none."""
    conditions = (replica_set.get("status") or {}).get("conditions") or []
    return next(
        (c.get("message", "") for c in conditions if c["type"] == "ReplicaFailure" and c["status"] == "True"), ""
    )


def of_pod(pod: Object, deaths: Deaths, autopsies: Autopsies) -> Doom | None:
    for container in statuses(pod):
        cause = autopsies.get((pod["metadata"]["uid"], container["name"]))
        doom = _waiting(pod, container) or _certain(pod, container, cause)
        if doom:
            return doom
        doom = _ended(pod, container) or _repeated(pod, container, deaths)
        if doom:
            return _explained(doom, pod, cause)
    return _unscheduled(pod)


def statuses(pod: Object) -> list[dict[str, Any]]:
    """The container statuses of a pod, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def last_end(container: Mapping[str, Any]) -> dict[str, Any]:
    """How the container's last run ended; empty if it has not."""
    state, last = container.get("state") or {}, container.get("lastState") or {}
    return dict(state.get("terminated") or last.get("terminated") or {})


def count_deaths(container: Mapping[str, Any]) -> int:
    """How many runs of a container have ended."""
    state = container.get("state") or {}
    over = "terminated" in state or ("waiting" in state and (container.get("lastState") or {}).get("terminated"))
    return int(container.get("restartCount", 0)) + (1 if over else 0)


def with_deaths(known: Deaths, pods: Iterable[Object]) -> Deaths:
    """What is known about deaths, and what these pods show. Kubernetes itself remembers only the last one."""
    fresh = dict(known)
    for pod in pods:
        for container in statuses(pod):
            count, end = count_deaths(container), last_end(container)
            key = (pod["metadata"]["uid"], container["name"])
            seen = fresh.get(key, ())
            if count and end:
                signature = (int(end.get("exitCode", 0)), str(end.get("reason", "")))
                # Deaths that nobody looked at are taken to have been like the one that is seen.
                fresh[key] = (*seen, *[signature] * (count - len(seen)))
    return fresh


def _waiting(pod: Object, container: dict[str, Any]) -> Doom | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message, image = waiting.get("reason", ""), waiting.get("message", ""), container.get("image", "")
    if reason == "InvalidImageName":
        return _doom(CONTRACT, "image_name_invalid", pod, container, f"{image!r} is no image name", "Correct the image")
    if reason == "ErrImageNeverPull":
        words = f"{image} is not on the node, and its pull policy is Never"
        return _doom(CONTRACT, "image_never_pulled", pod, container, words, "Load the image or change the pull policy")
    absent = "code = NotFound" in message or message.rstrip(".\"' ").endswith(": not found")
    if reason in ("ErrImagePull", "ImagePullBackOff") and absent:
        words = f"the image {image} does not exist"
        return _doom(NAMED, "image_not_found", pod, container, words, "Correct the image's repository or tag")
    if reason in ("ErrImagePull", "ImagePullBackOff") and message:
        words = f"the image {image} cannot be pulled: {message}"
        return _doom(CAPACITY, "image_pull_failed", pod, container, words, "Look at the registry and its credentials")
    if reason == "CreateContainerConfigError" and "couldn't find key" in message:
        return _doom(NAMED, "config_key_missing", pod, container, message, "Add the key, or refer to another one")
    if reason == "CreateContainerConfigError" and "runAsNonRoot" in message:
        return _doom(NAMED, "runs_as_root", pod, container, message, "Set runAsUser to a user that is not root")
    if reason == "CreateContainerConfigError" and "not found" in message:
        return _doom(ABSENT, "reference_missing", pod, container, message, "Create it, or refer to another one")
    if "executable file not found" in message:
        return _doom(NAMED, "executable_missing", pod, container, message, "Correct the command or the image")
    return None


def _certain(pod: Object, container: dict[str, Any], cause: Cause | None) -> Doom | None:
    """One death is enough when the log names a cause that cannot heal."""
    if cause is None or cause.transient:
        return None
    return _explained(_doom(NAMED, cause.id, pod, container, cause.sentence, cause.cure), pod, cause)


def _explained(doom: Doom, pod: Object, cause: Cause | None) -> Doom:
    """The finding, in the words of what the log says."""
    if cause is None:
        return doom
    said = replace(
        doom.cause,
        id=cause.id,
        sentence=f"{pod['metadata']['name']} cannot run: {cause.sentence}",
        cure=cause.cure,
        setting=cause.setting,
        message=cause.message or doom.cause.message,
    )
    return replace(doom, cause=said)


def _unscheduled(pod: Object) -> Doom | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            message = condition.get("message", "")
            cause = Cause(
                id="unschedulable",
                sentence=f"{pod['metadata']['name']} fits on no node: {message}",
                cure="Free GPUs or add a node, or correct node selector, tolerations and affinity",
                object=f"Pod/{pod['metadata']['name']}",
                reason="Unschedulable",
                message=message,
            )
            return Doom(verdict=CAPACITY, cause=cause)
    return None


def _ended(pod: Object, container: dict[str, Any]) -> Doom | None:
    end = last_end(container)
    code, message = end.get("exitCode"), (end.get("message") or "").strip()
    if code == 128 and "executable file not found" in message:
        return _doom(NAMED, "executable_missing", pod, container, message, "Correct the command or the image")
    if code in WRONG_COMMAND and _seconds(end) < SOON:
        words = f"it exited with code {code} after {_seconds(end):.0f} s{': ' + _last_line(message) if message else ''}"
        return _doom(NAMED, "wrong_command_line", pod, container, words, "Correct the arguments of the server")
    return None


def _repeated(pod: Object, container: dict[str, Any], deaths: Deaths) -> Doom | None:
    ends = deaths.get((pod["metadata"]["uid"], container["name"]), ())
    if len(ends) < 2 or ends[-1] != ends[-2]:
        return None
    code, reason = ends[-1]
    message = (last_end(container).get("message") or "").strip()
    often = "twice" if len(ends) == 2 else f"{len(ends)} times"
    words = f"it ended {often} with exit code {code}{' (' + reason + ')' if reason == 'OOMKilled' else ''}"
    words += f": {_last_line(message)}" if message else ""
    return _doom(REPEATED, "oom_killed" if reason == "OOMKilled" else "crash", pod, container, words, "Read its log")


def _doom(verdict: str, cause_id: str, pod: Object, container: dict[str, Any], words: str, cure: str) -> Doom:
    end = last_end(container)
    waiting = (container.get("state") or {}).get("waiting") or {}
    # How it died says more than that the kubelet waits before it starts it again.
    state = waiting if waiting.get("reason") != "CrashLoopBackOff" and waiting else end
    cause = Cause(
        id=cause_id,
        sentence=f"{pod['metadata']['name']} cannot run: {words}",
        cure=cure,
        object=f"Pod/{pod['metadata']['name']}",
        container=container["name"],
        node=pod["spec"].get("nodeName", ""),
        reason=state.get("reason", ""),
        exit_code=end.get("exitCode"),
        message=(end.get("message") or state.get("message") or "").strip()[-1000:],
    )
    return Doom(verdict=verdict, cause=cause)


def _seconds(end: dict[str, Any]) -> float:
    try:
        started, finished = (datetime.fromisoformat(end[name]) for name in ("startedAt", "finishedAt"))
    except (KeyError, TypeError, ValueError):
        return 0.0
    return (finished - started).total_seconds()


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip() if text else ""
