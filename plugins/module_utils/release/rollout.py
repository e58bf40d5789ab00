# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rollout has come. Pure: one observation in, one of three answers out.

Every answer is bound to the ReplicaSet of the template that we applied and to its pods. The Deployment's own conditions
are not used: they still speak of the old revision for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import Deaths, statuses

DEFAULT_STARTUP = 600
ACCEPTED = "accepted"
# Pods of which a line tells.
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen at `now`. `replica_set` is the one of the current template, None until the controller has made
    it. `began`: as in with_deaths."""

    deployment: Object
    replica_set: Object | None
    pods: tuple[Object, ...]
    deaths: Deaths
    autopsies: doom.Autopsies
    hints: doom.Hints = field(default_factory=dict)
    began: str = ""
    now: datetime

    @property
    def new_pods(self) -> list[Object]:
        """The pods of the current template that nobody is deleting or has given up."""
        return [pod for pod in self._of_template if not _given_up(pod)]

    @property
    def given_up(self) -> list[Object]:
        """Those that their nodes have given up. They stay to be looked at, and others take their places."""
        return [pod for pod in self._of_template if _given_up(pod)]

    @property
    def ending(self) -> list[Object]:
        return [pod for pod in self.pods if _deleting(pod)]

    @property
    def _of_template(self) -> list[Object]:
        uid = self.replica_set["metadata"]["uid"] if self.replica_set else None
        return [pod for pod in self.pods if _owner(pod) == uid and not _deleting(pod)]

    @property
    def old_pods(self) -> list[Object]:
        uid = self.replica_set["metadata"]["uid"] if self.replica_set else ""
        return [pod for pod in self.pods if _owner(pod) != uid and not _deleting(pod) and not _given_up(pod)]


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
        waiting = Waiting(state=ACCEPTED, text="waiting for the Deployment controller")
        refused = None if seen.replica_set else doom.of_deployment(seen.deployment, seen.began)
        return Failed(doom=refused, meanwhile=waiting) if refused else waiting
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
    if not fresh:
        problem = doom.failed_create(seen.replica_set) if seen.replica_set else ""
        if seen.ending:
            ending = ", ".join(pod["metadata"]["name"] for pod in seen.ending[:SHOWN])
            return Waiting(state=f"no pod, {ending}", text=f"no new pod yet, waiting for {ending} to end")
        return Waiting(state=f"no pod {problem}", text=f"no new pod yet{': ' + problem if problem else ''}")
    behind = [pod for pod in fresh if not is_ready(pod)]
    if not behind and not seen.old_pods:
        return Waiting(state=ACCEPTED, text=f"{len(ready)} of {wanted} ready, waiting for the Deployment controller")
    if not behind:
        old = "1 old pod still serves" if len(seen.old_pods) == 1 else f"{len(seen.old_pods)} old pods still serve"
        return Waiting(state=f"{len(ready)} ready, {old}", text=f"{len(ready)} of {wanted} ready, {old}")
    states = [pod_state(pod, seen.now, seen.hints) for pod in behind[:SHOWN]]
    more = f"; {len(behind) - SHOWN} more are behind" if len(behind) > SHOWN else ""
    count = f"{len(ready)} of {wanted} ready, " if wanted > 1 else ""
    return Waiting(
        state=f"{len(ready)} {[state for state, _text in states]}",
        text=count + "; ".join(text for _state, text in states) + more,
    )


def pod_state(pod: Object, now: datetime, hints: doom.Hints | None = None) -> tuple[str, str]:
    """What a pod is doing: a word that changes only with its state, and a text for a person."""
    name, status, hint = pod["metadata"]["name"], pod.get("status") or {}, (hints or {}).get(pod["metadata"].get("uid"))
    problem = doom.unschedulable(pod)
    if problem is not None:
        return f"{name} unscheduled", f"{name} is not scheduled: {problem or 'Unschedulable'}"
    for container in statuses(pod):
        state, restarts = container.get("state") or {}, container.get("restartCount", 0)
        again = f", restarted {restarts} times" if restarts > 1 else ", restarted once" if restarts else ""
        if "waiting" in state:
            reason, message = state["waiting"].get("reason", ""), state["waiting"].get("message", "")
            if hint:
                return f"{name} {hint.id}{restarts}", f"{name} waits: {hint.sentence}"
            if reason in doom.CREATING:
                starts = may_start(pod)
                return (
                    f"{name} creating {starts}",
                    f"{name} {'pulls its image' if starts else 'sets up its volumes and network'}",
                )
            if reason == "CrashLoopBackOff":
                return f"{name} ended {restarts}", f"{name} {_last_exit(container)}waits to be started again"
            return f"{name} {reason}{restarts}", f"{name} {reason}{': ' + message if message else ''}"
        if "terminated" in state:
            code = state["terminated"].get("exitCode")
            return f"{name} exited {restarts}", f"{name} exited with code {code}{again}"
        if "running" in state and not container.get("ready"):
            doing = _doing(pod, container, now)
            return f"{name} {doing.split()[0]} {restarts}", f"{name} {doing}{again}"
    return f"{name} {status.get('phase')}", f"{name} {str(status.get('phase') or 'accepted').lower()}"


def messages(pod: Object) -> tuple[str, ...]:
    """What the pod's own status says of why it does not get on."""
    status = pod.get("status") or {}
    waits = ((part.get("state") or {}).get("waiting") or {} for part in statuses(pod))
    said = [status.get("message") if _given_up(pod) else None, *(wait.get("message") for wait in waits)]
    return tuple(str(text) for text in [*said, doom.unschedulable(pod)] if text)


