# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release would do, decided from what was read: nothing at all, or which step for which object."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias, TypeVar

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object, Strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import conflict, names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.diff import NO_DIFFERENCE, Difference
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Head, Item

# Objects of one wave are applied together; what pods need comes before them, what watches them after.
WAVES = (
    (
        "ServiceAccount",
        "Role",
        "ConfigMap",
        "PersistentVolumeClaim",
        "NetworkPolicy",
        "PodDisruptionBudget",
    ),
    ("RoleBinding", "Service"),  # who is no administrator cannot bind a Role that is not there
    ("Deployment",),
)
# Never deleted without being asked for: they hold data.
KEPT = ("PersistentVolumeClaim",)

Key: TypeAlias = tuple[str, str, str]
Ranked = TypeVar("Ranked", "Step", Item)


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"  # it is there, and belongs to nobody's release yet
    RECREATE = "recreate"  # it cannot be changed, only replaced (a Job, an immutable ConfigMap)
    UNCHANGED = "unchanged"
    SKIP = "skip"  # an optional object whose kind the cluster does not serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one object: `body` as it is applied, `live` as it was read, the server's `warnings` about it.

    `force`: fields that somebody changed by hand are taken back. `take_over`: managers whose fields become ours first,
    so that what they added goes. `notes`: what a person should know about it."""

    action: Action
    body: Object
    live: Object | None = None
    difference: Difference = NO_DIFFERENCE
    force: bool = False
    take_over: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return self.action not in (Action.UNCHANGED, Action.SKIP)

    @property
    def key(self) -> Key:
        return key_of(self.body)

    def __str__(self) -> str:
        return names.identity(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`steps` in the order of the definition; `prune`: inventory that the definition no longer names, and `going`: what
    is there of it now; `keep`: such of it that holds data; `untouched`: objects that needed no step, since nothing
    about them has changed; `strategies`: how Deployments replace the pods they have."""

    steps: tuple[Step, ...] = ()
    prune: tuple[Item, ...] = ()
    going: tuple[Object, ...] = ()
    keep: tuple[Item, ...] = ()
    untouched: int = 0
    warnings: tuple[str, ...] = ()
    strategies: Mapping[Key, Strategy] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        return bool(self.prune) or any(step.changes for step in self.steps)

    def carried_out(self, left: Collection[Key]) -> Plan:
        """Without what was to be pruned and is there still."""
        prune = tuple(item for item in self.prune if item.key not in left)
        return replace(self, prune=prune, going=tuple(body for body in self.going if key_of(body) not in left))

    @property
    def summary(self) -> str:
        """ "2 to create, 1 to update, 7 unchanged; surge 1, unavailable 0" """
        counts = {action: sum(step.action is action for step in self.steps) for action in Action}
        words = [
            (counts[Action.CREATE], "to create"),
            (counts[Action.UPDATE], "to update"),
            (counts[Action.ADOPT], "to adopt"),
            (counts[Action.RECREATE], "to recreate"),
            (len(self.prune), "to prune once the release is proven"),
            (counts[Action.UNCHANGED], "unchanged"),
            (counts[Action.SKIP], "left out (the cluster does not serve their kind)"),
        ]
        told = [", ".join(f"{count} {word}" for count, word in words if count) or "nothing to do"]
        return "; ".join([*told, *map(str, self.strategies.values())])


def key_of(body: Object) -> Key:
    return body["apiVersion"], body["kind"], body["metadata"]["name"]


def untouched(head: Head, definition: Definition, live: Mapping[Key, Object], unserved: Collection[Kind] = ()) -> bool:
    """True when this very definition is committed, nobody has changed, added to, replaced or deleted any of its
    objects, and nothing is left to prune. What the cluster does not serve (`unserved`) may be missing.

    False only means: look closer.
    """
    if head.operation or head.current is None or head.current.digest != definition.digest:
        return False
    # What was dropped and holds data is in the inventory, too, and may be as it likes.
    keys = frozenset(map(key_of, definition.objects))
    missing = keys - {item.key for item in head.inventory}
    if any(Kind(api_version, kind) not in unserved for api_version, kind, _name in missing):
        return False
    return all(
        not item.doomed and (item.key not in keys or _as_applied(item, live.get(item.key))) for item in head.inventory
    )


