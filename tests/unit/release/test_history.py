# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a head: begun, committed, tidied; failed, removed, gone back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.history import (
    automatic_target,
    begun,
    committed,
    failed,
    kept_records,
    removed,
    rollback_target,
    tidied,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Current, Head, Item, Operation, Row
from ansible_collections.ai_aas.vllm.tests.unit.release.heads import FULL, LATER, NOW, item, operation, row, states

REPAIRING = replace(FULL, operation=operation(1, "repair"), history=(row(1, "current", verified=True, finished=NOW),))


def test_a_first_deploy_begins() -> None:
    head = begun(Head(release_uid="u"), operation(1), row(1, "running"), (item("a"),))
    assert (head.next, head.current, head.operation) == (2, None, operation(1))
    assert (states(head), head.inventory) == ({1: "running"}, (item("a"),))


def test_beginning_forgets_nothing_that_was_ever_made() -> None:
    known = item("a", uid="1", digest="x")
    old = Head(release_uid="u", next=2, inventory=(known, item("b", uid="2")))
    head = begun(old, operation(2), None, (item("a"), item("c")))
    assert head.inventory == (known, item("b", uid="2"), item("c"))


@pytest.mark.parametrize(("following", "revision", "expected"), [(5, 5, 6), (7, 5, 7)])
def test_numbers_only_grow(following: int, revision: int, expected: int) -> None:
    assert begun(Head(release_uid="u", next=following), operation(revision), None).next == expected


def test_an_operation_that_never_ended_is_an_interrupted_row() -> None:
    head = begun(FULL, operation(3, base=1), row(3, "running"))
    assert states(head) == {3: "running", 2: "interrupted", 1: "current"}


def test_going_on_with_an_operation_adds_no_second_row() -> None:
    assert begun(FULL, operation(2), row(2, "running")).history == FULL.history


def test_a_repair_adds_no_row() -> None:
    assert begun(REPAIRING, operation(1, "repair"), None).history == REPAIRING.history


def commit(head: Head, under_way: Operation, *, verified: bool = True, inventory: tuple[Item, ...] = ()) -> Head:
    return committed(head, under_way, inventory, verified=verified, evidence={"pods": ["q"]}, now=LATER)


def found(head: Head, revision: int) -> Row:
    result = head.row(revision)
    assert result is not None
    return result


def test_a_commit_makes_the_revision_current() -> None:
    head = commit(FULL, operation(2))
    assert head.current == Current(revision=2, digest="d2")
    assert states(head) == {2: "current", 1: "superseded"}
    done = found(head, 2)
    assert (done.verified, done.finished, done.evidence, done.reason) == (True, LATER, {"pods": ["q"]}, "Grüße")
    assert head.verified


def test_after_the_commit_only_tidying_is_left() -> None:
    assert commit(FULL, operation(2)).operation == operation(2, phase="tidy")


def test_a_commit_without_proof_is_not_verified() -> None:
    assert not commit(FULL, operation(2), verified=False).verified


def test_a_repair_does_not_take_the_proof_away_and_keeps_the_time() -> None:
    head = commit(REPAIRING, operation(1, "repair"), verified=False)
    assert head.verified
    assert found(head, 1).finished == NOW


def test_a_repair_that_works_ends_an_old_failure() -> None:
    ill = replace(REPAIRING, history=(row(1, "current", failure={"cause": "c"}),))
    assert found(commit(ill, operation(1, "repair")), 1).failure is None


def test_a_commit_takes_the_fresh_inventory_and_keeps_the_rest() -> None:
    fresh = (item("a", uid="9", digest="y"), item("c", uid="3"))
    assert commit(FULL, operation(2), inventory=fresh).inventory == (*fresh, item("b", doomed=True))


def test_an_object_of_another_api_version_is_the_same_object() -> None:
    old, new = (item("a", uid="1", api_version=f"g/{version}") for version in ("v1", "v2"))
    head = replace(FULL, inventory=(old, item("b", uid="2"), item("c")))
    assert commit(head, operation(2), inventory=(new,)).inventory == (
        new,
        item("b", uid="2", doomed=True),
        item("c", doomed=True),
    )


