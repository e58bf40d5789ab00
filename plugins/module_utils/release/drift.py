# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a release is no longer as it was applied, and whose doing it is: read from the API server's own ledger of
field owners, without asking for a dry run. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.conflict import foreign, minus
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest, owned_fields
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Item

# The way to a field, in the keys of fieldsV1.
Path: TypeAlias = tuple[str, ...]
# What every object has and nobody owns.
IDENTITY = ("apiVersion", "kind", "name", "namespace")


class Change(StrEnum):
    MISSING = "missing"
    RECREATED = "recreated"  # an object of that name, but not the one that was applied
    UNLABELLED = "unlabelled"  # it lost the label of its release
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One object that is not as it was applied. `fields`: path as people write it -> the field manager that owns it
    now, empty for a field that is gone."""

    object: str
    change: Change
    fields: Mapping[str, str]


def drifted(item: Item, live: Object | None, wanted: Object | None) -> Drift | None:
    """How an object differs from what the inventory says of it; None if it does not. `live` as it is found by name,
    `wanted` as it was applied, as far as that is known."""

    def drift(change: Change, fields: Mapping[str, str]) -> Drift:
        return Drift(object=str(item), change=change, fields=fields)

    if live is None:
        return drift(Change.MISSING, {})
    if live["metadata"]["uid"] != item.uid:
        return drift(Change.RECREATED, {})
    others, ours = foreign(live), owned_fields(live)
    fields = {written(path): manager for manager, tree in others.items() for path in leaves(minus(tree, ours))}
    if live_digest(live) != item.digest:
        fields = {written(path): _owner(path, live) for path in lost(wanted or {}, ours, live)} | fields
        return drift(Change.CHANGED, fields)
    return drift(Change.CHANGED, fields) if fields else None


def lost(wanted: Any, ours: Any, live: Object) -> Iterator[Path]:
    """The fields that were applied and are not ours any more: changed or taken by somebody else, or gone."""
    ledger = [entry.get("fieldsV1") or {} for entry in live["metadata"].get("managedFields") or []]
    for path in _fields(wanted, ledger):
        tree, owned = ours, False
        for key in path:
            if key not in tree:
                break
            tree = tree[key]
            if not tree:  # a leaf: the list or dictionary is owned as a whole
                owned = True
                break
        else:
            owned = True
        if not owned:
            yield path


def leaves(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """The fields that a fieldsV1 names; a list item that is owned as a whole is one."""
    if "." in tree and path and path[-1].startswith("k:"):
        yield path
        return
    for key, below in tree.items():
        if below:
            yield from leaves(below, (*path, key))
        else:
            yield path if key == "." else (*path, key)


def written(path: Iterable[str]) -> str:
    """ "spec.template.spec.containers[vllm].image" """
    text = ""
    for key in path:
        sort, _colon, rest = key.partition(":")
        if sort == "f":
            text += f"[{rest}]" if "." in rest or "/" in rest else f".{rest}"
        elif sort == "k":
            text += f"[{','.join(str(part) for part in json.loads(rest).values())}]"
        else:
            text += f"[{rest}]"
    return text.lstrip(".")


def _fields(wanted: Any, ledger: list[Any], path: Path = ()) -> Iterator[Path]:
    """The leaves of an object in the keys of fieldsV1; `ledger` tells by which keys lists are merged."""
    if isinstance(wanted, dict) and wanted:
        for name, value in wanted.items():
            if name not in IDENTITY or len(path) > 1:
                yield from _fields(value, _below(ledger, f"f:{name}"), (*path, f"f:{name}"))
        return
    keys = [key for tree in ledger for key in tree if key.startswith("k:")]
    if isinstance(wanted, list) and keys:
        for item in wanted:
            key = next((key for key in keys if _names(key, item)), None) or _made_up(keys[0], item)
            yield from _fields(item, _below(ledger, key), (*path, key))
    elif wanted not in (None, "", {}, []):  # the server drops what is empty
        yield path


def _below(ledger: list[Any], key: str) -> list[Any]:
    return [tree[key] for tree in ledger if tree.get(key)]


def _names(key: str, item: Any) -> bool:
    """Whether the key of a list item means this one; a part that the item leaves out has a default."""
    parts = json.loads(key[2:])
    return any(name in item for name in parts) and all(item.get(name, part) == part for name, part in parts.items())


def _made_up(example: str, item: Any) -> str:
    return "k:" + json.dumps({name: item.get(name) for name in json.loads(example[2:]) if name in item})


def _owner(path: Path, live: Object) -> str:
    """Who owns a field now; empty if nobody does."""
    for entry in live["metadata"].get("managedFields") or []:
        tree = entry.get("fieldsV1") or {}
        for key in path:
            tree = tree.get(key)
            if tree is None:
                break
        else:
            if entry["manager"] != FIELD_MANAGER:
                return str(entry["manager"])
    return ""