def may_start(pod: Object) -> bool:
    """Whether its volumes are mounted and its sandbox is made: from then on it is the image that is waited for."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "PodReadyToStartContainers" and one["status"] == "True" for one in conditions)


def running_for(pod: Object, now: datetime) -> float:
    """Seconds since the container that is not ready yet was started; 0 where it does not run."""
    for container in statuses(pod):
        running = (container.get("state") or {}).get("running")
        if running and not container.get("ready"):
            return (now - datetime.fromisoformat(running["startedAt"]).astimezone(UTC)).total_seconds()
    return 0.0


def over_budget(pod: Object, now: datetime) -> bool:
    """Whether the startup probe has let its container run for as long as it will."""
    started = {status["name"]: status.get("started") for status in statuses(pod)}
    return any(
        started.get(container["name"]) is False
        and "startupProbe" in container
        and running_for(pod, now) > _startup(container["startupProbe"])
        for container in pod["spec"]["containers"]
    )


def startup_budget(template: Object) -> int:
    """Seconds that the slowest container of a pod template may take to start, by its own startup and readiness
    probes."""

    def seconds(container: Object) -> int:
        startup, readiness = container.get("startupProbe"), container.get("readinessProbe") or {}
        first = (
            int(readiness.get("initialDelaySeconds", 0)) + int(readiness.get("periodSeconds", 10)) if readiness else 0
        )
        return _startup(startup) + first if startup else max(first, DEFAULT_STARTUP)

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


def _startup(probe: Mapping[str, Any]) -> int:
    tries = int(probe.get("failureThreshold", 3)) * int(probe.get("periodSeconds", 10))
    return int(probe.get("initialDelaySeconds", 0)) + tries


def _doing(pod: Object, container: dict[str, Any], now: datetime) -> str:
    """Of a container that runs and is not ready."""
    spent = duration(running_for(pod, now))
    parts = [part for part in pod["spec"]["containers"] if part["name"] == container["name"]]
    if not parts:
        return f"initializing ({container['name']}), {spent}"
    if container.get("started") and "startupProbe" in parts[0]:
        return f"started, waits for its readiness probe, {spent}"
    return f"loading, {spent} of {duration(startup_budget({'spec': {'containers': parts}}))}"


def _last_exit(container: dict[str, Any]) -> str:
    ended = (container.get("lastState") or {}).get("terminated")
    count = container.get("restartCount", 0) + 1
    often = f" ({count} times)" if count > 1 else ""
    return f"exited with code {ended.get('exitCode')}{often}, " if ended else ""


def _doomed(seen: Observation, fresh: list[Object]) -> doom.Doom | None:
    """The finding that ends the rollout: all new pods are doomed, or pods on two nodes. One doomed pod among others may
    be its node's fault, and is left to the deadline; what no node takes, or the API server refuses, is no node's."""
    found = [
        (pod["spec"].get("nodeName", ""), finding)
        for pod in fresh
        if not is_ready(pod) and (finding := doom.of_pod(pod, seen.deaths, seen.autopsies, seen.hints))
    ]
    if len(found) < len(fresh) and len({node for node, _finding in found if node}) < 2:
        found = [(node, finding) for node, finding in found if not node]
    if found:
        return min((finding for _node, finding in found), key=lambda finding: doom.VERDICTS.index(finding.verdict))
    if given_up := doom.of_given_up(seen.given_up, seen.hints):
        return given_up
    missing = seen.replica_set and len(fresh) < seen.replica_set["spec"].get("replicas", 1)
    return doom.of_replica_set(seen.replica_set) if seen.replica_set and missing else None


def _owner(body: Object) -> str:
    return next(
        (owner["uid"] for owner in body["metadata"].get("ownerReferences") or [] if owner.get("controller")), ""
    )


def _deleting(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _given_up(pod: Object) -> bool:
    return bool((pod.get("status") or {}).get("phase") == "Failed")
