# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release would do, decided from what was read: nothing at all, or which step for which object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.diff import NO_DIFFERENCE, Difference
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Head, Item

# Objects of one wave are applied together; what pods need comes before them, what watches them after.
WAVES = (
    (
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ConfigMap",
        "PersistentVolumeClaim",
        "NetworkPolicy",
        "PodDisruptionBudget",
    ),
    ("Service",),
    ("Deployment",),
)
# Never deleted without being asked for: they hold data.
KEPT = ("PersistentVolumeClaim",)

Key: TypeAlias = tuple[str, str, str]


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SKIP = "skip"  # an optional object whose kind the cluster does not serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one object: `body` as it is applied, `live` as it was read, the server's warnings about it."""

    action: Action
    body: Object
    live: Object | None = None
    difference: Difference = NO_DIFFERENCE
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return self.action in (Action.CREATE, Action.UPDATE)

    def __str__(self) -> str:
        return names.identity(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`steps` in the order of the definition; `left`: inventory that the definition no longer names; `untouched`:
    objects that needed no step, since nothing about them has changed."""

    steps: tuple[Step, ...]
    left: tuple[Item, ...] = ()
    untouched: int = 0

    @property
    def changes(self) -> bool:
        return any(step.changes for step in self.steps)

    @property
    def summary(self) -> str:
        """ "2 to create, 1 to update, 7 unchanged" """
        counts = {action: sum(step.action is action for step in self.steps) for action in Action}
        words = [
            (counts[Action.CREATE], "to create"),
            (counts[Action.UPDATE], "to update"),
            (counts[Action.UNCHANGED], "unchanged"),
            (counts[Action.SKIP], "left out (the cluster does not serve their kind)"),
        ]
        return ", ".join(f"{count} {word}" for count, word in words if count) or "nothing to do"


def key_of(body: Object) -> Key:
    return body["apiVersion"], body["kind"], body["metadata"]["name"]


def untouched(head: Head | None, digest: str, live: Mapping[Key, Object]) -> bool:
    """True when this very definition is committed and nobody has changed, replaced or deleted any of its objects.

    False only means: look closer. An operation that was cut short is a reason to look closer, too.
    """
    if head is None or head.operation or head.current is None or head.current.digest != digest:
        return False
    return all(
        item.key in live
        and live[item.key]["metadata"]["uid"] == item.uid
        and live_digest(live[item.key]) == item.digest
        for item in head.inventory
    )


def waves(steps: Iterable[Step], *, reverse: bool = False) -> list[list[Step]]:
    """The steps in groups that belong together, empty groups left out."""
    groups: list[list[Step]] = [[] for _wave in range(len(WAVES) + 1)]
    for step in steps:
        groups[rank(step.body["kind"])].append(step)
    return [group for group in (reversed(groups) if reverse else groups) if group]


def rank(kind: str) -> int:
    """The wave in which a kind is applied; kinds that no wave names come last."""
    return next((place for place, kinds in enumerate(WAVES) if kind in kinds), len(WAVES))
