# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference between a live object and what the server would make of ours. It is `changed` and `--diff` at once, so
that they cannot disagree."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import CREDENTIAL

SERVER_SET = (
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
)
# List items that belong together although they differ: the keys by which the API server merges lists.
ITEM_KEYS = ("name", "containerPort", "mountPath", "port", "key", "topologyKey", "ip", "uid")
MASK = "(not shown)"
ABSENT: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changes, and nothing else. Either side may be empty: created, or deleted."""

    before: Any
    after: Any

    def __bool__(self) -> bool:
        return bool(self.before or self.after)


NO_DIFFERENCE = Difference(before={}, after={})


def difference(live: Object | None, answer: Object | None) -> Difference:
    """Between two states of one object; either may be missing. Without server-set fields and status, and with a mask
    where a credential stands: one that changes is a difference, though it is not shown."""
    before, after = (_plain(body) if body else None for body in (live, answer))
    if before is not None and after is not None:
        before, after = _changed(before, after)
    sides = ({} if side in (ABSENT, None) else _masked(side) for side in (before, after))
    return Difference(before=next(sides), after=next(sides))


def _plain(body: Object) -> Object:
    body = copy.deepcopy({key: value for key, value in body.items() if key != "status"})
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key not in SERVER_SET}
    # kubectl's own copy of what it applied, credentials included.
    (body["metadata"].get("annotations") or {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    return body


def _masked(value: Any) -> Any:
    """Without the values of environment variables and of flags that are called as credentials are."""
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {key: _command(part) if key in ("command", "args") else _masked(part) for key, part in value.items()}
    if shown.get("value") and CREDENTIAL.search(str(shown.get("name", ""))):
        shown["value"] = MASK
    return shown


def _command(argv: Any) -> Any:
    """--api-key X, --api-key=X"""
    if not isinstance(argv, list):
        return argv
    shown: list[Any] = []
    follows = False
    for word in argv:
        flag, equals, _value = str(word).partition("=")
        secret = flag.startswith("--") and bool(CREDENTIAL.search(flag.lstrip("-").replace("-", "_")))
        shown.append(MASK if follows else f"{flag}={MASK}" if secret and equals else word)
        follows = secret and not equals
    return shown


def _changed(before: Any, after: Any) -> tuple[Any, Any]:
    """Both sides cut down to where they differ; (ABSENT, ABSENT) where they do not."""
    if before == after:
        return ABSENT, ABSENT
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = {
            key: _changed(before.get(key, ABSENT), after.get(key, ABSENT))
            for key in sorted(before.keys() | after.keys())
        }
        sides = [{key: pair[side] for key, pair in pairs.items() if pair[side] is not ABSENT} for side in (0, 1)]
        return sides[0], sides[1]
    key = _item_key(before, after)
    if key:
        return _changed_items(before, after, key)
    return before, after


def _changed_items(before: list[Any], after: list[Any], key: str) -> tuple[Any, Any]:
    old, new = ({item[key]: item for item in items} for items in (before, after))
    left, right = [], []
    for name in dict.fromkeys([*old, *new]):
        was, is_now = old.get(name, ABSENT), new.get(name, ABSENT)
        if was is ABSENT or is_now is ABSENT:
            left += [was] if was is not ABSENT else []
            right += [is_now] if is_now is not ABSENT else []
        elif was != is_now:
            cut_was, cut_is = _changed(was, is_now)
            left.append({key: name} | cut_was)
            right.append({key: name} | cut_is)
    return (left, right) if left or right else (before, after)  # only the order changed


def _item_key(before: Any, after: Any) -> str:
    if not isinstance(before, list) or not isinstance(after, list):
        return ""
    items = [*before, *after]
    for key in ITEM_KEYS:
        keyed = all(isinstance(item, dict) and key in item for item in items)
        if keyed and all(len({item[key] for item in side}) == len(side) for side in (before, after)):
            return key
    return ""
