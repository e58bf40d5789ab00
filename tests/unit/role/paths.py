# SPDX-License-Identifier: GPL-3.0-or-later
"""A rendering as paths and values, so that a test can name exactly what a variable changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import Rendering

TEMPLATE = "Deployment.spec.template"
POD = f"{TEMPLATE}.spec"
CONTAINER = f"{POD}.containers[vllm]"
COMMON = {"apiVersion", "kind", "metadata"}


def paths(rendering: Rendering) -> dict[str, Any]:
    """`Kind.path` for each value of an object, `task.path` for each argument of the task. List items go by their name,
    vLLM's arguments by their flag."""
    found = dict(_walk("task", rendering.task))
    for body in rendering.objects:
        found.update(_walk(body["kind"], body))
    return found


def changes(before: Rendering, after: Rendering) -> dict[str, Any]:
    """New values by path; None where the path is gone. An object that comes or goes is one change, under its kind."""
    old, new = paths(before), paths(after)
    found = {path: new.get(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    bodies = {body["kind"]: {key: body[key] for key in body.keys() - COMMON} for body in after.objects}
    for kind in bodies.keys() ^ {body["kind"] for body in before.objects}:
        found = {path: value for path, value in found.items() if not path.startswith(f"{kind}.")}
        found[kind] = bodies.get(kind)
    return found


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if path == f"{CONTAINER}.args":
        value = _by_flag(value)
    elif isinstance(value, list) and value and all(isinstance(item, dict) and _name(item) for item in value):
        value = {f"[{_name(item)}]": item for item in value}
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(path + _step(key), item)
    elif value is not None:
        yield path, value


def _name(item: dict[str, Any]) -> str | None:
    return item.get("name") or item.get("alert")


def _step(key: str) -> str:
    if key.startswith("["):
        return key
    return f".{key}" if re.fullmatch(r"\w+", key) else f"[{key}]"


def _by_flag(argv: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"[model]": argv[0]}
    flag = ""
    for word in argv[1:]:
        if word.startswith("--"):
            flag = word
            found[flag] = True
        else:
            found[flag] = word
    return found
