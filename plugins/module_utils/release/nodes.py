# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a pod may go to, and what it asks them for: the scheduler's filters, as far as a pod names them. Pure.

Node selector, required node affinity, taints, cordons and requests are here. Affinity to other pods, topology spread
and volumes are not: they depend on what else is placed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.quantity import amount

CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
NOT_READY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def requests(pod: Object) -> dict[str, Decimal]:
    """What a pod spec asks a node for: the sum of its containers (and of init containers that keep running), or its
    largest init container, and its overhead. "pods" counts itself."""
    total: dict[str, Decimal] = {}
    for container in [*(pod.get("containers") or []), *filter(_keeps_running, pod.get("initContainers") or [])]:
        for resource, value in _asked(container).items():
            total[resource] = total.get(resource, Decimal()) + value
    for container in pod.get("initContainers") or []:
        if not _keeps_running(container):
            for resource, value in _asked(container).items():
                total[resource] = max(total.get(resource, Decimal()), value)
    for resource, value in (pod.get("overhead") or {}).items():
        total[resource] = total.get(resource, Decimal()) + amount(value)
    return {resource: value for resource, value in total.items() if value} | {"pods": Decimal(1)}


def objection(pod: Object, node: Mapping[str, Any]) -> str:
    """Why a pod spec may not go to a node, whatever room it has; empty if it may. `node`: name, labels, taints,
    cordoned."""
    labels = node["labels"]
    if pod.get("nodeName") not in (None, node["name"]):
        return f"is not the node {pod['nodeName']}"
    for key, value in (pod.get("nodeSelector") or {}).items():
        if labels.get(key) != str(value):
            return f"lacks the label {key}={value}"
    required = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required and not any(_matches(term, node) for term in required.get("nodeSelectorTerms") or []):
        return "does not match the node affinity"
    tolerations = pod.get("tolerations") or []
    if node["cordoned"] and not _tolerated(CORDON, tolerations):
        return "is cordoned"
    for taint in node["taints"]:
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not _tolerated(taint, tolerations):
            if taint["key"] in NOT_READY:
                return "is not ready"
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"has the taint {taint['key']}{value}:{taint['effect']}"
    return ""


def _asked(container: Object) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    asked = (resources.get("limits") or {}) | (resources.get("requests") or {})
    return {resource: amount(value) for resource, value in asked.items()}


def _keeps_running(container: Object) -> bool:
    return container.get("restartPolicy") == "Always"


def _matches(term: Object, node: Mapping[str, Any]) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(_holds(one, node["labels"]) for one in expressions) and all(
        _holds(one, {"metadata.name": node["name"]}) for one in fields
    )


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    operator, values, value = expression["operator"], expression.get("values") or [], labels.get(expression["key"])
    if operator in ("Exists", "DoesNotExist"):
        return bool((value is not None) == (operator == "Exists"))
    if operator in ("In", "NotIn"):
        return bool((value in values) == (operator == "In"))
    try:
        have, bound = int(str(value)), int(values[0])
    except (ValueError, IndexError):
        return False
    return have > bound if operator == "Gt" else have < bound


def _tolerated(taint: Object, tolerations: Iterable[Object]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if not toleration.get("key"):
        return bool(toleration.get("operator") == "Exists")
    same = bool((toleration.get("value") or "") == (taint.get("value") or ""))
    return bool(toleration["key"] == taint["key"]) and (toleration.get("operator") == "Exists" or same)
