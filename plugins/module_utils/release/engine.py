# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of a release: plan, announce, apply, roll out, verify, commit. And of its removal.

The head is written before anything else and says what is under way; one write commits it. Until then nothing of the
former state is forgotten."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    ApiError,
    NotFound,
    Refused,
    ReleaseFailed,
    sentence,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import (
    Cause,
    Check,
    Console,
    Object,
    Subject,
    Verification,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.apply import Objects, inventory
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition, stamped
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import Overdue, Timings, follow
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Key, Plan, key_of, untouched
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import duration
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.store import Store

# Asks one ready pod of a Deployment whether it serves.
Verify: TypeAlias = Callable[[Object, Object], tuple[Check, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a release is to be made; times in seconds. `verify` is None where the caller switched verification off."""

    check_mode: bool
    reason: str = ""
    by: Mapping[str, str] = field(default_factory=dict)
    wait_timeout: int | None = None
    image_pull_timeout: int = 600
    history_max: int = 10
    namespace_create: bool = False
    verify: Verify | None
    subject_of: Callable[[Object], Subject]
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Timings
    console: Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a deploy came to. `revision` is the current one afterwards (in check mode: the one it would be)."""

    changed: bool
    plan: Plan
    revision: int
    previous: int | None
    verified: bool
    verification: Verification = field(default_factory=Verification)
    timings: Mapping[str, float] = field(default_factory=dict)


class Deploy:
    """One deploy of one definition. Raises Refused before anything was written, ReleaseFailed after."""

    def __init__(self, api: Api, definition: Definition, wishes: Wishes) -> None:
        self.api, self.definition, self.wishes = api, definition, wishes
        self.store, self.objects = Store(api, definition.release), Objects(api, definition.release)
        self.timings: dict[str, float] = {}
        self._clock = time.monotonic()

    def run(self) -> Outcome:
        head = self.store.load()
        live = self.objects.read(self._kinds(head))
        known = {item.key: item for item in head.inventory} if head else {}
        if head and self._good(head) and untouched(head, self.definition.digest, live) and _serving(live):
            return self._outcome(Plan(steps=(), untouched=len(head.inventory)), head, changed=False)
        head = head or self._first_head()
        plan = self._plan(head, live, known)
        self._lap("plan")
        same_content = head.current is not None and head.current.digest == self.definition.digest
        if same_content and not plan.changes and not head.operation and self._good(head) and _serving(live):
            return self._outcome(plan, head, changed=False)
        self.wishes.console(f"plan: {plan.summary}")
        if self.wishes.check_mode:
            return self._foreseen(plan, head, new_revision=not same_content)
        return self._carry_out(plan, head, known, kind="repair" if same_content else "deploy")

    def _good(self, head: record.Head) -> bool:
        """Nothing is left to prove: the current revision is verified, or nobody asks for that."""
        return head.verified or self.wishes.verify is None

    def _plan(self, head: record.Head, live: Mapping[Key, Object], known: Mapping[Key, record.Item]) -> Plan:
        bodies = stamped(self.definition, head.release_uid)
        owned = {key: item.uid for key, item in known.items()}
        try:
            steps = self.objects.plan(bodies, live, owned)
        except NotFound as error:
            if not error.namespace_missing:
                raise
            steps = self._without_namespace(bodies)
        record.pack(self._record(head))
        wanted = {key_of(body) for body in bodies}
        return Plan(steps=steps, left=tuple(item for item in head.inventory if item.key not in wanted))

    def _without_namespace(self, bodies: list[Object]) -> tuple[Any, ...]:
        if not self.wishes.namespace_create:
            raise Refused(
                f"There is no namespace {self.api.namespace!r}",
                "A release does not create its namespace unless it is told to",
                "Create it, correct the name, or let the release create it",
                setting="namespace_create",
            )
        if self.wishes.check_mode:
            self.wishes.console(f"namespace {self.api.namespace} is not there yet: predicted without the API server")
            return self.objects.predict(bodies)
        self.api.create_namespace()
        return self.objects.plan(bodies, {}, {})

    def _carry_out(self, plan: Plan, head: record.Head, known: Mapping[Key, record.Item], *, kind: str) -> Outcome:
        current = head.current.revision if head.current else None
        revision = current if kind == "repair" and current else head.next
        operation = record.Operation(
            id=uuid.uuid4().hex,
            kind=kind,
            digest=self.definition.digest,
            revision=revision,
            base=current,
            phase="apply",
        )
        row = self._row(operation) if kind == "deploy" else None
        head = record.begun(head, operation, row, inventory(plan.steps, {}, known, revision))
        self.store.save(head)
        if row:
            self.store.write_record(revision, self._record(head))
        self.wishes.console(f"revision {revision}: {'repairing' if kind == 'repair' else 'applying'}")
        applied: dict[Key, Object] = {}
        try:
            applied = self.objects.apply(plan.steps)
            self._lap("apply")
            pods = [pod for deployment in _deployments(applied) for pod in self._rolled_out(deployment, revision)]
            self._lap("rollout")
            verification = self._verified(pods, revision)
            self._lap("verify")
        except (_Failed, ApiError, Refused) as error:
            failure = (
                error if isinstance(error, _Failed) else _Failed("apply", Cause(id="not_applied", sentence=str(error)))
            )
            head = replace(head, inventory=inventory(plan.steps, applied, known, revision) + plan.left)
            self.store.save(record.failed(head, operation, failure.evidence, now=now()))
            raise self._failure(failure, operation) from error
        items = inventory(plan.steps, applied, known, revision)
        changed = plan.changes or kind == "deploy" or (verification.passed and not head.verified)
        evidence = {"pods": [pod["metadata"]["name"] for _deployment, pod in pods]}
        head = record.committed(head, operation, items, verified=verification.passed, evidence=evidence, now=now())
        head, superfluous = record.trimmed(head, self.wishes.history_max)
        self.store.save(head)
        if superfluous:
            self.store.delete_records(superfluous)
        word = (
            f"verified in {duration(sum(self.timings.values()))}"
            if verification.passed
            else "not verified: verification is off"
        )
        self.wishes.console(f"revision {revision} {word}")
        return self._outcome(plan, head, changed=changed, verification=verification)

    def _rolled_out(self, deployment: Object, revision: int) -> list[tuple[Object, Object]]:
        answer = follow(
            self.api,
            deployment,
            image_pull_timeout=self.wishes.image_pull_timeout,
            wait_timeout=self.wishes.wait_timeout,
            timings=self.wishes.timings,
            tell=lambda text: self.wishes.console(f"revision {revision}: {text}"),
        )
        if isinstance(answer, Overdue):
            raise _Failed("rollout", answer.cause)
        return [(deployment, pod) for pod in answer.pods]

    def _verified(self, pods: list[tuple[Object, Object]], revision: int) -> Verification:
        verify = self.wishes.verify
        if verify is None:
            return Verification()
        self.wishes.console(f"revision {revision}: asking {len(pods)} {'pod' if len(pods) == 1 else 'pods'}")
        answers = in_parallel(lambda pair: verify(*pair), pods)
        verification = Verification(
            pods={pod["metadata"]["name"]: answer for (_deployment, pod), answer in zip(pods, answers, strict=True)}
        )
        wrong = verification.first_failure
        if wrong:
            pod, check = wrong
            cause = Cause(
                id=f"verification_{check.name}", sentence=f"{pod} does not serve: {check.detail}", object=f"Pod/{pod}"
            )
            raise _Failed("verification", cause, verification)
        return verification

    def _failure(self, failure: _Failed, operation: record.Operation) -> ReleaseFailed:
        now_serves = (
            f"Revision {operation.base} is the last one that was committed"
            if operation.base
            else "Nothing was released before"
        )
        return ReleaseFailed(
            f"Revision {operation.revision} of {self.definition.release} failed: {failure.cause.sentence}",
            f"{now_serves}; the objects were left as they are",
            failure.cause.cure or "Correct the cause and deploy again",
            result={
                "failure": failure.evidence,
                "verification": failure.verification or Verification(),
                "timings": self.timings,
            },
        )

    def _foreseen(self, plan: Plan, head: record.Head, *, new_revision: bool) -> Outcome:
        changed = plan.changes or new_revision or not self._good(head)
        revision = head.next if new_revision else head.current.revision if head.current else head.next
        previous = head.current.revision if head.current else None
        return Outcome(
            changed=changed, plan=plan, revision=revision, previous=previous, verified=False, timings=self.timings
        )

    def _outcome(
        self, plan: Plan, head: record.Head, *, changed: bool, verification: Verification | None = None
    ) -> Outcome:
        before = [row.revision for row in head.history if row.state == "superseded"]
        return Outcome(
            changed=changed,
            plan=plan,
            revision=head.current.revision if head.current else 0,
            previous=before[0] if before else None,
            verified=head.verified,
            verification=verification or Verification(),
            timings=self.timings,
        )

    def _kinds(self, head: record.Head | None) -> set[Kind]:
        wanted = {Kind(body["apiVersion"], body["kind"]) for body in self.definition.objects}
        return wanted | ({Kind(item.api_version, item.kind) for item in head.inventory} if head else set())

    def _first_head(self) -> record.Head:
        return record.Head(release_uid=str(uuid.uuid4()), next=self.store.newest_recorded() + 1)

    def _record(self, head: record.Head) -> dict[str, Any]:
        return {
            "definition": list(self.definition.objects),
            "digest": self.definition.digest,
            "reason": self.wishes.reason,
            "provenance": dict(self.wishes.by),
            "versions": dict(self.wishes.versions),
            "release_uid": head.release_uid,
        }

    def _row(self, operation: record.Operation) -> record.Row:
        deployments = (body for body in self.definition.objects if body["kind"] == "Deployment")
        subject = next((self.wishes.subject_of(body) for body in deployments), Subject())
        return record.Row(
            revision=operation.revision,
            digest=operation.digest,
            state="running",
            kind=operation.kind,
            reason=self.wishes.reason,
            by=dict(self.wishes.by),
            started=now(),
            image=subject.image,
            model=subject.model,
            model_revision=subject.model_revision,
        )

    def _lap(self, phase: str) -> None:
        moment = time.monotonic()
        self.timings[phase] = round(moment - self._clock, 3)
        self._clock = moment


class _Failed(Exception):
    """The release is not good: the phase in which it was seen, and the cause."""

    def __init__(self, phase: str, cause: Cause, verification: Verification | None = None) -> None:
        super().__init__(cause.sentence)
        self.phase, self.cause, self.verification = phase, cause, verification

    @property
    def evidence(self) -> dict[str, Any]:
        cause = self.cause
        return {
            "class": self.phase,
            "cause": cause.id,
            "message": sentence(cause.sentence),
            "hint": cause.cure,
            "object": cause.object,
            "container": cause.container,
            "node": cause.node,
            "reason": cause.reason,
            "exit_code": cause.exit_code,
            "log": cause.message,
            "first_seen": now(),
        }


def now() -> str:
    """The time in UTC, RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _deployments(objects: Mapping[Key, Object]) -> list[Object]:
    return [body for (_version, kind, _name), body in objects.items() if kind == "Deployment"]


def _serving(live: Mapping[Key, Object]) -> bool:
    """True when all replicas of all Deployments are updated and ready, as far as a LIST tells."""
    for body in _deployments(live):
        status, wanted = body.get("status") or {}, body["spec"].get("replicas", 1)
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
        if status.get("observedGeneration", 0) < body["metadata"]["generation"] or counts != [wanted] * 3:
            return False
    return True
