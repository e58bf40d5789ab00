# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a release away: its objects, then its records. What holds data stays."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import NotFound, Refused, ReleaseFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import history, lock, names, record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.apply import Applier
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import all_pods
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import KEPT, Key
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.planner import Manners, Planner
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import duration
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.store import Store
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Wishes

PATIENCE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a removal came to (in check mode: would). `kept`: objects that hold data."""

    changed: bool
    deleted: tuple[Object, ...] = ()
    kept: tuple[Object, ...] = ()
    revision: int | None = None
    warnings: tuple[str, ...] = ()


def remove(api: Api, release: str, definition: Definition, wishes: Wishes, *, keep_history: bool) -> Removed:
    """Deletes the objects that carry the release's label, waits until the pods are gone (and their GPUs free), then
    deletes the records, unless `keep_history`.

    `definition` (it may be empty) tells where to look besides the inventory. Raises ReleaseFailed when something stays.
    """
    store, planner = Store(api, release), Planner(api, release, Manners())
    lease = lock.Lease(store, wishes.timings.patience, wishes.parent)
    api.before_write = lease.guard
    head = store.load()
    if head and head.operation and not wishes.check_mode:
        head = lock.wait_for_silence(store, head, replace(wishes.timings.patience, lock_wait=wishes.lock_wait))
    kinds = {Kind(body["apiVersion"], body["kind"]) for body in definition.objects}
    kinds |= {Kind(item.api_version, item.kind) for item in head.inventory} if head else set()
    live = planner.read(kinds)
    live |= _unlabelled(api, [item for item in head.inventory if item.key not in live]) if head else {}
    kept = tuple(body for key, body in live.items() if key[1] in KEPT)
    doomed = {key: body for key, body in live.items() if key[1] not in KEPT}
    over = head is None or (keep_history and head.current is None and head.operation is None)
    if over and not doomed:
        wishes.console(f"there is nothing of {release} in namespace {api.namespace}")
        return Removed(changed=False, kept=kept)
    revision = head.current.revision if head and head.current else None
    result = Removed(changed=True, deleted=tuple(doomed.values()), kept=kept, revision=revision)
    wishes.console(f"plan: {len(doomed)} to delete{', ' + str(len(kept)) + ' kept' if kept else ''}")
    if wishes.check_mode:
        return result
    # What an interrupted run has deleted is gone, but its pods may not be: a definition still tells how to find them.
    recorded = _recorded(store, head) if head and head.operation else []
    if head:
        head = history.begun(head, _operation(head, wishes), None)
        lease.save(head)
    applier = Applier(api, planner, head.release_uid if head else "", lease.tick)
    _gone, complaints = applier.prune([_item(key, body) for key, body in doomed.items()])
    if complaints:
        raise ReleaseFailed(f"{release} could not be removed", "; ".join(complaints), "Run the same command again")
    _wait_for_pods(api, [*doomed.values(), *definition.objects, *recorded], lease, wishes)
    if head and keep_history:
        lease.save(history.removed(head, (item for item in head.inventory if item.keep)))
    else:
        if head:  # whoever deploys in between is not promised a way back to what is being deleted
            lease.save(replace(head, current=None, history=()))
        store.delete_records()
        store.delete_head()
    wishes.console(
        "removed" + (f"; kept, since they hold data: {', '.join(map(names.identity, kept))}" if kept else "")
    )
    return result


def _unlabelled(api: Api, items: Iterable[record.Item]) -> dict[Key, Object]:
    """Those that somebody has stripped of their label. One that another release has now is not among them."""
    found = {}
    for item in items:
        with contextlib.suppress(NotFound):
            body = api.get(Kind(item.api_version, item.kind), item.name)
            if body["metadata"]["uid"] == item.uid and not (body["metadata"].get("labels") or {}).get(names.RELEASE):
                found[item.key] = body
    return found


def _recorded(store: Store, head: record.Head) -> list[Object]:
    """What the current revision consists of, as far as that can be had."""
    try:
        return list(store.read_record(head.current.revision)["definition"]) if head.current else []
    except Refused:
        return []


def _operation(head: record.Head, wishes: Wishes) -> record.Operation:
    return record.Operation(
        id=uuid.uuid4().hex,
        kind="remove",
        request=record.Request(kind="remove"),
        revision=head.current.revision if head.current else 0,
        digest="",
        base=head.current.revision if head.current else None,
        holder=lock.here(wishes.user, wishes.parent),
    )


def _wait_for_pods(api: Api, bodies: Iterable[Object], lease: lock.Lease, wishes: Wishes) -> None:
    start, told, limit = time.monotonic(), -wishes.timings.tell_every, wishes.wait_timeout or PATIENCE
    for deployment in {body["metadata"]["name"]: body for body in bodies if body["kind"] == "Deployment"}.values():
        while pods := all_pods(api, deployment):
            spent = time.monotonic() - start
            if spent > limit:
                raise ReleaseFailed(
                    f"{len(pods)} pods did not end within {duration(limit)}: {', '.join(_names(pods))}",
                    "Their objects are deleted, but a pod ends only when its kubelet says so",
                    "Look at their nodes, then run the same command again",
                )
            if spent - told >= wishes.timings.tell_every:
                wishes.console(f"{', '.join(_names(pods))} terminating, {duration(spent)}")
                told = spent
            lease.pause(wishes.timings.pause(spent))


def _names(pods: list[Object]) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]


def _item(key: Key, body: Object) -> record.Item:
    api_version, kind, name = key
    return record.Item(api_version=api_version, kind=kind, name=name, uid=body["metadata"]["uid"], since=0)
