# SPDX-License-Identifier: GPL-3.0-or-later
"""How the head moves from one state to the next. Pure: a head in, a head out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Current, Head, Item, Operation, Row

ROWS_AT_LEAST = 20


def begun(head: Head, operation: Operation, row: Row | None, inventory: Iterable[Item] = ()) -> Head:
    """An operation begins. `inventory` is what it will apply; the union with the old one is kept, so that nothing which
    was ever made is forgotten. What else was running turns out to have been interrupted."""
    history = tuple(
        replace(old, state="interrupted") if old.state == "running" and old.revision != operation.revision else old
        for old in head.history
    )
    if row and head.row(row.revision) is None:
        history = (row, *history)
    known = {item.key for item in head.inventory}
    union = head.inventory + tuple(item for item in inventory if item.key not in known)
    following = max(head.next, operation.revision + 1)
    return replace(head, operation=operation, history=history, inventory=union, next=following, unsettled=True)


def committed(
    head: Head,
    operation: Operation,
    inventory: tuple[Item, ...],
    *,
    verified: bool,
    evidence: dict[str, Any] | None,
    now: str,
) -> Head:
    """The operation's revision is the current one. What the inventory held besides is still to be tidied away."""
    history = []
    for row in head.history:
        if row.revision == operation.revision:
            done = row.finished or now
            row = replace(row, state="current", verified=verified or row.verified, finished=done, failure=None)
            row = replace(row, evidence=evidence or row.evidence)
        elif row.state == "current":
            row = replace(row, state="superseded")
        history.append(row)
    keys = {item.key for item in inventory}
    # An object that is now applied by another version of its API is the same object.
    uids = {item.uid for item in inventory if item.uid}
    left = (item for item in head.inventory if item.key not in keys and item.uid not in uids)
    rest = tuple(replace(item, doomed=not item.keep) for item in left)
    return replace(
        head,
        current=Current(revision=operation.revision, digest=operation.digest),
        unsettled=False,
        history=tuple(history),
        inventory=inventory + rest,
        operation=replace(operation, phase="tidy"),
    )


def tidied(head: Head, gone: Iterable[Item], keep: int) -> Head:
    """Nothing is under way any more, `gone` left the inventory, and rows beyond retention left the history."""
    removed = {item.key for item in gone}
    records = kept_records(head, keep)
    return replace(
        head,
        operation=None,
        inventory=tuple(item for item in head.inventory if item.key not in removed),
        history=tuple(
            row for place, row in enumerate(head.history) if place < ROWS_AT_LEAST or row.revision in records
        ),
    )


def with_strategy(head: Head, revision: int, strategy: Strategy | None) -> Head:
    """The row of `revision` tells how its pods take the place of older ones. What it knows of why stays, as long as the
    strategy does: a run that takes another one up cannot know."""
    row = head.row(revision)
    if row is None or strategy is None or (row.strategy or {}).get("name") == strategy.name:
        return head
    fresh = replace(row, strategy=strategy.data)
    return replace(head, history=tuple(fresh if old is row else old for old in head.history))


def kept_records(head: Head, keep: int) -> frozenset[int]:
    """The revisions whose records stay: the newest `keep`, the current one, the content it has, the newest verified,
    and the one that a rollback goes back to."""
    current, older = head.current_row, _older_verified(head)
    always = {
        next((row.revision for row in head.history if row.verified), None),
        current.revision if current else None,
        current.content if current else None,
        older.revision if older else None,
    }
    return frozenset(row.revision for row in head.history[:keep]) | {one for one in always if one is not None}


def failed(head: Head, operation: Operation, failure: dict[str, Any], *, now: str) -> tuple[Head, Operation]:
    """The evidence stands in the head before anything is done about it. A repair that fails leaves its revision
    current."""
    state = "current" if operation.kind == "repair" else "failed"
    history = tuple(
        replace(row, state=state, failure=failure, finished=now) if row.revision == operation.revision else row
        for row in head.history
    )
    operation = replace(operation, phase="failed", failure=operation.failure or failure)
    return replace(head, history=history, operation=operation), operation


def removed(head: Head, kept: Iterable[Item]) -> Head:
    """Everything is gone but what holds data; the history stays."""
    history = tuple(replace(row, state="removed") if row.state == "current" else row for row in head.history)
    return replace(head, current=None, unsettled=False, operation=None, history=history, inventory=tuple(kept))


def automatic_target(head: Head, failed_revision: int) -> int | None:
    """Where a failed revision goes back to: the newest one that was verified; None if there is none."""
    return next((row.revision for row in head.history if row.verified and row.revision < failed_revision), None)


def rollback_target(head: Head, wanted: int | None) -> Row:
    """The row that a rollback puts back: the one of that number, or without a number the newest verified revision older
    than the content that serves now, so that going back twice goes further back. Where a newer deploy has begun and
    fell short, the last commit is what there is to go back to. Raises Refused, with what can be had."""
    if wanted is not None:
        row = head.row(wanted)
        if row is None:
            raise Refused(f"There is no revision {wanted}", choices(head), "Name one of these revisions")
        return row
    current = head.current_row
    newest = head.history[0] if head.unsettled and head.history else None
    # A rollback that fell short is tried again: the same command goes where it went.
    newer = current and newest and newest.revision > current.revision and newest.kind == "deploy"
    row = current if newer and current and current.verified and not current.failure else _older_verified(head)
    if row is None:
        serving = _serving(head)
        raise Refused(
            f"There is no verified revision older than {serving}" if serving else "There is no verified revision",
            choices(head),
            "Name a revision to go back to one that was never verified",
        )
    return row


def _serving(head: Head) -> int | None:
    """The revision whose content serves."""
    current = head.current_row
    return current.content if current else None


def _older_verified(head: Head) -> Row | None:
    """The newest verified revision whose content is older than the one that serves: a rollback counts as what it put
    back."""
    before = _serving(head) or head.next
    rows = (row for row in head.history if row.verified and row.content < before)
    return next(rows, None)


def reminder(head: Head, digest: str) -> str:
    """What became of the same definition before, if it failed; else empty."""
    found = (row for row in head.history if row.digest == digest and row.state == "failed")
    return next(
        (f"This definition failed as revision {row.revision}: {(row.failure or {})['message']}" for row in found), ""
    )


def choices(head: Head) -> str:
    """ "The history has 7 (current, verified), 6 (failed)" """
    rows = [f"{row.revision} ({row.state}{', verified' if row.verified else ''})" for row in head.history]
    return f"The history has {', '.join(rows)}" if rows else "The history is empty"
