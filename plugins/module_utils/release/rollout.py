# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rollout has come. Pure: one observation in, one of three answers out.

Every answer is bound to the ReplicaSet of the template that we applied and to its pods. The Deployment's own conditions
are not used: they still speak of the old revision for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom

DEFAULT_STARTUP = 600
ACCEPTED = "accepted"
# Pods of which a line tells.
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen at `now`. `replica_set` is the one of the current template, None until the controller has made
    it."""

    deployment: Object
    replica_set: Object | None
    pods: tuple[Object, ...]
    deaths: doom.Deaths
    autopsies: doom.Autopsies
    now: datetime

    @property
    def new_pods(self) -> list[Object]:
        """The pods of the current template that nobody is deleting."""
        if self.replica_set is None:
            return []
        uid = self.replica_set["metadata"]["uid"]
        return [pod for pod in self.pods if _owner(pod) == uid and not _deleting(pod)]

    @property
    def old_pods(self) -> list[Object]:
        uid = self.replica_set["metadata"]["uid"] if self.replica_set else ""
        return [pod for pod in self.pods if _owner(pod) != uid and not _deleting(pod)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """All replicas are new and Ready."""

    pods: tuple[Object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """`state` stays the same as long as nothing happens; `text` is the line for a person."""

    state: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No waiting will help; `meanwhile` is what is seen, until the finding is certain."""

    doom: doom.Doom
    meanwhile: Waiting


def judge(seen: Observation, generation: int) -> Ready | Waiting | Failed:
    """`generation`: the one that our own write returned; what the controller says of an older one is not about us."""
    status, wanted = seen.deployment.get("status") or {}, int(seen.deployment["spec"].get("replicas", 1))
    if status.get("observedGeneration", 0) < generation or seen.replica_set is None:
        return Waiting(state=ACCEPTED, text="waiting for the Deployment controller")
    fresh = seen.new_pods
    ready = tuple(pod for pod in fresh if is_ready(pod))
    counted = all(
        status.get(name, 0) == wanted for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    )
    if (counted or wanted == 0) and len(ready) == wanted and not seen.old_pods:
        return Ready(pods=ready)
    waiting = _waiting(seen, fresh, ready, wanted)
    doomed = _doomed(seen, fresh)
    return Failed(doom=doomed, meanwhile=waiting) if doomed else waiting


def _waiting(seen: Observation, fresh: list[Object], ready: tuple[Object, ...], wanted: int) -> Waiting:
    if not fresh and seen.replica_set:
        problem = doom.failed_create(seen.replica_set)
        return Waiting(state=f"no pod {problem}", text=f"no new pod yet{': ' + problem if problem else ''}")
    if not fresh:
        return Waiting(state="no pod", text="no new pod yet")
    behind = [pod for pod in fresh if not is_ready(pod)]
    if not behind and not seen.old_pods:
        return Waiting(state=ACCEPTED, text=f"{len(ready)} of {wanted} ready, waiting for the Deployment controller")
    if not behind:
        old = "1 old pod still serves" if len(seen.old_pods) == 1 else f"{len(seen.old_pods)} old pods still serve"
        return Waiting(state=f"{len(ready)} ready, {old}", text=f"{len(ready)} of {wanted} ready, {old}")
    states = [pod_state(pod, seen.now) for pod in behind[:SHOWN]]
    more = f"; {len(behind) - SHOWN} more are behind" if len(behind) > SHOWN else ""
    count = f"{len(ready)} of {wanted} ready, " if wanted > 1 else ""
    return Waiting(
        state=f"{len(ready)} {[state for state, _text in states]}",
        text=count + "; ".join(text for _state, text in states) + more,
    )


