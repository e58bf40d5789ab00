# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that a release needs, and which of them an account lacks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import PLURALS
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import optional
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import KEPT

# API group, resource, verb.
Right: TypeAlias = tuple[str, str, str]
OBJECTS = ("get", "list", "create", "patch")
# Head and records, and what is looked at while a rollout goes on.
ALWAYS: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("", "configmaps", (*OBJECTS, "update", "delete")),
    ("apps", "replicasets", ("list",)),
    ("", "pods", ("list",)),
    ("", "pods/log", ("get",)),
    ("", "pods/portforward", ("get", "create")),
)


def needed(objects: Iterable[Object]) -> list[Right]:
    """What it takes to release these objects; not what only makes messages better, and not what kinds need that the
    cluster may not serve."""
    wanted = list(ALWAYS)
    for body in objects:
        plural = PLURALS.get((body["apiVersion"], body["kind"]))
        if plural and not optional(body):
            verbs = OBJECTS if body["kind"] in KEPT else (*OBJECTS, "delete")
            wanted.append((body["apiVersion"].rpartition("/")[0], plural, verbs))
    rights = ((group, resource, verb) for group, resource, verbs in wanted for verb in verbs)
    return list(dict.fromkeys(rights))


def findings(objects: Iterable[Object], review: Mapping[str, Any]) -> Iterator[Finding]:
    """`review`: the status of a SelfSubjectRulesReview; empty where there is none."""
    rules = review.get("resourceRules") or []
    lacking: dict[str, list[str]] = {}
    for right in needed(objects) if rules else []:
        if not any(_grants(rule, right) for rule in rules):
            lacking.setdefault(right[1], []).append(right[2])
    if lacking:
        yield Finding(
            rule="rights",
            # There may be others who grant rights, and do not tell which.
            level="warning" if review.get("incomplete") else "error",
            what="The account lacks rights that a release needs",
            why="it has no right to " + ", ".join(f"{' and '.join(verbs)} {what}" for what, verbs in lacking.items()),
            do="Add them to a Role of that account in the namespace",
        )


def _grants(rule: Mapping[str, Any], right: Right) -> bool:
    group, resource, verb = right
    _whole, _slash, part = resource.partition("/")
    return (
        not rule.get("resourceNames")
        and not {verb, "*"}.isdisjoint(rule.get("verbs") or [])
        and not {group, "*"}.isdisjoint(rule.get("apiGroups") or [])
        and not {resource, "*", f"*/{part}"}.isdisjoint(rule.get("resources") or [])
    )
