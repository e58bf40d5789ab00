# SPDX-License-Identifier: GPL-3.0-or-later
"""Is there room for a pod: now, once an old one has gone, or never. Pure: judged from a snapshot of nodes and pods."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.quantity import amount
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.nodes import objection, requests

# As plain data, so that one task can hand it to the next (see `packed`): {"nodes": [{name, labels, taints, cordoned,
# allocatable, used}], "holders": [{namespace, name, labels, node, ending, requests}]}; amounts as text.
Snapshot: TypeAlias = Mapping[str, Any]
# What says of a node that it was made for a pool, to which others may be added.
POOLS = (
    "karpenter.sh/nodepool",
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "kubernetes.azure.com/agentpool",
    "cluster-autoscaler.kubernetes.io/enabled",
)
OVER = ("Succeeded", "Failed")


class Verdict(StrEnum):
    NOW = "now"
    AFTER = "after"  # when an old pod of the same server, or one that is ending anyway, has gone
    FULL = "full"  # others have it
    TOO_LARGE = "too large"  # for every node that it may go to
    NO_NODE = "no node"  # that it may go to


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """`places`: node -> pods that fit there now. `after`: nodes where one fits when one has gone. `objections`: why not
    -> the nodes of which that is true. `asked`, `resource`: the amount of what is lacking. `largest`: (node, amount) of
    it; `holders`: who has it ("namespace/pod 8"), those that are ending included."""

    verdict: Verdict
    places: Mapping[str, int]
    after: tuple[str, ...] = ()
    objections: Mapping[str, tuple[str, ...]]
    resource: str = ""
    asked: Decimal = Decimal()
    largest: tuple[str, Decimal] = ("", Decimal())
    holders: tuple[str, ...] = ()


def snapshot(nodes: Iterable[Object], pods: Iterable[Object]) -> Snapshot:
    """What is needed of nodes and of the pods of all namespaces. Of pods that neither hold a device nor are ours, only
    the sum is kept."""
    used: dict[str, dict[str, Decimal]] = {}
    holders = []
    for pod in pods:
        node, spec, metadata = pod["spec"].get("nodeName"), pod["spec"], pod["metadata"]
        if not node or (pod.get("status") or {}).get("phase") in OVER:
            continue
        asked = requests(spec)
        total = used.setdefault(node, {})
        for resource, value in asked.items():
            total[resource] = total.get(resource, Decimal()) + value
        if any("/" in resource for resource in asked) or names.POD_TEMPLATE_DIGEST in (
            metadata.get("annotations") or {}
        ):
            holder = {"namespace": metadata["namespace"], "name": metadata["name"], "node": node}
            holder |= {"labels": metadata.get("labels") or {}, "ending": "deletionTimestamp" in metadata}
            holders.append(holder | {"requests": _written(asked)})
    return {
        "nodes": [
            {
                "name": node["metadata"]["name"],
                "labels": node["metadata"].get("labels") or {},
                "taints": node["spec"].get("taints") or [],
                "cordoned": bool(node["spec"].get("unschedulable")),
                "allocatable": (node.get("status") or {}).get("allocatable") or {},
                "used": _written(used.get(node["metadata"]["name"], {})),
            }
            for node in nodes
        ],
        "holders": holders,
    }


def packed(seen: Snapshot) -> str:
    """As one short text. Ansible looks into every corner of what tasks hand to each other, and nodes have many."""
    return base64.b64encode(zlib.compress(names.canonical(seen))).decode()


def unpacked(text: str) -> Snapshot:
    """Raises ValueError for what `packed` did not make."""
    try:
        return dict(json.loads(zlib.decompress(base64.b64decode(text, validate=True))))
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError("it is not what another task has read") from error


def fit(pod: Object, seen: Snapshot, ours: Callable[[Mapping[str, Any]], bool]) -> Fit:
    """Where a pod spec fits. `ours`: tells a holder that a rollout would take away."""
    asked = requests(pod)
    objections: dict[str, list[str]] = {}
    places: dict[str, int] = {}
    after, full, small = [], [], []
    for node in seen["nodes"]:
        why = objection(pod, node)
        if why:
            objections.setdefault(why, []).append(node["name"])
            continue
        whole = _amounts(node["allocatable"])
        if _short(asked, whole):
            small.append(node)
            continue
        free = _less(whole, _amounts(node["used"]))
        if not _short(asked, free):
            places[node["name"]] = min(int(free[resource] // value) for resource, value in asked.items())
        elif any(not _short(asked, _more(free, back)) for back in _given_back(node["name"], seen, ours)):
            after.append(node["name"])
        else:
            full.append(node)
    told = {why: tuple(nodes) for why, nodes in objections.items()}
    if places or after:
        return Fit(verdict=Verdict.NOW if places else Verdict.AFTER, places=places, after=tuple(after), objections=told)
    if full:
        resource = _short(asked, _less(_amounts(full[0]["allocatable"]), _amounts(full[0]["used"])))
        return Fit(
            verdict=Verdict.FULL,
            places={},
            objections=told,
            resource=resource,
            asked=asked[resource],
            largest=_largest(full, resource, free=True),
            holders=tuple(_holders(resource, {node["name"] for node in full}, seen)),
        )
    if small:
        resource = _short(asked, _amounts(small[0]["allocatable"]))
        return Fit(
            verdict=Verdict.TOO_LARGE,
            places={},
            objections=told,
            resource=resource,
            asked=asked[resource],
            largest=_largest(small, resource),
        )
    return Fit(verdict=Verdict.NO_NODE, places={}, objections=told)


def suits(pod: Object, node: Mapping[str, Any]) -> bool:
    """True for a node that the pod may go to and that has a device as it asks for."""
    return not objection(pod, node) and amount(node["allocatable"].get(devices(pod), 0)) > 0


def belongs(deployment: Object) -> Callable[[Mapping[str, Any]], bool]:
    """Tells the holders that are pods of a Deployment."""
    namespace, selector = deployment["metadata"].get("namespace"), deployment["spec"]["selector"]["matchLabels"].items()
    return lambda holder: holder["namespace"] == namespace and selector <= holder["labels"].items()


def grows(seen: Snapshot) -> bool:
    """True when nodes come from pools: an autoscaler may add what is not there."""
    return any(key in node["labels"] for node in seen["nodes"] for key in POOLS)


def free(seen: Snapshot, node: str, resource: str) -> Decimal:
    found = next(one for one in seen["nodes"] if one["name"] == node)
    return _less(_amounts(found["allocatable"]), _amounts(found["used"])).get(resource, Decimal())


def devices(pod: Object) -> str:
    """The extended resource that a pod spec asks for, a GPU as a rule; empty if none."""
    return next((resource for resource in sorted(requests(pod)) if "/" in resource), "")


def number(value: Decimal) -> str:
    """ "4", "1.5", "24Gi" """
    gibi = Decimal(1024) ** 3
    if value >= gibi:
        return f"{value / gibi:.1f}".removesuffix(".0") + "Gi"
    return f"{value.normalize():f}"


def _given_back(node: str, seen: Snapshot, ours: Callable[[Mapping[str, Any]], bool]) -> Iterator[dict[str, Decimal]]:
    """What a node gets back when a pod of ours goes, together with those that are ending anyway."""
    there = [holder for holder in seen["holders"] if holder["node"] == node]
    ending: dict[str, Decimal] = {}
    for holder in there:
        if holder["ending"]:
            ending = _more(ending, _amounts(holder["requests"]))
    if ending:
        yield ending
    for holder in there:
        if not holder["ending"] and ours(holder):
            yield _more(ending, _amounts(holder["requests"]))


def _holders(resource: str, nodes: set[str], seen: Snapshot) -> Iterator[str]:
    for holder in seen["holders"]:
        if holder["node"] in nodes and resource in holder["requests"]:
            ending = ", ending" if holder["ending"] else ""
            yield f"{holder['namespace']}/{holder['name']} ({holder['requests'][resource]}{ending})"


def _largest(nodes: Iterable[Mapping[str, Any]], resource: str, *, free: bool = False) -> tuple[str, Decimal]:
    """The node that has most of a resource, and how much."""

    def has(node: Mapping[str, Any]) -> Decimal:
        whole = _amounts(node["allocatable"])
        return (_less(whole, _amounts(node["used"])) if free else whole).get(resource, Decimal())

    best = max(nodes, key=has)
    return best["name"], has(best)


def _short(asked: Mapping[str, Decimal], room: Mapping[str, Decimal]) -> str:
    """A resource of which there is too little; a device, if there is too little of one."""
    lacking = [resource for resource, value in asked.items() if room.get(resource, Decimal()) < value]
    return min(lacking, key=lambda resource: "/" not in resource, default="")


def _less(whole: Mapping[str, Decimal], part: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {resource: value - part.get(resource, Decimal()) for resource, value in whole.items()}


def _more(whole: Mapping[str, Decimal], part: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {
        resource: whole.get(resource, Decimal()) + part.get(resource, Decimal())
        for resource in whole.keys() | part.keys()
    }


def _amounts(written: Mapping[str, Any]) -> dict[str, Decimal]:
    return {resource: amount(value) for resource, value in written.items()}


def _written(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {resource: f"{value:f}" for resource, value in amounts.items()}
