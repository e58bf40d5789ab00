# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done about a revision that failed: back to the last one that was proven, or stopped, or left as it is.

It begins once the evidence stands in the head, and ends with an error in either case. Nothing is tried a third time: a
way back that fails, too, is left as it is, with both causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import CollectionError, ReleaseFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import gate, history, record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.apply import Applier
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import DEPLOYMENT, own_pods
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Key, key_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import is_ready

if TYPE_CHECKING:
    from ansible_collections.ai_aas.vllm.plugins.module_utils.release.engine import Engine


def settle(engine: Engine, head: record.Head, operation: record.Operation) -> NoReturn:
    """From a head whose operation has failed to one in which nothing is under way. Raises ReleaseFailed."""
    action = operation.on_failure if operation.kind == "deploy" else "hold"
    engine.placement.unready = 0  # the pods that are not ready are those that failed: nobody waits for them
    if action == "rollback":
        target = history.automatic_target(head, operation.revision)
        if target is not None:
            _go_back(engine, head, operation, target)
        action = "hold" if head.current else "stop"
    left = "It was left as it is"
    if operation.kind == "deploy":
        try:
            left = _stop_or_hold(engine, head, operation, stop=action == "stop")
        except CollectionError as error:
            if action == "stop":
                if error.transient:  # the same command goes on from here
                    raise
                left = f"It could not be stopped: {error}"
    head = replace(head, operation=None)
    engine.lease.save(head)
    raise _failure(engine, operation, head, left)


def tell(engine: Engine, operation: record.Operation, head: record.Head) -> None:
    """Raises ReleaseFailed if the operation, which went well, was the way back from a deploy that did not."""
    if operation.failure:
        back = f"Revision {operation.target} was put back as revision {operation.revision} and {_state(head)}"
        raise _failure(engine, operation, head, back)


def _go_back(engine: Engine, head: record.Head, failed: record.Operation, target: int) -> NoReturn:
    engine.wishes.console(
        f"revision {failed.revision} failed: {(failed.failure or {}).get('cause')}; "
        f"putting revision {target} back as revision {head.next}"
    )
    engine.planner.manners = replace(engine.planner.manners, force=True)  # a conflict must not stop a way back
    try:
        definition = engine.recorded(target)
        plan = engine.planned(head, definition)
    except CollectionError as error:
        if error.transient:  # the same command goes on from here
            raise
        head = replace(head, operation=None)
        engine.lease.save(head)
        raise _failure(engine, failed, head, f"It was left as it is, since there is no way back: {error}") from error
    operation = engine.operation(failed.request, "rollback", head.next, definition.digest, head)
    operation = replace(operation, target=target, base=failed.revision, on_failure="hold", failure=failed.failure)
    engine.carry_out(head, operation, definition, plan)
    tell(engine, operation, engine.lease.head or head)
    raise AssertionError("a way back always tells what it came back from")


def _stop_or_hold(engine: Engine, head: record.Head, operation: record.Operation, *, stop: bool) -> str:
    """What becomes of a deploy that is not undone, in words.

    `stop`: failed pods must not hold GPUs. Where older pods are ready, their template is put back, else the workload is
    scaled to zero. Where no revision of ours tells their template (they were adopted, or the head was lost), they are
    not touched, and the gate keeps them.
    """
    live = engine.planner.read({DEPLOYMENT})
    failed = _deployments(engine, head, operation.revision, live)
    former = _deployments(engine, head, head.current.revision, live) if head.current else []
    proven = set(map(gate.digest, former))
    older = [_older_is_ready(engine, body, operation, proven) for body in failed]
    left = "It was left as it is"
    if stop and (former or not any(older)):
        engine.wishes.console(f"revision {operation.revision} failed; stopping it")
        engine.planner.manners = replace(engine.planner.manners, force=True, take_replicas=not any(older))
        back = {key_of(body): body for body in former} if any(older) else {}
        idle = {key_of(body): body | {"spec": body["spec"] | {"replicas": 0}} for body in failed}
        wanted = [body for key, body in (idle | back).items() if key in live]
        steps = [engine.planner.step(body, live[key_of(body)]) for body in wanted]
        Applier(engine.api, engine.planner, head.release_uid, engine.lease.tick).apply(steps)
        left = "It was stopped"
    if older and all(older):
        return f"{left}; older pods are ready"
    return f"{left}; no older pod is ready" if former and not any(older) else left


def _deployments(engine: Engine, head: record.Head, revision: int, live: Mapping[Key, Object]) -> list[Object]:
    bodies = engine.placement.bodies(engine.recorded(revision), head.release_uid, live)
    return [body for body in bodies if body["kind"] == "Deployment"]


def _older_is_ready(engine: Engine, failed: Object, operation: record.Operation, proven: set[str]) -> bool:
    """Whether a pod of a failed Deployment is ready that has another template, or one that was `proven` before (when
    only their number was to change)."""
    bad = {gate.digest(failed)} - proven
    culprit = (operation.failure or {}).get("object")
    return any(
        is_ready(pod)
        and gate.digest({"spec": {"template": pod}}) not in bad
        and f"Pod/{pod['metadata']['name']}" != culprit
        for pod in own_pods(engine.api, failed)
    )


def _failure(engine: Engine, operation: record.Operation, head: record.Head, left: str) -> ReleaseFailed:
    """One message: what failed and why, what became of it, what to do. And the same as data."""
    first = operation.failure or {}
    number = (
        operation.base if operation.kind == "rollback" and operation.request.kind == "deploy" else operation.revision
    )
    row = head.row(operation.revision)
    second = row.failure if row and row.failure and row.failure != first else None
    # A rollback that somebody asked for, and that failed, has put nothing back.
    went_back = operation.kind == "rollback" and operation.request.kind == "deploy" and not second
    left = f"{left}. Revision {operation.revision} failed, too: {second['message']}" if second else left
    return ReleaseFailed(
        f"Revision {number} of {engine.release} failed: {first.get('message', '')}",
        left,
        first.get("hint") or "Correct the cause and deploy again",
        setting=first.get("setting", ""),
        result={
            "failure": first,
            "rolled_back_to": operation.revision if went_back else None,
            "timings": engine.attempt.timings,
            "current_revision": head.current.revision if head.current else None,
        },
    )


def _state(head: record.Head) -> str:
    return "serves, verified" if head.verified else "serves, unverified"
