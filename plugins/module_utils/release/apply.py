# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out: every write is fenced with what the plan has seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel, kind_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError, Conflict, NotFound, Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import conflict, gate, names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import owned_fields
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Action, Key, Step, waves
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.planner import Planner, fence
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Item

# How often an object may move between our look at it and our write, before we say that somebody keeps changing it.
TRIES = 5


class Applier:
    """The writes of one release. `tick` is called while several are under way."""

    def __init__(self, api: Api, planner: Planner, release_uid: str, tick: Callable[[], None]) -> None:
        self.api, self.planner, self.release_uid, self.tick = api, planner, release_uid, tick

    def apply(self, steps: Iterable[Step], gated: Collection[Key] = ()) -> dict[Key, Object]:
        """Applies what changes, wave after wave; the Deployments in `gated` with a closed gate. The objects as the
        server has them then, unchanged ones as read."""

        def write(step: Step) -> Object:
            return self.apply_one(step, gate.closed if step.key in gated else as_it_is)

        done: dict[Key, Object] = {}
        for wave in waves(steps):
            changing = [step for step in wave if step.changes]
            answers = in_parallel(write, changing, self.tick)
            done |= {step.key: answer for step, answer in zip(changing, answers, strict=True)}
            done |= {step.key: step.live for step in wave if step.live and not step.changes}
        return done

    def apply_one(self, step: Step, shape: Callable[[Object], Object]) -> Object:
        """Applies what `shape` makes of the body. If the object has moved since it was read, it is planned again, and
        goes on only if the difference is still the one that was shown."""
        planned = step
        for _attempt in range(TRIES):
            try:
                return self._write(replace(planned, body=shape(planned.body)))
            except Conflict as error:
                if error.about_ownership:
                    raise Refused(f"{step} cannot be applied", error.why, "Run the same command again") from error
            live = self._look(step)
            planned = self.planner.step(step.body, live, live["metadata"]["uid"] if live else "")
            if not planned.changes and live:
                return live
            if planned.difference != step.difference:
                why = "It is no longer what the plan has shown"
                raise Refused(f"{step} was changed by somebody else", why, "Run the same command again")
        raise Refused(
            f"{step} keeps changing", f"It moved {TRIES} times while it was applied", "Find out who writes it"
        )

    def prune(self, items: Iterable[Item]) -> tuple[list[Item], list[str]]:
        """Deletes what is still ours; the last wave first. (gone, complaints): what could not be deleted is no failure,
        it stays in the inventory for the next time."""
        gone: list[Item] = []
        complaints: list[str] = []
        for wave in waves(items, reverse=True):
            for item, complaint in zip(wave, in_parallel(self._delete, wave, self.tick), strict=True):
                if complaint:
                    complaints.append(f"{item} could not be deleted: {complaint}")
                else:
                    gone.append(item)
        return gone, complaints

    def _write(self, step: Step) -> Object:
        kind, live = kind_of(step.body), step.live
        if live and step.action is Action.RECREATE:
            self.api.delete(kind, live["metadata"]["name"], uid=live["metadata"]["uid"])
            live = None
        if live and step.take_over:
            live = self.api.patch(kind, live["metadata"]["name"], conflict.taken_over(live, step.take_over))
        ceded = live is not None and _drops_replicas(step.body, live)
        if live and ceded:
            live = self._cede_replicas(live)
        # Once it has another number of pods, its controller writes the status: no version would hold.
        return self.api.apply(fence(step.body, live, by_version=not ceded), force=step.force).object

    def _cede_replicas(self, live: Object) -> Object:
        """Hands the number of replicas to a manager of its own. Dropping a field that nobody else owns would reset
        it."""
        metadata = {key: live["metadata"][key] for key in ("name", "uid", "resourceVersion")}
        body = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}
        body |= {"spec": {"replicas": conflict.handed_over(live)}}
        return self.api.apply(body, manager=conflict.REPLICAS_MANAGER, force=True).object  # from ourselves

    def _look(self, step: Step) -> Object | None:
        try:
            return self.api.get(kind_of(step.body), step.body["metadata"]["name"])
        except NotFound:
            return None

    def _delete(self, item: Item) -> str:
        """What stood in the way; empty if the object is gone, or not ours any more."""
        complaint = ""
        for _attempt in range(TRIES):
            try:
                self._delete_as_seen(item)
            except NotFound:
                return ""
            except Conflict as error:  # a controller has written its status meanwhile: look again
                complaint = error.why
            except ApiError as error:
                return error.why
            else:
                return ""
        return complaint

    def _delete_as_seen(self, item: Item) -> None:
        kind = Kind(item.api_version, item.kind)
        metadata = self.api.get(kind, item.name)["metadata"]
        release = (metadata.get("labels") or {}).get(names.RELEASE, self.planner.release)
        life = (metadata.get("annotations") or {}).get(names.RELEASE_UID)
        if release == self.planner.release and (life == self.release_uid or metadata["uid"] == item.uid):
            self.api.delete(kind, item.name, uid=metadata["uid"], resource_version=metadata["resourceVersion"])


def as_it_is(body: Object) -> Object:
    return body


def _drops_replicas(body: Object, live: Object) -> bool:
    if body["kind"] != "Deployment" or "replicas" in body["spec"]:
        return False
    ours = "f:replicas" in owned_fields(live).get("f:spec", {})
    return ours and not conflict.ceded(live)
