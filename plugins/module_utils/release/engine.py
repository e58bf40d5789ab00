# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of a release: look, plan, try. What comes after a failure is told in aftermath.py.

Three promises. A release is whole or it is not there. Only proof makes a revision good. The same command again always
helps."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Conflict, NotFound, Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import aftermath, history, lock, record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.attempt import Attempt, contents
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.clock import now
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition, define
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.diff import difference
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.failure import Bad
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.placement import Placement
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import (
    Action,
    Key,
    Plan,
    Step,
    inventory,
    key_of,
    left_over,
    serving,
    untouched,
    wanted_pods,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.planner import Manners, Planner
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import duration
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.store import Store
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Outcome, Wishes


class Engine:
    """One operation on one release. Raises Refused or InvalidInput when nothing was changed, ReleaseFailed after."""

    def __init__(self, api: Api, release: str, wishes: Wishes) -> None:
        self.api, self.release, self.wishes = api, release, wishes
        self.store = Store(api, release)
        self.lease = lock.Lease(self.store, wishes.timings.patience, wishes.parent)
        force = wishes.force_conflicts
        self.planner = Planner(api, release, Manners(adopt=wishes.adopt, force=force, take_replicas=force))
        self.placement = Placement(api, self.planner, wishes.strategy, wishes.timings.unready)
        self.attempt = Attempt(api, self.lease, self.planner, self.placement, wishes)
        api.before_write = self.lease.guard

    def deploy(self, definition: Definition) -> Outcome:
        head = self._enter()
        request = record.Request(kind="deploy", digest=definition.digest)
        left = self._left_behind(head, request)
        if head and left:
            return self._resume(head, left, definition)
        return self._bring(self._cleared(head), request, definition)

    def rollback(self, wanted: int | None) -> Outcome:
        """`wanted`: a revision, or None for the newest verified one older than what serves."""
        head = self._enter()
        if head is None:
            why = f"There is no ConfigMap/{self.store.name} in namespace {self.api.namespace}"
            raise Refused(f"{self.release} was never released", why, "Check the name and the namespace")
        request = record.Request(kind="rollback", target=wanted)
        left = self._left_behind(head, request)
        if left:
            return self._resume(head, left, None)
        head = self._cleared(head) or head
        row = history.rollback_target(head, wanted)
        self.planner.manners = replace(self.planner.manners, force=True)
        return self._bring(head, request, self.recorded(row.revision), target=row)

    def recorded(self, revision: int) -> Definition:
        """The definition of a revision. Raises Refused when it cannot be had."""
        return define(self.release, self.api.namespace, self.store.read_record(revision)["definition"])

    def planned(self, head: record.Head, definition: Definition, live: Mapping[Key, Object] | None = None) -> Plan:
        """What it would take to make the definition the serving one. Writes nothing but a namespace that was asked
        for."""
        live = self.planner.read(_kinds(definition, head)) if live is None else live
        owned = {item.key: item.uid for item in head.inventory}
        bodies = self.placement.bodies(definition, head.release_uid, live)
        try:
            steps = self.planner.steps(bodies, live, owned)
        except NotFound as error:
            if not error.namespace_missing:
                raise
            steps = self._without_namespace(bodies)
        else:
            steps = self.placement.tried(steps, owned)
        record.pack(contents(definition, head, self.wishes))
        prune, keep = left_over(head, map(key_of, bodies))
        going = tuple(live[item.key] for item in prune if item.key in live)
        return Plan(steps=steps, prune=prune, going=going, keep=keep, strategies=self.placement.replacing)

    def operation(
        self, request: record.Request, kind: str, revision: int, digest: str, head: record.Head
    ) -> record.Operation:
        """A new operation of this process."""
        return record.Operation(
            id=uuid.uuid4().hex,
            kind=kind,
            request=request,
            revision=revision,
            digest=digest,
            base=head.current.revision if head.current else None,
            holder=lock.here(self.wishes.user, self.wishes.parent),
            on_failure=self.wishes.on_failure,
        )

    def carry_out(self, head: record.Head, operation: record.Operation, definition: Definition, plan: Plan) -> Outcome:
        """Begins (or takes up) an operation and sees it through. Raises ReleaseFailed when it does not end well."""
        verbs = {"repair": "repairing", "rollback": f"putting revision {operation.target} back"}
        self.wishes.console(f"revision {operation.revision}: {verbs.get(operation.kind, 'applying')}")
        was_verified, before = head.verified, sum(self.attempt.timings.values())
        head = self.attempt.begin(head, operation, definition, plan)
        try:
            head = self.attempt.carry_out(head, operation, plan)
        except Bad as bad:
            self.attempt.lap("rollout")
            head = self.lease.head or head
            head, operation = history.failed(head, operation, bad.evidence(now()), now=now())
            self.lease.save(head)  # the evidence first
            aftermath.settle(self, head, operation)
        seconds = duration(sum(self.attempt.timings.values()) - before)
        word = "verified" if self.attempt.verification.passed else "serves, unverified,"
        self.wishes.console(f"revision {operation.revision} {word} in {seconds}")
        changed = plan.changes or operation.kind != "repair" or (head.verified and not was_verified)
        return self._outcome(plan, self.attempt.tidy(head), changed=changed)

    def _enter(self) -> record.Head | None:
        """The head, once nobody alive is at work on it. A look (check mode) need not wait for that."""
        head = self.store.load()
        if head is None or head.operation is None or self.wishes.check_mode:
            return head
        patience = replace(self.wishes.timings.patience, lock_wait=self.wishes.lock_wait)
        return lock.wait_for_silence(self.store, head, patience)

    def _left_behind(self, head: record.Head | None, request: record.Request) -> record.Operation | None:
        """The operation of a run with the same request that was cut short, and is to be taken up."""
        operation = head.operation if head else None
        return operation if operation and operation.request == request and not self.wishes.check_mode else None

    def _cleared(self, head: record.Head | None) -> record.Head | None:
        """After a run with another request was cut short: if it had committed, what it left to tidy is tidied. If not,
        its revision counts as interrupted, and the plan starts from what is there."""
        if head is None or head.operation is None or self.wishes.check_mode:
            return head
        self.wishes.console(f"{head.operation.holder} was interrupted in a {head.operation.kind}; going on from there")
        if head.operation.phase == "tidy":
            return self.attempt.tidy(self._taken(head, head.operation))
        return head

    def _resume(self, head: record.Head, operation: record.Operation, definition: Definition | None) -> Outcome:
        """Takes up the same request where it was left; its outcome is the answer."""
        self.wishes.console(f"taking up the {operation.kind} of revision {operation.revision} where it was interrupted")
        if operation.phase == "failed":
            head = self._taken(head, operation)
            aftermath.settle(self, head, operation)
        if operation.phase == "tidy":
            head = self.attempt.tidy(self._taken(head, operation))
            aftermath.tell(self, operation, head)
            return self._outcome(Plan(), head, changed=True)
        if operation.kind == "rollback" or definition is None:
            self.planner.manners = replace(self.planner.manners, force=True)
            definition = self.recorded(operation.target or operation.revision)
        again = self._mine(operation)
        outcome = self.carry_out(head, again, definition, self.planned(head, definition))
        aftermath.tell(self, operation, self.lease.head or head)
        return outcome

    def _mine(self, operation: record.Operation) -> record.Operation:
        return replace(
            operation, id=uuid.uuid4().hex, holder=lock.here(self.wishes.user, self.wishes.parent), heartbeat=0
        )

    def _taken(self, head: record.Head, operation: record.Operation) -> record.Head:
        """The head with the operation in our hands."""
        head = replace(head, operation=self._mine(operation))
        self.lease.save(head)
        return head

    def _bring(
        self,
        head: record.Head | None,
        request: record.Request,
        definition: Definition,
        target: record.Row | None = None,
    ) -> Outcome:
        """Makes the definition the serving one. `target`: the row that it comes from, if it is put back."""
        live = self.planner.read(_kinds(definition, head))
        proven = head is not None and self._proven(head, live)
        settled = proven and serving(live) and not (head and (head.operation or head.unsettled))
        if head and settled and untouched(head, definition, live, self.planner.unserved):
            return self._outcome(Plan(untouched=len(head.inventory)), head, changed=False)
        head = head or record.Head(release_uid=str(uuid.uuid4()), next=self.store.newest_recorded() + 1)
        plan = self.planned(head, definition, live)
        self.attempt.lap("plan")
        same = head.current is not None and head.current.digest == definition.digest
        if same and settled and not plan.changes:
            self._settle_digests(head, plan)
            return self._outcome(plan, head, changed=False)
        self.wishes.console(f"plan: {plan.summary}")
        for note in (note for step in plan.steps for note in step.notes):
            self.wishes.console(note)
        if self.wishes.check_mode:
            return self._foreseen(plan, head, request, new=not same, proven=proven)
        if reminder := history.reminder(head, definition.digest):
            self.wishes.console(reminder)  # at once: it may well fail again
            self.attempt.warnings.append(reminder)
        revision = head.current.revision if same and head.current else head.next
        operation = self.operation(request, "repair" if same else request.kind, revision, definition.digest, head)
        operation = replace(operation, target=target.revision if target else None)
        return self.carry_out(head, operation, definition, plan)

    def _settle_digests(self, head: record.Head, plan: Plan) -> None:
        """Objects that were touched without being changed (somebody filled an empty map of ours, a scaler took a
        number) are remembered as they are now, so that the next run need not look closer again."""
        known = {item.key: item for item in head.inventory}
        live = {step.key: step.live for step in plan.steps if step.live}
        items = inventory(plan.steps, live, known, head.next)
        fresh = replace(head, inventory=tuple({item.key: item for item in (*head.inventory, *items)}.values()))
        if fresh != head and not self.wishes.check_mode:
            self.lease.save(fresh)

    def _proven(self, head: record.Head, live: Mapping[Key, Object]) -> bool:
        """Nothing is left to prove: the current revision is verified, or nobody asks for that, or there is nobody to
        ask."""
        return head.verified or self.wishes.verify is None or not wanted_pods(live)

    def _without_namespace(self, bodies: list[Object]) -> tuple[Step, ...]:
        if not self.wishes.namespace_create:
            raise Refused(
                f"There is no namespace {self.api.namespace!r}",
                "A release does not create its namespace unless it is told to",
                "Create it, correct the name, or let the release create it",
                setting="namespace_create",
            )
        if self.wishes.check_mode:
            self.wishes.console(f"there is no namespace {self.api.namespace} yet: foreseen without the API server")
            return tuple(Step(action=Action.CREATE, body=body, difference=difference(None, body)) for body in bodies)
        with contextlib.suppress(Conflict):  # another server's run was faster
            self.api.create_namespace()
        return self.planner.steps(bodies, {}, {})

    def _foreseen(self, plan: Plan, head: record.Head, request: record.Request, *, new: bool, proven: bool) -> Outcome:
        current = head.current.revision if head.current else None
        left = head.operation if head.operation and head.operation.request == request else None
        revision = left.revision if left else head.next if new or current is None else current
        return Outcome(
            changed=plan.changes or new or not proven or bool(left and left.phase == "tidy"),
            plan=plan,
            revision=revision,
            content=revision,
            previous=current if new else previous(head),
            verified=False,
            timings=self.attempt.timings,
            strategy=self.placement.strategy.data if self.placement.strategy else None,
        )

    def _outcome(self, plan: Plan, head: record.Head, *, changed: bool) -> Outcome:
        current = head.current_row
        return Outcome(
            changed=changed,
            plan=plan.carried_out({item.key for item in head.inventory}),
            revision=current.revision if current else 0,
            content=current.content if current else 0,
            previous=previous(head),
            verified=head.verified,
            verification=self.attempt.verification,
            timings=self.attempt.timings,
            warnings=tuple(self.attempt.warnings),
            strategy=current.strategy if current else None,
        )


def previous(head: record.Head) -> int | None:
    """The revision that was current before the current one."""
    return next((row.revision for row in head.history if row.state == "superseded"), None)


def _kinds(definition: Definition, head: record.Head | None) -> set[Kind]:
    wanted = {Kind(body["apiVersion"], body["kind"]) for body in definition.objects}
    return wanted | ({Kind(item.api_version, item.kind) for item in head.inventory} if head else set())
