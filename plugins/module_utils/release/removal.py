# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a release away: its objects, then its records. What holds data stays."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ReleaseFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Console, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names, record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.apply import Objects
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import POD, Timings
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import KEPT, Key
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import duration
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.store import Store

PATIENCE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a removal came to (in check mode: would). `kept`: objects that hold data."""

    changed: bool
    deleted: tuple[Object, ...] = ()
    kept: tuple[Object, ...] = ()
    revision: int | None = None


def remove(
    api: Api,
    release: str,
    definition: Definition | None,
    *,
    keep_history: bool,
    check_mode: bool,
    wait_timeout: int | None,
    timings: Timings,
    console: Console,
) -> Removed:
    """Deletes the objects that the inventory names and that carry the release's label, waits until the pods are gone
    (and their GPUs free), then deletes the records, unless `keep_history`.

    `definition` only tells where to look when there is no head. Raises ReleaseFailed when pods do not end in time.
    """
    store, objects = Store(api, release), Objects(api, release)
    head = store.load()
    kinds = {Kind(body["apiVersion"], body["kind"]) for body in definition.objects} if definition else set()
    kinds |= {Kind(item.api_version, item.kind) for item in head.inventory} if head else set()
    live = objects.read(kinds)
    kept = tuple(body for (_version, kind, _name), body in live.items() if kind in KEPT)
    doomed = {key: body for key, body in live.items() if key[1] not in KEPT}
    over = head is None or (keep_history and head.current is None and head.operation is None)
    if over and not doomed:
        return Removed(changed=False, kept=kept)
    revision = head.current.revision if head and head.current else None
    result = Removed(changed=True, deleted=tuple(doomed.values()), kept=kept, revision=revision)
    console(f"plan: {len(doomed)} to delete{', ' + str(len(kept)) + ' kept' if kept else ''}")
    if check_mode:
        return result
    if head:
        operation = record.Operation(
            id=uuid.uuid4().hex, kind="remove", digest="", revision=head.next - 1, base=revision, phase="delete"
        )
        head = record.begun(head, operation, None, ())
        store.save(head)
    objects.delete([_item(key, body) for key, body in doomed.items()])
    _wait_for_pods(api, doomed, wait_timeout or PATIENCE, timings, console)
    if head and keep_history:
        store.save(_removed(head, kept))
    else:
        store.delete_records()
        store.delete_head()
    console(
        "removed"
        + (f"; kept, since they hold data: {', '.join(names.identity(body) for body in kept)}" if kept else "")
    )
    return result


def _wait_for_pods(api: Api, doomed: dict[Key, Object], seconds: int, timings: Timings, console: Console) -> None:
    start, told = time.monotonic(), 0.0
    for body in (body for (_version, kind, _name), body in doomed.items() if kind == "Deployment"):
        selector = ",".join(f"{key}={value}" for key, value in sorted(body["spec"]["selector"]["matchLabels"].items()))
        while pods := api.list(POD, selector):
            spent = time.monotonic() - start
            if spent > seconds:
                still = ", ".join(pod["metadata"]["name"] for pod in pods)
                raise ReleaseFailed(
                    f"{len(pods)} pods did not end within {duration(seconds)}: {still}",
                    "Their objects are deleted, but a pod ends only when its kubelet says so",
                    "Look at their nodes, then run the same command again",
                )
            if not told or spent - told >= timings.tell_every:
                console(f"{len(pods)} {'pod' if len(pods) == 1 else 'pods'} terminating, {duration(spent)}")
                told = spent or 0.001
            time.sleep(timings.pause(spent))


def _removed(head: record.Head, kept: tuple[Object, ...]) -> record.Head:
    keys = {(body["apiVersion"], body["kind"], body["metadata"]["name"]) for body in kept}
    history = tuple(replace(row, state="removed") if row.state == "current" else row for row in head.history)
    inventory = tuple(item for item in head.inventory if item.key in keys)
    return replace(head, current=None, operation=None, history=history, inventory=inventory)


def _item(key: Key, body: Object) -> record.Item:
    api_version, kind, name = key
    return record.Item(api_version=api_version, kind=kind, name=name, uid=body["metadata"]["uid"], since=0)