def test_what_holds_data_is_never_doomed() -> None:
    cache = item("cache", kind="PersistentVolumeClaim", keep=True)
    assert commit(replace(FULL, inventory=(cache,)), operation(2)).inventory == (cache,)


def test_tidied_is_nothing_under_way_and_the_inventory_without_what_is_gone() -> None:
    fresh = (item("a", uid="1", digest="x"),)
    head = tidied(commit(FULL, operation(2), inventory=fresh), [item("b")], keep=10)
    assert (head.operation, head.inventory) == (None, fresh)
    assert states(head) == {2: "current", 1: "superseded"}


PROVEN = (row(2, verified=True), row(1, verified=True))


def history(newest: int, *, current: int, verified: int, **of_current: Any) -> Head:
    rows = tuple(
        row(number, verified=number == verified, **(of_current if number == current else {}))
        for number in range(newest, 0, -1)
    )
    return Head(release_uid="u", next=newest + 1, current=Current(revision=current, digest="d"), history=rows)


@pytest.mark.parametrize(
    ("head", "keep", "records", "rows"),
    [
        pytest.param(history(3, current=3, verified=3), 10, {3, 2, 1}, 3, id="fewer than the limit"),
        pytest.param(history(5, current=5, verified=5), 2, {5, 4}, 5, id="rows outlive their records"),
        pytest.param(history(5, current=5, verified=1), 2, {5, 4, 1}, 5, id="the newest verified one stays"),
        pytest.param(history(5, current=2, verified=5), 2, {5, 4, 2}, 5, id="the current one stays"),
        pytest.param(history(5, current=5, verified=5, content=1), 1, {5, 1}, 5, id="so does the content it has"),
        pytest.param(
            Head(
                release_uid="u",
                current=Current(revision=6, digest="d"),
                history=(row(6, "current", verified=True, content=2), *map(row, (5, 4, 3)), PROVEN[0], PROVEN[1]),
            ),
            1,
            {6, 2, 1},
            6,
            id="so does the one that a rollback goes back to",
        ),
        pytest.param(history(25, current=25, verified=25), 2, {25, 24}, 20, id="rows end, too"),
        pytest.param(history(25, current=25, verified=1), 2, {25, 24, 1}, 21, id="but not that of a record"),
        pytest.param(
            history(25, current=25, verified=25), 22, set(range(4, 26)), 22, id="more records than rows by rule"
        ),
        pytest.param(Head(release_uid="u"), 2, set(), 0, id="no history"),
    ],
)
def test_what_is_kept(head: Head, keep: int, records: set[int], rows: int) -> None:
    assert kept_records(head, keep) == records
    shorter = tidied(head, [], keep)
    assert len(shorter.history) == rows
    assert records <= {left.revision for left in shorter.history}
    assert replace(shorter, history=head.history) == head


FAILURE = {"cause": "not_ready_in_time"}


def test_a_failure_leaves_evidence_and_the_current_revision() -> None:
    head, under_way = failed(FULL, operation(2), FAILURE, now=LATER)
    assert (head.current, states(head)) == (FULL.current, {2: "failed", 1: "current"})
    assert head.operation == under_way == operation(2, phase="failed", failure=FAILURE)
    bad = found(head, 2)
    assert (bad.failure, bad.finished, bad.verified) == (FAILURE, LATER, False)


def test_a_repair_that_fails_leaves_its_revision_current() -> None:
    head, _operation = failed(REPAIRING, operation(1, "repair"), FAILURE, now=LATER)
    assert states(head) == {1: "current"}


def test_the_first_cause_is_the_operations() -> None:
    head, under_way = failed(FULL, operation(2, failure=FAILURE), {"cause": "another"}, now=LATER)
    assert under_way.failure == FAILURE
    assert found(head, 2).failure == {"cause": "another"}


def test_removed_is_nothing_but_history_and_what_holds_data() -> None:
    cache = item("cache", kind="PersistentVolumeClaim", keep=True)
    head = removed(replace(FULL, history=(row(2, "failed"), row(1, "current", verified=True))), [cache])
    assert (head.current, head.operation, head.inventory) == (None, None, (cache,))
    assert states(head) == {2: "failed", 1: "removed"}
    assert (head.release_uid, head.next) == (FULL.release_uid, FULL.next)


