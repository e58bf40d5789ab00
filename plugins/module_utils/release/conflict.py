# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else has a hand in an object, and what to do about it. Pure: read from managedFields and from the server's
refusal.

Another *Update* manager (kubectl edit, kubectl scale) made a change by hand: drift, which a release takes back. Another
*Apply* manager (Flux, Argo CD, Helm 4) means to own the field, and would take it back in turn: refused. A scaler owns
the number of replicas: left to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object

REPLICAS_MANAGER = FIELD_MANAGER + "-replicas"
# The horizontal pod autoscaler runs in here, and writes through the scale subresource.
SCALERS = ("kube-controller-manager", "horizontal-pod-autoscaler")
# Components of the cluster complete objects (a PVC's volumeName, a Service's health check port): no drift.
COMPONENTS = (
    "kube-controller-manager",
    "kube-scheduler",
    "kube-apiserver",
    "kubelet",
    "cloud-controller-manager",
    "horizontal-pod-autoscaler",
)
# `kubectl rollout restart` is a request, not a state: taking it back would restart the server once more.
RESTART: dict[str, Any] = {
    "f:spec": {"f:template": {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}}}
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """One field that somebody else owns."""

    manager: str
    field: str


def clashes(causes: Iterable[dict[str, str]]) -> list[Clash]:
    """From the causes of a 409: `conflict with "kubectl-edit" using apps/v1`, field `.spec.replicas`."""
    found = []
    for cause in causes:
        quoted = re.search(r'conflict with "([^"]*)"', cause.get("message", ""))
        if cause.get("reason") == "FieldManagerConflict" and quoted:
            found.append(Clash(manager=quoted[1], field=cause.get("field", "")))
    return found


def value_at(body: Object, field: str) -> Any:
    """The value that a field path like `.spec.containers[name="vllm"].image` leads to; None where there is none. A key
    with dots in it is not found."""
    value: Any = body
    for name, keys in re.findall(r"\.([^.\[]+)|\[([^\]]*)\]", field):
        if name and isinstance(value, dict):
            value = value.get(name)
        elif keys and isinstance(value, list):
            wanted = [(key, part.strip('"')) for key, _is, part in (pair.partition("=") for pair in keys.split(","))]
            items = (item for item in value if isinstance(item, dict))
            value = next((item for item in items if all(str(item.get(key)) == part for key, part in wanted)), None)
        else:
            return None
    return value


def appliers(live: Object) -> frozenset[str]:
    """The managers other than ours that own fields by server-side apply."""
    return frozenset(
        entry["manager"]
        for entry in live["metadata"].get("managedFields") or []
        if entry["operation"] == "Apply" and entry["manager"] not in (FIELD_MANAGER, REPLICAS_MANAGER)
    )


def scaled(live: Object) -> bool:
    """True when an autoscaler has set the number of replicas."""
    return any(
        entry["manager"] in SCALERS
        and entry.get("subresource") == "scale"
        and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in live["metadata"].get("managedFields") or []
    )


def ceded(live: Object) -> bool:
    """True when we have handed the number of replicas over."""
    return any(entry["manager"] == REPLICAS_MANAGER for entry in live["metadata"].get("managedFields") or [])


def handed_over(live: Object) -> int:
    """The number of pods with which a Deployment is left to a scaler. None begins at zero, which is how we leave a
    server that was stopped."""
    replicas = int(live["spec"].get("replicas", 1))
    return replicas if ceded(live) or scaled(live) else max(replicas, 1)


def foreign(live: Object) -> dict[str, dict[str, Any]]:
    """Fields that people or tools added to an object of ours beside what we apply: manager -> fieldsV1.

    Force does not take these away, since we do not own them. Labels and annotations of the object itself are
    everybody's; status belongs to controllers."""
    found: dict[str, dict[str, Any]] = {}
    for entry in live["metadata"].get("managedFields") or []:
        ours = entry["manager"] in (FIELD_MANAGER, REPLICAS_MANAGER)
        if ours or entry["operation"] != "Update" or entry.get("subresource") or entry["manager"] in COMPONENTS:
            continue
        fields = {
            key: below for key, below in (entry.get("fieldsV1") or {}).items() if key not in ("f:metadata", "f:status")
        }
        fields = minus(fields, RESTART)
        if fields:
            found[entry["manager"]] = merged(found.get(entry["manager"], {}), fields)
    return found


def taken_over(live: Object, managers: Iterable[str]) -> list[Object]:
    """The JSON patch after which we own, as if we had applied them, all fields of these managers. Then an apply removes
    what it does not name. Fenced with the resourceVersion that was read."""
    wanted = frozenset(managers)
    entries = live["metadata"].get("managedFields") or []
    ours: dict[str, Any] = {}
    rest = []
    for entry in entries:
        mine = entry["manager"] == FIELD_MANAGER and entry["operation"] == "Apply"
        if (mine or entry["manager"] in wanted) and not entry.get("subresource"):
            ours = merged(ours, entry.get("fieldsV1") or {})
        else:
            rest.append(entry)
    owner = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": live["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": ours,
    }
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": [*rest, owner]},
    ]


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The union of two fieldsV1."""
    return one | {key: merged(one[key], below) if key in one else below for key, below in other.items()}


def minus(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The fields of `one` that are not in `other`; nodes that hold nothing else go, too."""
    left = {}
    for key, below in one.items():
        if key not in other:
            left[key] = below
        elif below and other[key]:
            rest = minus(below, other[key])
            if rest.keys() - {"."}:
                left[key] = rest
    return {} if left.keys() <= {"."} else left


def without(value: Any, fields: dict[str, Any]) -> Any:
    """`value` less what `fields` names: what will be left once somebody's fields are taken over and not applied."""
    if isinstance(value, dict):
        kept = dict(value)
        for key, below in fields.items():
            name = key.removeprefix("f:")
            if key == "." or name not in kept:
                continue
            if below:
                kept[name] = without(kept[name], below)
            if not below or kept[name] in ({}, []):
                del kept[name]
        return kept
    if isinstance(value, list):
        return _items_without(value, fields)
    return value


def _items_without(items: list[Any], fields: dict[str, Any]) -> list[Any]:
    kept = list(items)
    for key, below in fields.items():
        sort, _colon, rest = key.partition(":")
        if sort == "k":
            wanted = json.loads(rest)
            kept = [
                item
                if any(item.get(name) != part for name, part in wanted.items())
                else None
                if "." in below
                else without(item, below)
                for item in kept
            ]
            kept = [item for item in kept if item is not None]
        elif sort == "v":
            kept = [item for item in kept if item != json.loads(rest)]
    return kept