def pod_state(pod: Object, now: datetime) -> tuple[str, str]:
    """What a pod is doing: a word that changes only with its state, and a text for a person."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return (
                f"{name} unscheduled",
                f"{name} is not scheduled: {condition.get('message') or condition.get('reason')}",
            )
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state, restarts = container.get("state") or {}, container.get("restartCount", 0)
        again = f", restarted {restarts} times" if restarts > 1 else ", restarted once" if restarts else ""
        if "waiting" in state:
            reason, message = state["waiting"].get("reason", ""), state["waiting"].get("message", "")
            if reason in ("ContainerCreating", "PodInitializing"):
                return f"{name} creating", f"{name} pulls its image and mounts its volumes"
            return (
                f"{name} {reason}{restarts}",
                f"{name} {reason}{': ' + message if message else ''}{_last_exit(container)}",
            )
        if "terminated" in state:
            code = state["terminated"].get("exitCode")
            return f"{name} exited {restarts}", f"{name} exited with code {code}{again}"
        if "running" in state and not container.get("ready"):
            return f"{name} loading {restarts}", f"{name} loading, {_spent(pod, container, now)}{again}"
    return f"{name} {status.get('phase')}", f"{name} {str(status.get('phase') or 'accepted').lower()}"


def overdue(seen: Observation, seconds: int) -> Cause:
    """The cause when the time is up: what the pods say."""
    behind = [pod for pod in seen.new_pods if not is_ready(pod)]
    if not behind:
        problem = doom.failed_create(seen.replica_set) if seen.replica_set else "the controller made no ReplicaSet"
        sentence = f"After {seconds} s there is no pod: {problem or 'no reason is given'}"
        return Cause(id="no_pod", sentence=sentence, reason="ProgressDeadlineExceeded")
    texts = "; ".join(pod_state(pod, seen.now)[1] for pod in behind[:SHOWN])
    pod, container = behind[0], _first_container(behind[0])
    ended = (
        (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated") or {}
    )
    return Cause(
        id="not_ready_in_time",
        sentence=f"After {seconds} s {len(behind)} of its pods are not ready: {texts}",
        cure="Read the log of the pod; if it is still loading, raise the startup probe's budget",
        object=f"Pod/{pod['metadata']['name']}",
        container=container.get("name", ""),
        node=pod["spec"].get("nodeName", ""),
        reason=ended.get("reason", ""),
        exit_code=ended.get("exitCode"),
        message=(ended.get("message") or "").strip()[-1000:],
    )


def startup_budget(template: Object) -> int:
    """Seconds that the slowest container of a pod template may take to start, by its own startup and readiness
    probes."""

    def seconds(container: Object) -> int:
        startup, readiness = container.get("startupProbe"), container.get("readinessProbe") or {}
        first = (
            int(readiness.get("initialDelaySeconds", 0)) + int(readiness.get("periodSeconds", 10)) if readiness else 0
        )
        if not startup:
            return max(first, DEFAULT_STARTUP)
        tries = int(startup.get("failureThreshold", 3)) * int(startup.get("periodSeconds", 10))
        return int(startup.get("initialDelaySeconds", 0)) + tries + first

    return max(seconds(container) for container in template["spec"]["containers"])


def current_replica_set(deployment: Object, replica_sets: list[Object]) -> Object | None:
    """The ReplicaSet that the controller made from the Deployment's template: equal but for the hash label it adds."""
    for candidate in replica_sets:
        template = candidate["spec"]["template"]
        labels = {
            key: value for key, value in template["metadata"].get("labels", {}).items() if key != "pod-template-hash"
        }
        bare = template | {"metadata": template["metadata"] | {"labels": labels}}
        if _owner(candidate) == deployment["metadata"]["uid"] and bare == deployment["spec"]["template"]:
            return candidate
    return None


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def duration(seconds: float) -> str:
    """ "45s", "2m10s" """
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def _spent(pod: Object, container: dict[str, Any], now: datetime) -> str:
    started = datetime.fromisoformat(container["state"]["running"]["startedAt"]).astimezone(UTC)
    budget = startup_budget(
        {"spec": {"containers": [part for part in pod["spec"]["containers"] if part["name"] == container["name"]]}}
    )
    return f"{duration((now - started).total_seconds())} of {duration(budget)}"


def _last_exit(container: dict[str, Any]) -> str:
    ended = (container.get("lastState") or {}).get("terminated")
    return f" (exited with code {ended.get('exitCode')}, {container.get('restartCount', 0)} restarts)" if ended else ""


def _first_container(pod: Object) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return dict(next((status for status in statuses if not status.get("ready")), statuses[0]))


def _doomed(seen: Observation, fresh: list[Object]) -> doom.Doom | None:
    """The finding that ends the rollout: all new pods are doomed, or pods on two nodes. One doomed pod among others may
    be its node's fault, and is left to the deadline."""
    if not fresh:
        return doom.of_replica_set(seen.replica_set) if seen.replica_set else None
    found = [(pod, finding) for pod in fresh if (finding := doom.of_pod(pod, seen.deaths, seen.autopsies))]
    nodes = {pod["spec"].get("nodeName", "") for pod, _finding in found}
    return found[0][1] if found and (len(found) == len(fresh) or len(nodes) > 1) else None


def _owner(body: Object) -> str:
    return next(
        (owner["uid"] for owner in body["metadata"].get("ownerReferences") or [] if owner.get("controller")), ""
    )


def _deleting(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]
