# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt to make a set of objects the serving one: announce, record, apply, roll out, verify, commit, tidy.

The same whether it is a deploy, a repair or a rollback. The head is written before anything else and says what is under
way; one write commits it. Whatever is done twice because a run was cut short in between comes to the same."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    ApiError,
    CollectionError,
    InvalidInput,
    Lost,
    Refused,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Object, Subject, Verification
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import gate, history, record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.apply import Applier, as_it_is
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.clock import now
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.failure import Bad
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import (
    REPLICA_SET,
    Follower,
    Hooks,
    label_selector,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.lock import Lease
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.placement import Placement
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Key, Plan, Step, inventory, key_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.planner import Planner
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.proof import Group, Proof
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import Observation
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.strategy import REPLACE, with_strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Wishes


class Attempt:
    """`timings` fills with the seconds of each phase, `proof` with what pods answered, `warnings` with the rest."""

    def __init__(self, api: Api, lease: Lease, planner: Planner, placement: Placement, wishes: Wishes) -> None:
        self.api, self.lease, self.planner, self.placement, self.wishes = api, lease, planner, placement, wishes
        self.timings: dict[str, float] = {}
        self.proof = Proof(api, lease, wishes)
        self.warnings: list[str] = []
        self.began = ""
        self._moment = time.monotonic()

    def begin(self, head: record.Head, operation: record.Operation, definition: Definition, plan: Plan) -> record.Head:
        """Takes the release (only one run can), then writes the record."""
        row = self._row(head, operation, definition) if operation.kind != "repair" else None
        known = {item.key: item for item in head.inventory}
        head = history.begun(head, operation, row, inventory(plan.steps, {}, known, operation.revision))
        self.lease.save(head)
        self.began = self.lease.store.written
        if row:
            self.lease.store.write_record(operation.revision, contents(definition, head, self.wishes))
        return head

    def carry_out(self, head: record.Head, operation: record.Operation, plan: Plan) -> record.Head:
        """The head after the commit, with tidying still to do. Raises Bad when it is not good; what else it raises, the
        same command takes up again as it is."""
        self.proof = Proof(self.api, self.lease, self.wishes)  # what a revision before it has answered is no proof
        known = {item.key: item for item in head.inventory}
        applier = Applier(self.api, self.planner, head.release_uid, self.lease.tick)
        try:
            proven = any(row.verified and row.digest == operation.digest for row in head.history)
            deployments = (step for step in plan.steps if step.key[1] == "Deployment")
            gated = frozenset(step.key for step in deployments if self._gated(step, proven=proven))
            applied = applier.apply(plan.steps, gated)
        except Lost:  # this run has no say in it any more, not even that it failed
            raise
        except (ApiError, Refused, InvalidInput) as error:
            if error.transient:
                raise
            raise Bad("contract", _told("not_applied", error)) from error
        self.lap("apply")
        try:
            self._roll_out(applier, plan, applied, operation.revision)
        except (ApiError, InvalidInput) as error:
            if error.transient:
                raise
            raise Bad("verification", _told("not_asked", error)) from error
        self.lap("rollout")
        items = inventory(plan.steps, applied, known, operation.revision)
        verified, evidence = self.verification.passed, self.proof.evidence or None
        head = history.with_strategy(self.lease.head or head, operation.revision, self.placement.strategy)
        head = history.committed(head, operation, items, verified=verified, evidence=evidence, now=now())
        self.lease.save(head)
        return head

    def tidy(self, head: record.Head) -> record.Head:
        """Deletes what the committed set no longer names, and superfluous records. Then nothing is under way any
        more."""
        applier = Applier(self.api, self.planner, head.release_uid, self.lease.tick)
        gone, complaints = applier.prune(item for item in head.inventory if item.doomed)
        self.warnings += complaints
        records = history.kept_records(head, self.wishes.history_max)
        if any(row.revision not in records for row in head.history):
            self.lease.store.delete_records(keep=records)
        head = history.tidied(head, gone, self.wishes.history_max)
        self.lease.save(head)
        self.lap("tidy")
        return head

    @property
    def verification(self) -> Verification:
        return self.proof.verification

    def lap(self, phase: str) -> None:
        """The seconds since the last lap were spent in `phase`."""
        moment = time.monotonic()
        self.timings[phase] = round(self.timings.get(phase, 0) + moment - self._moment, 3)
        self._moment = moment

    def _roll_out(self, applier: Applier, plan: Plan, applied: dict[Key, Object], revision: int) -> None:
        """Follows every Deployment of the set, and proves that it serves. `applied` gets the Deployments as they are
        once their gate is open."""
        serving: list[Group] = []
        for step in plan.steps:
            deployment = applied.get(step.key)
            if deployment is None or step.key[1] != "Deployment":
                continue
            body = step.body
            closed, gives_way = gate.holds(deployment, body), self.placement.may_give_way(step.key)
            hooks = Hooks(
                ask=partial(self.proof.ask, body, revision),
                compare=self.proof.compare,
                open_gate=partial(self._open, applier, applied, body, revision) if closed else None,
                give_way=partial(self._give_way, applier, applied, body, revision) if gives_way else None,
                pause=self.lease.pause,
                tell=lambda text: self.wishes.console(f"revision {revision}: {text}"),
            )
            ready = Follower(self.api, deployment, self.wishes, hooks, self.began).run()
            serving.append(Group(deployment=body, pods=ready.pods))
        self.proof.reach(revision, serving)

    def _gated(self, step: Step, *, proven: bool) -> bool:
        """Whether the first new pod has to answer before others follow. Pods of a `proven` definition that still run
        need not."""
        if self.wishes.verify is None:
            return False
        if gate.is_closed(step):
            return True
        if not gate.may_close(step) or step.key in self.placement.idle:
            return False
        return not (proven and gate.comes_back(step.body, self.api.list(REPLICA_SET, label_selector(step.body))))

    def _open(self, applier: Applier, applied: dict[Key, Object], body: Object, revision: int, live: Object) -> Object:
        self.wishes.console(f"revision {revision}: the first pod has answered, the others follow")
        body = with_strategy(body, self.placement.strategies[key_of(body)])
        opened = applied[key_of(body)] = applier.apply_one(self.planner.step(body, live), as_it_is)
        return opened

    def _give_way(
        self, applier: Applier, applied: dict[Key, Object], body: Object, revision: int, seen: Observation, lack: str
    ) -> Object | None:
        """There is no room for a further pod (`lack` says of what), so an old one goes first, unless that would not
        help."""
        against = self.placement.no_help(seen, self.wishes.schedule_timeout - 2 * self.wishes.timings.no_room)
        if against:
            self.wishes.console(f"revision {revision}: no old pod goes first, since {against}")
            return None
        chosen = self.placement.strategies[key_of(body)] = replace(REPLACE, reason=f"no room for a further pod: {lack}")
        alone = body["spec"].get("replicas", 1) == 1
        self.wishes.console(
            f"revision {revision}: an old pod goes first, since there is no room for a further one: {lack}"
            + ("; nobody serves until the new one is ready" if alone else "")
        )
        if self.lease.head:
            self.lease.save(history.with_strategy(self.lease.head, revision, self.placement.strategy))
        step = self.planner.step(with_strategy(body, chosen), seen.deployment)
        shape = gate.closed if gate.holds(seen.deployment, body) else as_it_is
        written = applied[step.key] = applier.apply_one(step, shape)
        return written

    def _row(self, head: record.Head, operation: record.Operation, definition: Definition) -> record.Row:
        deployments = (body for body in definition.objects if body["kind"] == "Deployment")
        subject = next((self.wishes.subject_of(body) for body in deployments), Subject())
        failure, target = operation.failure, head.row(operation.target)
        reason = f"revision {operation.base} failed: {failure['cause']}" if failure else self.wishes.reason
        return record.Row(
            revision=operation.revision,
            digest=operation.digest,
            state="running",
            kind=operation.kind,
            content=target.content if target else operation.revision,
            reason=reason,
            by=dict(self.wishes.by),
            image=subject.image,
            model=subject.model,
            model_revision=subject.model_revision,
            started=now(),
            strategy=self.placement.strategy.data if self.placement.strategy else None,
        )


def _told(cause: str, error: CollectionError) -> Cause:
    return Cause(id=cause, sentence=f"{error.what}: {error.why}", cure=error.do, setting=error.setting)


def contents(definition: Definition, head: record.Head, wishes: Wishes) -> dict[str, Any]:
    """The record of a revision."""
    return {
        "definition": list(definition.objects),
        "digest": definition.digest,
        "release_uid": head.release_uid,
        "reason": wishes.reason,
        "provenance": dict(wishes.by),
        "versions": dict(wishes.versions),
    }
