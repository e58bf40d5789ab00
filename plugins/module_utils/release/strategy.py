# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Deployment replaces its pods: with a further pod first, or with an old one going first. Pure.

Whether there is room for a further pod, only the scheduler knows. So a rollout begins with one, and where that one
finds no room, an old pod goes first: the Deployment is applied again with another strategy, the same new pod goes on
and takes the place. No count of GPUs is needed, and two servers that want the last one cannot wait for each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object, Strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom, gate, names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.nodes import requests
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import owned_fields
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import Observation

# What the scheduler says of room that a pod gives back when it ends.
TAKEN = re.compile(
    r"Insufficient \S+|Too many pods|free ports for the requested pod ports|anti-affinity rules|ReadWriteOncePod"
)
# Access modes of a volume that one node, or one pod, can have at a time.
SINGLE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})
# Events of the cluster autoscaler and of Karpenter: a node is on its way.
SCALING = frozenset({"TriggeredScaleUp", "Nominated"})


def _rolling(surge: int, unavailable: int) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


SURGE = Strategy(name="surge", spec=_rolling(1, 0))
REPLACE = Strategy(name="replace", spec=_rolling(0, 1))
RECREATE = Strategy(name="recreate", spec={"type": "Recreate"})
KNOWN = (SURGE, REPLACE, RECREATE)


def own(body: Object) -> Strategy:
    return Strategy(name="own", spec=body["spec"]["strategy"], reason="named by the Deployment")


def choose(wanted: str, body: Object, live: Object | None, *, volume: str = "", ready: bool = True) -> Strategy:
    """The strategy for a Deployment that names none, before it is tried. `wanted`: auto, surge or replace; `volume`: a
    claim of its pods that only one node at a time can mount; `ready`: whether a pod of the live one is.

    Without a new pod template nothing rolls out: the strategy stays as we left it, so that it is no change."""
    left = _left(live)
    if left and not rolls_out(body, live):
        return left
    if wanted != "auto":
        return replace(SURGE if wanted == "surge" else REPLACE, reason="as asked for")
    if volume:
        return without_surge(body, f"only one node at a time can mount PersistentVolumeClaim/{volume}")
    if live and left and left.name != "surge" and _unfinished(live):
        return replace(left, reason="a rollout that had no room for a further pod is not over")
    if live and not ready:
        return replace(REPLACE, reason="no pod is ready that would have to be kept")
    return SURGE


def contradictions(objects: Iterable[Object], wanted: str) -> Iterator[Finding]:
    """Deployments that say themselves how they replace their pods, though `wanted` says so, too."""
    for body in objects:
        if wanted != "auto" and body["kind"] == "Deployment" and "strategy" in body["spec"]:
            yield Finding(
                rule="strategy-twice",
                level="error",
                what=f"{names.identity(body)} names its own strategy, and {wanted} is asked for as well",
                why="only one of them can count",
                do="Leave one out",
                setting="strategy",
            )


def without_surge(body: Object, reason: str) -> Strategy:
    """One pod at a time; all at once only where there is only one, which must have ended before the next can be
    made."""
    return replace(RECREATE if body["spec"].get("replicas", 1) == 1 else REPLACE, reason=reason)


def with_strategy(body: Object, strategy: Strategy) -> Object:
    return body | {"spec": body["spec"] | {"strategy": strategy.spec}}


def rolls_out(body: Object, live: Object | None) -> bool:
    """True when the Deployment gets other pods than it has."""
    return live is None or gate.digest(live) != gate.digest(body)


def created(pod: Object) -> datetime:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"])


def claims(body: Object) -> list[str]:
    """The names of the claims that a Deployment's pods mount."""
    volumes = body["spec"]["template"]["spec"].get("volumes") or []
    sources = (volume.get("persistentVolumeClaim") or {} for volume in volumes)
    return [source["claimName"] for source in sources if source.get("claimName")]


def single(claim: Object) -> bool:
    modes = (claim.get("spec") or {}).get("accessModes") or []
    return bool(modes) and SINGLE.issuperset(modes)


def stuck(seen: Observation) -> str:
    """What keeps a new pod from coming that an old one would give back: the words of the scheduler or of the quota.
    Empty while a pod is ending: its room may be what is waited for."""
    if not seen.old_pods or seen.ending:
        return ""
    if not seen.new_pods and seen.replica_set:
        problem = doom.failed_create(seen.replica_set)
        return problem if "exceeded quota" in problem else ""
    return next((lack for pod in seen.new_pods if (lack := _no_room(pod))), "")


def takes_place(seen: Observation) -> bool:
    """True when a new pod fits for certain where an old one is: it asks for no more of anything, and may go wherever
    that one may."""
    fresh = seen.new_pods[0]["spec"] if seen.new_pods else seen.deployment["spec"]["template"]["spec"]
    return any(_takes_place(fresh, old["spec"]) for old in seen.old_pods)


def _no_room(pod: Object) -> str:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            # "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 … . no new claims…, preemption: …"
            message = str(condition.get("message", "")).partition(". ")[0]
            return message if TAKEN.search(message) else ""
    return ""


def _takes_place(fresh: Object, old: Object) -> bool:
    asked, given = requests(fresh), requests(old)
    selector, old_selector = ((pod.get("nodeSelector") or {}).items() for pod in (fresh, old))
    return (
        all(value <= given.get(resource, 0) for resource, value in asked.items())
        and selector <= old_selector
        and fresh.get("affinity") in (None, {}, old.get("affinity"))
        and all(_among(toleration, fresh.get("tolerations")) for toleration in _tolerations(old))
    )


def _tolerations(pod: Object) -> list[Object]:
    """But for those that admission gives every pod."""
    return [one for one in pod.get("tolerations") or [] if not str(one.get("key")).startswith("node.kubernetes.io/")]


def _among(toleration: Object, tolerations: Iterable[Object] | None) -> bool:
    def plain(one: Object) -> Object:
        return {key: value for key, value in one.items() if value not in (None, "")} | {
            "operator": one.get("operator") or "Equal"
        }

    return plain(toleration) in map(plain, tolerations or [])


def _left(live: Object | None) -> Strategy | None:
    """The strategy of a live Deployment, where it is one of ours and nobody has laid hands on it."""
    if live is None or "f:strategy" not in owned_fields(live).get("f:spec", {}):
        return None
    spec = live["spec"].get("strategy") or {}
    fields = owned_fields(live)["f:spec"]["f:strategy"]
    parts = {"f:type"} if spec.get("type") == "Recreate" else {"f:type", "f:rollingUpdate"}
    return next((known for known in KNOWN if known.spec == spec and parts <= fields.keys()), None)


def _unfinished(live: Object) -> bool:
    """Whether it has pods of an older template. Who is ready is left out: the status says so somewhat late."""
    return bool((live.get("status") or {}).get("updatedReplicas", 0) < live["spec"].get("replicas", 1))
