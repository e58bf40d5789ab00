# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about a release, as values: the head (the only source of truth), its history, and the record of a
revision."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names

SCHEMA = 1
ROWS_AT_LEAST = 20
# A ConfigMap holds 1 MiB, metadata included.
LARGEST_RECORD = 900 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of the inventory. `uid` and `digest` (see ownership.live_digest) are empty until it was applied."""

    api_version: str
    kind: str
    name: str
    uid: str = ""
    digest: str = ""
    since: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.api_version, self.kind, self.name

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The revision that was committed last, and the digest of its definition."""

    revision: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is under way. `kind`: deploy, repair or remove. `revision`: the one that is being made or repaired."""

    id: str
    kind: str
    digest: str
    revision: int
    base: int | None
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of history. `state`: running, current, superseded, failed, interrupted or removed. Times: RFC 3339,
    UTC."""

    revision: int
    digest: str
    state: str
    verified: bool = False
    kind: str
    reason: str = ""
    by: dict[str, str] = field(default_factory=dict)
    image: str = ""
    model: str = ""
    model_revision: str = ""
    started: str
    finished: str = ""
    failure: dict[str, Any] | None = None
    evidence: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """All that is known about one release. `history`: newest first."""

    release_uid: str
    next: int = 1
    current: Current | None = None
    inventory: tuple[Item, ...] = ()
    operation: Operation | None = None
    history: tuple[Row, ...] = ()

    def row(self, revision: int | None) -> Row | None:
        return next((row for row in self.history if row.revision == revision), None)

    @property
    def verified(self) -> bool:
        row = self.row(self.current.revision) if self.current else None
        return bool(row and row.verified)


def dump(head: Head) -> str:
    return json.dumps({"schema": SCHEMA} | asdict(head), separators=(",", ":"), ensure_ascii=False)


def load(text: str) -> Head:
    """The head that `dump` wrote. Raises Refused for one that a newer version of this collection wrote."""
    value = json.loads(text)
    schema = value.pop("schema")
    if schema != SCHEMA:
        raise Refused(
            "The release's head cannot be read",
            f"It was written in schema {schema}, this version of ai_aas.vllm knows schema {SCHEMA}",
            "Use the version of ai_aas.vllm that wrote it, or a newer one",
        )
    value["current"] = Current(**value["current"]) if value["current"] else None
    value["operation"] = Operation(**value["operation"]) if value["operation"] else None
    value["inventory"] = tuple(Item(**item) for item in value["inventory"])
    value["history"] = tuple(Row(**row) for row in value["history"])
    return Head(**value)


def begun(head: Head, operation: Operation, row: Row | None, inventory: tuple[Item, ...]) -> Head:
    """The head at the start of an operation. `inventory` is what it will apply; the union with the old one is kept, so
    that nothing which was ever made is forgotten. An operation that was never ended becomes an interrupted row."""
    history = tuple(
        replace(old, state="interrupted") if old.state == "running" and old.revision != operation.revision else old
        for old in head.history
    )
    if row:
        history = (row, *history)
    known = {item.key for item in head.inventory}
    union = head.inventory + tuple(item for item in inventory if item.key not in known)
    following = max(head.next, operation.revision + 1)
    return replace(head, operation=operation, history=history, inventory=union, next=following)


def committed(
    head: Head,
    operation: Operation,
    inventory: tuple[Item, ...],
    *,
    verified: bool,
    evidence: dict[str, Any] | None,
    now: str,
) -> Head:
    """The head in which the operation's revision is the current one, and nothing is under way. What the inventory held
    besides stays known."""
    history = []
    for row in head.history:
        if row.revision == operation.revision:
            row = replace(
                row, state="current", verified=verified or row.verified, evidence=evidence or row.evidence, finished=now
            )
        elif row.state == "current":
            row = replace(row, state="superseded")
        history.append(row)
    fresh = {item.key for item in inventory}
    left = tuple(item for item in head.inventory if item.key not in fresh)
    current = Current(revision=operation.revision, digest=operation.digest)
    return replace(head, current=current, history=tuple(history), inventory=inventory + left, operation=None)


def failed(head: Head, operation: Operation, failure: dict[str, Any], *, now: str) -> Head:
    """The head that holds the evidence of a failed operation. A repair that fails leaves its revision current."""
    state = "failed" if operation.kind == "deploy" else "current"
    history = tuple(
        replace(row, state=state, failure=failure, finished=now) if row.revision == operation.revision else row
        for row in head.history
    )
    return replace(head, history=history, operation=None)


def trimmed(head: Head, keep: int) -> tuple[Head, tuple[int, ...]]:
    """The head without rows whose record may go, and the revisions of all records that may go.

    Records: the newest `keep`, and always the current and the newest verified one. Rows: those, and at least 20.
    """
    verified = next((row.revision for row in head.history if row.verified), None)
    always = {head.current.revision if head.current else None, verified}
    kept = {row.revision for row in head.history[:keep]} | always
    rows = tuple(row for place, row in enumerate(head.history) if place < ROWS_AT_LEAST or row.revision in kept)
    gone = tuple(row.revision for row in head.history if row.revision not in kept)
    return replace(head, history=rows), gone


def pack(record: dict[str, Any]) -> str:
    """The record of a revision as base64 of zlib of JSON, the way a ConfigMap carries bytes.

    Raises Refused when it would not fit into a ConfigMap.
    """
    packed = zlib.compress(names.canonical(record), 9)
    if len(packed) > LARGEST_RECORD:
        raise Refused(
            f"The definition is too large to be recorded: {len(packed) // 1024} KiB compressed",
            f"A revision is kept in a ConfigMap, which holds {LARGEST_RECORD // 1024} KiB",
            "Move large data out of the release's ConfigMaps",
        )
    return base64.b64encode(packed).decode()


def unpack(text: str) -> dict[str, Any]:
    """What `pack` was given. Raises ValueError for anything else."""
    try:
        value = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except (zlib.error, ValueError) as error:
        raise ValueError(f"no record of a revision: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("no record of a revision: not an object")
    return value


def image_of(body: Object) -> str:
    """The image of the first container of an object's pod template."""
    return str(body["spec"]["template"]["spec"]["containers"][0].get("image", ""))
