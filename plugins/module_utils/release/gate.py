# SPDX-License-Identifier: GPL-3.0-or-later
"""The verification gate: the controller itself holds a rollout after its first new pod, until that pod has answered.

While minReadySeconds is long, a new pod becomes Ready but not available, and a Deployment never replaces a further old
pod before that. It holds even if we are killed, for a week. Without old pods there is nobody to protect, and on the way
back to pods that still run it would keep the bad one (its good pods would not count as available)."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Step

# Seconds. minReadySeconds must stay below progressDeadlineSeconds, whose passing nobody heeds here.
CLOSED = {"minReadySeconds": 7 * 24 * 3600, "progressDeadlineSeconds": 7 * 24 * 3600 + 60}


def closed(body: Object) -> Object:
    """The Deployment with its gate closed."""
    return body | {"spec": body["spec"] | CLOSED}


def holds(live: Object, body: Object) -> bool:
    """True when the gate of a live Deployment is closed, unless `body` itself wants it that way."""
    return _is_closed(live) and not _is_closed(body)


def is_closed(step: Step) -> bool:
    """True when the live Deployment has this very template and a closed gate: a run that was cut short left it so."""
    return bool(step.live and digest(step.live) == digest(step.body) and _is_closed(step.live))


def may_close(step: Step) -> bool:
    """True when the step brings another pod template, by way of a rolling update, to a Deployment that is there."""
    if step.live is None or step.body["spec"]["strategy"].get("type") == "Recreate":
        return False
    return digest(step.live) != digest(step.body)


def comes_back(body: Object, replica_sets: Iterable[Object]) -> bool:
    """True when a ReplicaSet of the wanted template still has pods."""
    return any(
        digest(candidate) == digest(body) and (candidate.get("status") or {}).get("replicas", 0) > 0
        for candidate in replica_sets
    )


def digest(body: Object) -> str:
    """The pod template's digest, as it was stamped on it."""
    metadata = body["spec"]["template"].get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(names.POD_TEMPLATE_DIGEST, ""))


def _is_closed(body: Object) -> bool:
    return bool(body["spec"].get("minReadySeconds") == CLOSED["minReadySeconds"])