def serving(live: Mapping[Key, Object]) -> bool:
    """True when all replicas of all Deployments are updated and ready, as far as a LIST tells."""
    for body in _deployments(live):
        status, wanted = body.get("status") or {}, body["spec"].get("replicas", 1)
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
        if status.get("observedGeneration", 0) < body["metadata"]["generation"] or counts != [wanted] * 3:
            return False
    return True


def wanted_pods(live: Mapping[Key, Object]) -> int:
    """How many pods there should be of all Deployments."""
    return sum(body["spec"].get("replicas", 1) for body in _deployments(live))


def _deployments(live: Mapping[Key, Object]) -> Iterator[Object]:
    return (body for (_version, kind, _name), body in live.items() if kind == "Deployment")


def _as_applied(item: Item, body: Object | None) -> bool:
    if body is None:
        return False
    return body["metadata"]["uid"] == item.uid and live_digest(body) == item.digest and not conflict.foreign(body)


def left_over(head: Head, wanted: Iterable[Key]) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """(to prune, to keep): the inventory less what is wanted."""
    present = frozenset(map(_whatever_version, wanted))
    left = [item for item in head.inventory if _whatever_version(item.key) not in present]
    kept = tuple(item for item in left if item.kind in KEPT)
    return tuple(item for item in left if item.kind not in KEPT), kept


def _whatever_version(key: Key) -> Key:
    """API group, kind and name: one object can be had by several versions of its API."""
    api_version, kind, name = key
    return api_version.rpartition("/")[0], kind, name


def inventory(
    steps: Iterable[Step], applied: Mapping[Key, Object], known: Mapping[Key, Item], revision: int
) -> tuple[Item, ...]:
    """What the release consists of: uid and digest of what was applied, and since which revision it is there."""
    items = []
    for step in steps:
        if step.action is not Action.SKIP:
            api_version, kind, name = step.key
            body, old = applied.get(step.key), known.get(step.key)
            uid = body["metadata"]["uid"] if body else ""
            since = old.since if old and old.uid in (uid, "") else revision
            digest = live_digest(body) if body else ""
            fresh = Item(
                api_version=api_version, kind=kind, name=name, uid=uid, digest=digest, since=since, keep=kind in KEPT
            )
            items.append(fresh if body or not old else old)
    return tuple(items)


def carried_over(body: Object, live: Object | None, *, take_replicas: bool = False) -> Object:
    """`body` as it has to be applied to what is there: with what must not be dropped, and without what is left to
    others: the number of replicas to a scaler, unless it is to be taken.

    Dropping `replicas` sets it to 1, unless somebody else owns it; dropping serviceAccountName leaves the old one in
    place behind its back, in its deprecated twin."""
    if live is None or body["kind"] != "Deployment":
        return body
    body = copy.deepcopy(body)
    if conflict.scaled(live) and not take_replicas:
        body["spec"].pop("replicas", None)
    pod, live_pod = body["spec"]["template"]["spec"], live["spec"]["template"]["spec"]
    if "serviceAccountName" in live_pod:
        pod.setdefault("serviceAccountName", "default")
    return body


def waves(entries: Iterable[Ranked], *, reverse: bool = False) -> list[list[Ranked]]:
    """Steps or items in groups that belong together, empty groups left out."""
    groups: list[list[Ranked]] = [[] for _wave in range(len(WAVES) + 1)]
    for entry in entries:
        groups[rank(entry.key[1])].append(entry)
    return [group for group in (reversed(groups) if reverse else groups) if group]


def rank(kind: str) -> int:
    """The wave in which a kind is applied; kinds that no wave names come last."""
    return next((place for place, kinds in enumerate(WAVES) if kind in kinds), len(WAVES))
