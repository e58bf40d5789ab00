# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say about the room for a server's pods, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import capacity
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.capacity import Fit, Snapshot, Verdict, number
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.names import identity

# Nodes and pods that one sentence names.
SHOWN = 4


def findings(deployment: Object, seen: Snapshot) -> Iterator[Finding]:
    """Errors for what cannot be placed, warnings for what an autoscaler may yet place and for gaps, notes for what
    fits."""
    ours, pod = capacity.belongs(deployment), deployment["spec"]["template"]["spec"]
    there = sum(ours(holder) and not holder["ending"] for holder in seen["holders"])
    replicas = int(deployment["spec"].get("replicas", 1))
    fit, name, grows = capacity.fit(pod, seen, ours), identity(deployment), capacity.grows(seen)
    level = "warning" if grows else "error"
    later = " now; an autoscaler may add one" if grows else ""
    if fit.verdict is Verdict.NO_NODE:
        yield Finding(
            rule="no-node",
            level=level,
            what=f"There is no node for {name}{later}",
            why=_objections(fit) or "the cluster has no nodes",
            do="Correct node selector, affinity and tolerations, or add such a node",
            setting=_culprit(fit),
        )
    elif fit.verdict is Verdict.TOO_LARGE:
        node, most = fit.largest
        yield Finding(
            rule="too-large",
            level=level,
            what=f"No node is large enough for {name}{later}",
            why=f"it asks for {number(fit.asked)} {fit.resource}, and the largest node that suits it, {node}, "
            f"has {number(most)}{_besides(fit)}",
            do="Ask for less, or add a larger node",
            setting=_setting(fit.resource),
        )
    elif fit.verdict is Verdict.FULL:
        node, most = fit.largest
        yield Finding(
            rule="no-room",
            level=level,
            what=f"No node has room for {name}{later}",
            why=f"it asks for {number(fit.asked)} {fit.resource}, and {node} has {number(most)} free{_held(fit)}"
            f"{_besides(fit)}",
            do="Wait for room, free it, or ask for less",
            setting=_setting(fit.resource),
        )
    elif fit.verdict is Verdict.AFTER:
        alone = replicas == 1 and there > 0
        yield Finding(
            rule="fits-after",
            level="warning" if alone or not there else "note",
            what=f"There is no room for a further pod of {name}; it fits when an old one has gone",
            why=f"on {_some(fit.after)}" + (", and nobody serves until the new one is ready" if alone else ""),
            do="Expect the gap, or add a node" if alone else "Nothing: the release lets an old pod go first",
            setting="strategy" if alone else "",
        )
    else:
        yield from _places(name, pod, fit, seen, missing=replicas - there)


def unknown(deployment: Object, why: str) -> Finding:
    return Finding(
        rule="nodes-unknown",
        level="note",
        what=f"Whether a node has room for {identity(deployment)} is not known",
        why=why,
        do="Read the scheduler's own words in a release, or grant the right to list nodes and pods",
    )


def _places(name: str, pod: Object, fit: Fit, seen: Snapshot, *, missing: int) -> Iterator[Finding]:
    resource, places = capacity.devices(pod), sum(fit.places.values())
    if places < missing:
        yield Finding(
            rule="too-few-places",
            level="warning" if capacity.grows(seen) else "error",
            what=f"{name} lacks {missing} pods, and there is room for {places}",
            why=f"on {_some(fit.places)}{_besides(fit)}",
            do="Ask for fewer replicas, or add a node",
            setting="replicas",
        )
        return
    room = [f"{node} ({number(capacity.free(seen, node, resource))} {resource} free)" for node in fit.places]
    yield Finding(
        rule="fits",
        level="note",
        what=f"There is room for a further pod of {name}",
        why=f"on {_some(room if resource else fit.places)}",
        do="Nothing",
    )


def _objections(fit: Fit) -> str:
    return "; ".join(f"{_some(nodes)} {why}" for why, nodes in fit.objections.items())


def _besides(fit: Fit) -> str:
    return f" ({_objections(fit)})" if fit.objections else ""


def _held(fit: Fit) -> str:
    return f", held by {_some(fit.holders)}" if fit.holders else ""


def _some(names: Iterable[str]) -> str:
    """ "a, b, c, d and 3 more" """
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def _culprit(fit: Fit) -> str:
    """What most nodes object to."""
    why = max(fit.objections, key=lambda one: len(fit.objections[one]), default="")
    settings = {"lacks the label": "node selector", "has the taint": "tolerations", "does not match": "affinity"}
    return next((setting for start, setting in settings.items() if why.startswith(start)), "")


def _setting(resource: str) -> str:
    if "/" in resource:
        return "gpus"
    return f"{resource} request" if resource in ("cpu", "memory") else ""