@pytest.mark.parametrize(
    ("verified", "failed_revision", "target"), [({1, 2}, 3, 2), ({1, 3}, 3, 1), (set(), 3, None), ({3}, 3, None)]
)
def test_a_failed_revision_goes_back_to_the_newest_verified_one(
    verified: set[int], failed_revision: int, target: int | None
) -> None:
    rows = tuple(row(number, verified=number in verified) for number in (3, 2, 1))
    assert automatic_target(Head(release_uid="u", history=rows), failed_revision) == target


# 5 put 3 back; 4 was bad.
BACK = Head(
    release_uid="u",
    next=6,
    current=Current(revision=5, digest="d3"),
    history=(
        row(5, "current", verified=True, kind="rollback", content=3, digest="d3"),
        row(4, "failed"),
        row(3, verified=True),
        row(2),
        row(1, verified=True),
    ),
)


# 6 put 4 back, since 5 was bad in a way that its proof could not see; so is 7.
FLED = Head(
    release_uid="u",
    next=8,
    current=Current(revision=7, digest="d7"),
    history=(
        row(7, "current", verified=True),
        row(6, verified=True, kind="rollback", content=4, digest="d4"),
        row(5, verified=True),
        row(4, verified=True),
    ),
)
# 5 failed, and was left.
HELD = Head(
    release_uid="u",
    next=6,
    current=Current(revision=4, digest="d4"),
    unsettled=True,
    history=(row(5, "failed"), row(4, "current", verified=True), row(3, verified=True)),
)
BACK_FAILED = replace(HELD, history=(row(5, "failed", kind="rollback", content=3), *HELD.history[1:]))
REPAIR_FAILED = replace(
    HELD, history=(row(5, "failed"), row(4, "current", verified=True, failure=FAILURE), row(3, verified=True))
)


@pytest.mark.parametrize(
    ("head", "wanted", "target"),
    [
        pytest.param(BACK, 2, 2, id="the one that is named, verified or not"),
        pytest.param(BACK, None, 1, id="going back twice goes further back"),
        pytest.param(
            replace(BACK, current=Current(revision=3, digest="d3")), None, 1, id="the newest verified older one"
        ),
        pytest.param(replace(BACK, current=None), None, 5, id="nothing serves: the newest verified one"),
        pytest.param(FLED, None, 6, id="a rollback counts as what it put back"),
        pytest.param(HELD, None, 4, id="a failed deploy that was left: the last commit"),
        pytest.param(replace(HELD, unsettled=False), None, 3, id="once that was put right: further back"),
        pytest.param(BACK_FAILED, None, 3, id="a rollback that failed: where it went"),
        pytest.param(REPAIR_FAILED, None, 3, id="the last commit has failed since: further back"),
    ],
)
def test_where_a_rollback_goes(head: Head, wanted: int | None, target: int) -> None:
    assert rollback_target(head, wanted).revision == target


CHOICES = (
    "The history has 5 (current, verified), 4 (failed), 3 (superseded, verified), 2 (superseded), "
    "1 (superseded, verified)"
)
UNVERIFIED = "Name a revision to go back to one that was never verified."


@pytest.mark.parametrize(
    ("head", "wanted", "message"),
    [
        (BACK, 9, f"There is no revision 9. {CHOICES}. Name one of these revisions."),
        (
            replace(BACK, history=BACK.history[:2]),
            None,
            "There is no verified revision older than 3. The history has 5 (current, verified), 4 (failed). "
            + UNVERIFIED,
        ),
        (Head(release_uid="u"), None, f"There is no verified revision. The history is empty. {UNVERIFIED}"),
    ],
)
def test_a_rollback_without_a_target_says_what_there_is(head: Head, wanted: int | None, message: str) -> None:
    with pytest.raises(Refused) as refusal:
        rollback_target(head, wanted)
    assert str(refusal.value) == message
