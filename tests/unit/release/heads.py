# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads and their parts, each with one word about what matters in a test."""

from __future__ import annotations

from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import (
    Current,
    Head,
    Holder,
    Item,
    Operation,
    Request,
    Row,
)

NOW = "2026-01-01T00:00:00Z"
LATER = "2026-01-01T00:10:00Z"


def item(name: str, **known: Any) -> Item:
    return Item(**({"api_version": "v1", "kind": "Service", "name": name, "since": 1} | known))


def row(revision: int, state: str = "superseded", **known: Any) -> Row:
    words = {"revision": revision, "digest": f"d{revision}", "state": state, "kind": "deploy", "content": revision}
    return Row(**(words | {"started": NOW} | known))


def holder(**known: Any) -> Holder:
    process = {"host": "deployer", "boot_id": "b", "pid_namespace": "4026531836", "pid": 7, "start": 700, "user": "ann"}
    return Holder(**(process | known))


def operation(revision: int, kind: str = "deploy", **known: Any) -> Operation:
    request = Request(kind=kind, digest=f"d{revision}")
    words = {"id": "o", "kind": kind, "request": request, "revision": revision, "digest": f"d{revision}"}
    return Operation(**(words | {"base": revision - 1 or None, "holder": holder()} | known))


def states(head: Head) -> dict[int, str]:
    return {each.revision: each.state for each in head.history}


# Revision 1 serves, 2 is under way.
FULL = Head(
    release_uid="u",
    next=3,
    current=Current(revision=1, digest="d1"),
    inventory=(item("a", uid="1", digest="x"), item("b")),
    operation=operation(2),
    history=(
        row(2, "running", reason="Grüße", by={"user": "ann"}),
        row(1, "current", verified=True, evidence={"pods": ["p"]}, finished=NOW),
    ),
)
