# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about a release, as values: the head (the only source of truth) and the record of a revision."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names

SCHEMA = 1
# A ConfigMap holds 1 MiB, metadata included.
LARGEST_RECORD = 900 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of the inventory. `uid` and `digest` (see ownership.live_digest) are empty until it was applied;
    `since` is the revision that brought it; `keep`: it holds data and is never deleted by itself; `doomed`: the current
    revision no longer names it, so that it has to go."""

    api_version: str
    kind: str
    name: str
    uid: str = ""
    digest: str = ""
    since: int
    keep: bool = False
    doomed: bool = False

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
class Request:
    """What somebody asked for, so that asking again can be told from asking for something else.

    `kind`: deploy, rollback or remove. `digest`: of the definition to deploy. `target`: the revision that a rollback
    named."""

    kind: str
    digest: str = ""
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process behind an operation. `start` (clock ticks since boot) tells it from a later one with the same pid.
    `parent`: the pid that its parent must keep, or 0."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    start: int
    parent: int = 0
    user: str = ""

    def __str__(self) -> str:
        return f"{self.user or 'somebody'} on {self.host} (pid {self.pid})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is under way.

    `kind`: deploy, repair, rollback or remove; `request` is what was asked for, which differs in kind when a failed
    deploy is being rolled back. `revision`: the one being made (or repaired); `target`: the one whose content it puts
    back; `base`: the current one at the start. `phase`: apply, failed or tidy. `heartbeat` counts up while the holder
    lives."""

    id: str
    kind: str
    request: Request
    revision: int
    digest: str
    target: int | None = None
    base: int | None = None
    phase: str = "apply"
    holder: Holder
    heartbeat: int = 0
    on_failure: str = "rollback"
    failure: dict[str, Any] | None = None

    @property
    def doing(self) -> str:
        """What its holder is doing, behind "is"."""
        words = {"remove": "removing the release", "repair": f"repairing revision {self.revision}"}
        return words.get(self.kind, f"making revision {self.revision} ({self.kind})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of history. `state`: running, current, superseded, failed, interrupted or removed. `content`: the
    revision whose content it has, which for a rollback is an older one. `strategy`: see findings.Strategy. Times: RFC
    3339, UTC."""

    revision: int
    digest: str
    state: str
    verified: bool = False
    kind: str
    content: int
    reason: str = ""
    by: dict[str, str] = field(default_factory=dict)
    image: str = ""
    model: str = ""
    model_revision: str = ""
    started: str
    finished: str = ""
    failure: dict[str, Any] | None = None
    evidence: dict[str, Any] | None = None
    strategy: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """All that is known about one release. `history`: newest first. `unsettled`: an operation has begun since the last
    commit, so that what was proven then need not be so now."""

    release_uid: str
    next: int = 1
    current: Current | None = None
    unsettled: bool = False
    inventory: tuple[Item, ...] = ()
    operation: Operation | None = None
    history: tuple[Row, ...] = ()

    def row(self, revision: int | None) -> Row | None:
        return next((row for row in self.history if row.revision == revision), None)

    @property
    def current_row(self) -> Row | None:
        return self.row(self.current.revision) if self.current else None

    @property
    def verified(self) -> bool:
        """Whether the current revision has proven that it serves."""
        row = self.current_row
        return bool(row and row.verified)


def dump(head: Head) -> str:
    return json.dumps({"schema": SCHEMA} | asdict(head), separators=(",", ":"), ensure_ascii=False)


def load(text: str) -> Head:
    """The head that `dump` wrote. Raises Refused for one that cannot be read, or that a newer version wrote."""
    try:
        value = json.loads(text)
        if value.pop("schema") != SCHEMA:
            raise ValueError(f"it was not written in schema {SCHEMA}")
        operation = value["operation"]
        if operation:
            operation["request"] = Request(**operation["request"])
            operation["holder"] = Holder(**operation["holder"])
        value["operation"] = Operation(**operation) if operation else None
        value["current"] = Current(**value["current"]) if value["current"] else None
        value["inventory"] = tuple(Item(**item) for item in value["inventory"])
        value["history"] = tuple(Row(**row) for row in value["history"])
        return Head(**value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            "The head of this release cannot be read",
            f"It was edited by hand, or written by another version of ai_aas.vllm: {error}",
            "Use the version that wrote it; or delete the head, and the next deploy takes over what it finds",
        ) from error


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
    """What `pack` was given. Raises ValueError for anything else, also when the definition is not the one of the
    digest."""
    try:
        value = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except (zlib.error, ValueError) as error:
        raise ValueError("it is not what was written") from error
    if not isinstance(value, dict) or not isinstance(value.get("definition"), list):
        raise ValueError("it holds no definition")
    if value.get("digest") != names.digest_of_set(value["definition"]):
        raise ValueError("its definition does not have the digest that stands beside it")
    return value


def holds(text: str, digest: str) -> bool:
    """Whether a record is one of the definition with this digest."""
    try:
        return bool(unpack(text)["digest"] == digest)
    except ValueError:
        return False
