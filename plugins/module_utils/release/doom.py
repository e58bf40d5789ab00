# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that will never serve, whatever is waited for. Pure; read from the pod's status and the ReplicaSet's conditions.

What cannot heal by itself is certain at once, or at the second look. A registry that does not answer, a node that is
full and a Secret that is not there yet all may heal, and have to stand for longer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import Deaths, last_end, ran, statuses

CONTRACT, NAMED, REPEATED, ABSENT, CAPACITY = "contract", "named_cause", "repetition", "absent_reference", "capacity"
# The more certain first.
VERDICTS = (CONTRACT, NAMED, REPEATED, ABSENT, CAPACITY)
# Exit codes of a command line that is wrong (2, argparse) or cannot be run (126, 127), if it ends soon.
WRONG_COMMAND = (2, 126, 127)
SOON = 60
CREATING = ("ContainerCreating", "PodInitializing")
# What somebody may still deliver.
_REFERENCE = re.compile(r'(?:secrets?|configmaps?|persistentvolumeclaims?) "[^"]+" not found')

# (pod uid, container) -> what its log said about its last death.
Autopsies: TypeAlias = Mapping[tuple[str, str], Cause]
# pod uid -> what its states and events say about why it does not get on.
Hints: TypeAlias = Mapping[str, Cause]

# What has to be changed, where that is plain.
SETTINGS = {
    "image_name_invalid": "image repository",
    "image_not_found": "image tag",
    "image_never_pulled": "image pull policy",
    "image_pull_failed": "image pull secrets",
    "executable_missing": "image tag",
    "runs_as_root": "security context",
}


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


def of_deployment(deployment: Object, began: str) -> Doom | None:
    """Why the controller cannot even make a ReplicaSet; what it said before `began` was about another one."""
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        if condition.get("reason") == "ReplicaSetCreateError" and condition.get("lastUpdateTime", "") >= began:
            message = condition.get("message", "")
            full = "exceeded quota" in message
            cause = Cause(
                id="quota_exceeded" if full else "replica_set_refused",
                sentence=f"no ReplicaSet can be made: {message}",
                cure="Free some of the quota, or raise it"
                if full
                else "Let the cluster's admission take the ReplicaSet",
                reason="ReplicaSetCreateError",
                message=message,
            )
            return Doom(verdict=CAPACITY if full else CONTRACT, cause=cause)
    return None


def of_replica_set(replica_set: Object) -> Doom | None:
    """Why the controller cannot make a pod, where waiting does not help, or not for sure."""
    message = failed_create(replica_set)
    if "exceeded quota" in message:
        sentence, cure = f"no pod can be made: {message}", "Free some of the quota, or raise it"
        cause = Cause(id="quota_exceeded", sentence=sentence, cure=cure, reason="FailedCreate", message=message)
        return Doom(verdict=CAPACITY, cause=cause)
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


def of_pod(pod: Object, deaths: Deaths, autopsies: Autopsies, hints: Hints) -> Doom | None:
    hint = hints.get(pod["metadata"]["uid"])
    for container in statuses(pod):
        key = (pod["metadata"]["uid"], container["name"])
        doom = _waiting(pod, container)
        if doom:
            return _explained(doom, pod, hint)
        if key in deaths and not deaths[key].fresh:
            continue
        cause = autopsies.get(key)
        doom = _certain(pod, container, cause) or _ended(pod, container) or _repeated(pod, container, deaths)
        if doom:
            return _explained(doom, pod, cause)
    return _hinted(pod, hint) or _unscheduled(pod)


def of_given_up(pods: Iterable[Object], hints: Hints) -> Doom | None:
    """Pods that their nodes gave up (evicted, not admitted), and the controller has replaced. One is an accident."""
    seen: set[str] = set()
    for pod in pods:
        status, name = pod.get("status") or {}, pod["metadata"]["name"]
        reason, message = str(status.get("reason") or "Failed"), str(status.get("message") or "").strip()
        if reason in seen:
            cause = Cause(
                id="pod_given_up",
                sentence=f"{name} cannot run: its node gave it up ({reason}), as one before: {message or 'no reason'}",
                cure="Look at the node, and at what the pod requests",
                object=f"Pod/{name}",
                node=pod["spec"].get("nodeName", ""),
                reason=reason,
                message=message,
            )
            return _explained(Doom(verdict=REPEATED, cause=cause), pod, hints.get(pod["metadata"]["uid"]))
        seen.add(reason)
    return None


def held_up(doom: Doom, pod: Object) -> Doom:
    """The same, where a pod that should be gone by now may hold what is wanted."""
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "")
    keepers = ", ".join(pod["metadata"].get("finalizers") or [])
    why = f"a finalizer holds it ({keepers})" if keepers else f"its node {node} does not answer"
    cause = replace(
        doom.cause,
        id="pod_not_ending",
        sentence=f"{doom.cause.sentence}; {name} should have ended by now, but {why}",
        cure="Remove the finalizer" if keepers else f"Look at the node {node}; if it is gone for good, delete its Node",
        setting="",
        object=f"Pod/{name}",
        node=node,
    )
    return replace(doom, cause=cause)


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
    return _doom(NAMED, cause.id, pod, container, cause.sentence, cause.cure)


def _hinted(pod: Object, hint: Cause | None) -> Doom | None:
    """What its events say of a pod whose containers do not say it themselves."""
    if hint is None:
        return None
    verdict = NAMED if not hint.transient else ABSENT if _REFERENCE.search(hint.message) else CAPACITY
    status = next(iter(statuses(pod)), {"name": ""})
    return _explained(_doom(verdict, hint.id, pod, status, hint.sentence, hint.cure), pod, hint)


def _explained(doom: Doom, pod: Object, cause: Cause | None) -> Doom:
    """The finding, in the words of what the log or the events say."""
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
    message = unschedulable(pod)
    if message is None:
        return None
    cause = Cause(
        id="unschedulable",
        sentence=f"{pod['metadata']['name']} fits on no node: {message}",
        cure="Free GPUs or add a node, or correct node selector, tolerations and affinity",
        object=f"Pod/{pod['metadata']['name']}",
        reason="Unschedulable",
        message=message,
    )
    return Doom(verdict=CAPACITY, cause=cause)


def unschedulable(pod: Object) -> str | None:
    """Why the scheduler finds no node for a pod, without what it thinks of preemption; None where it does not say
    so."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            words = re.split(r"\.? (?:no new claims to deallocate|preemption:)", condition.get("message", ""))[0]
            return words.rstrip(".,")
    return None


def _ended(pod: Object, container: dict[str, Any]) -> Doom | None:
    end = last_end(container)
    code, message = end.get("exitCode"), (end.get("message") or "").strip()
    if code == 128 and "executable file not found" in message:
        return _doom(NAMED, "executable_missing", pod, container, message, "Correct the command or the image")
    if code in WRONG_COMMAND and ran(end) < SOON:
        words = f"it exited with code {code} after {ran(end):.0f} s{': ' + _last_line(message) if message else ''}"
        return _doom(NAMED, "wrong_command_line", pod, container, words, "Correct the arguments of the server")
    return None


def _repeated(pod: Object, container: dict[str, Any], deaths: Deaths) -> Doom | None:
    known = deaths.get((pod["metadata"]["uid"], container["name"]))
    ends = known.ends if known else ()
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
        setting=SETTINGS.get(cause_id, ""),
        message=(end.get("message") or state.get("message") or "").strip()[-1000:],
    )
    return Doom(verdict=verdict, cause=cause)


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip() if text else ""
