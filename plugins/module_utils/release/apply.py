# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan's and the release's way to the API server: read, dry run, apply, delete."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Mapping

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, Applied, in_parallel, kind_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    ApiError,
    Conflict,
    InvalidInput,
    NotFound,
    Refused,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import optional
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.diff import difference
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Action, Key, Step, key_of, waves
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Item

# A resourceVersion that only an absent object matches.
ABSENT = "1"
# How often an object may move between our look at it and our write, before we say that somebody keeps changing it.
TRIES = 5


class Objects:
    """The objects of one release on the API server."""

    def __init__(self, api: Api, release: str) -> None:
        self.api, self.release = api, release
        self.unserved: set[Kind] = set()

    def read(self, kinds: Iterable[Kind]) -> dict[Key, Object]:
        """Everything that carries the release's label: one LIST for each kind. Kinds that are not served go to
        `unserved`."""

        def listed(kind: Kind) -> list[Object]:
            try:
                return self.api.list(kind, f"{names.RELEASE}={self.release}")
            except NotFound as error:
                if not error.kind_missing:
                    raise
                self.unserved.add(kind)
                return []

        return {key_of(body): body for bodies in in_parallel(listed, sorted(kinds, key=str)) for body in bodies}

    def plan(self, bodies: Iterable[Object], live: Mapping[Key, Object], owned: Mapping[Key, str]) -> tuple[Step, ...]:
        """A step for each object, from a dry run. `owned`: the uids that the inventory knows."""
        return tuple(
            in_parallel(lambda body: self._step(body, live.get(key_of(body)), owned.get(key_of(body), "")), bodies)
        )

    def predict(self, bodies: Iterable[Object]) -> tuple[Step, ...]:
        """The plan where there is no namespace to ask in: everything is created."""
        return tuple(Step(action=Action.CREATE, body=body, difference=difference(None, body)) for body in bodies)

    def apply(self, steps: Iterable[Step]) -> dict[Key, Object]:
        """Applies what changes, wave after wave. The objects as the server has them then, unchanged ones as they were
        read."""
        done: dict[Key, Object] = {}
        for wave in waves(steps):
            changing = [step for step in wave if step.changes]
            for step, answer in zip(changing, in_parallel(self._apply, changing), strict=True):
                done[key_of(step.body)] = answer
            done |= {key_of(step.body): step.live for step in wave if step.live and not step.changes}
        return done

    def delete(self, items: Iterable[Item]) -> None:
        """Deletes what is still the object that the inventory names, and carries our label; the last wave first."""
        steps = [Step(action=Action.UNCHANGED, body=_body(item)) for item in items]
        for wave in waves(steps, reverse=True):
            in_parallel(self._delete, wave)

    def _step(self, body: Object, live: Object | None, owned_uid: str) -> Step:
        if kind_of(body) in self.unserved:
            if optional(body):
                return Step(action=Action.SKIP, body=body)
            raise Refused(
                f"{names.identity(body)} cannot be created",
                f"This cluster does not serve {body['apiVersion']} {body['kind']}",
                f"Install its CustomResourceDefinition, or leave the object out ({names.OPTIONAL}: 'true' does that)",
            )
        try:
            answer = self._dry_run(body, live)
        except Conflict as error:
            if live or error.about_ownership:
                raise _refused(body, error) from error
            live = self._found_without_label(body, owned_uid)
            answer = self._dry_run(body, live)
        change = difference(live, answer.object if live else body)
        action = Action.CREATE if live is None else Action.UPDATE if change else Action.UNCHANGED
        return Step(action=action, body=body, live=live, difference=change, warnings=answer.warnings)

    def _dry_run(self, body: Object, live: Object | None) -> Applied:
        try:
            return self.api.apply(_fenced(body, live, by_version=False), dry_run=True)
        except (Conflict, NotFound):
            raise
        except ApiError as error:
            # 500 "failed to create typed patch object" is how the server reports a typo; it is the caller's contract
            # like a 422.
            if error.status in (400, 422) or "typed patch object" in error.why or "convert new object" in error.why:
                raise InvalidInput(
                    f"The API server does not take {names.identity(body)}",
                    error.why,
                    "Correct the definition; nothing was changed",
                ) from error
            raise

    def _found_without_label(self, body: Object, owned_uid: str) -> Object:
        live = self.api.get(kind_of(body), body["metadata"]["name"])
        if live["metadata"]["uid"] != owned_uid:
            raise Refused(
                f"{names.identity(body)} exists already and does not belong to this release",
                f"It does not carry the label {names.RELEASE}={self.release}",
                "Remove or rename it, or choose another release name",
            )
        return live

    def _apply(self, step: Step) -> Object:
        """Applies one object, fenced with what was read. If it has moved, it is planned again, and goes on only if the
        difference is still the one that was shown."""
        live, change = step.live, step.difference
        for _attempt in range(TRIES):
            try:
                return self.api.apply(_fenced(step.body, live)).object
            except Conflict as error:
                if error.about_ownership or live is None:
                    raise _refused(step.body, error) from error
            live = self.api.get(kind_of(step.body), step.body["metadata"]["name"])
            again = difference(live, self._dry_run(step.body, live).object)
            if not again:
                return live
            if again != change:
                raise Refused(
                    f"{step} was changed by somebody else",
                    "It is no longer what the plan showed",
                    "Run the same command again",
                )
        raise Refused(
            f"{step} keeps changing", f"It moved {TRIES} times while it was applied", "Find out who else writes it"
        )

    def _delete(self, step: Step) -> None:
        with contextlib.suppress(NotFound):
            live = self.api.get(kind_of(step.body), step.body["metadata"]["name"])
            metadata = live["metadata"]
            same = metadata["uid"] == step.body["metadata"].get("uid")
            if same and (metadata.get("labels") or {}).get(names.RELEASE) == self.release:
                self.api.delete(kind_of(step.body), metadata["name"], uid=metadata["uid"])


def inventory(
    steps: Iterable[Step], applied: Mapping[Key, Object], known: Mapping[Key, Item], revision: int
) -> tuple[Item, ...]:
    """What the release consists of: uid and digest of what was applied, and since which revision it is there."""
    items = []
    for step in steps:
        if step.action is not Action.SKIP:
            api_version, kind, name = key = key_of(step.body)
            body, old = applied.get(key), known.get(key)
            uid = body["metadata"]["uid"] if body else ""
            since = old.since if old and old.uid == uid else revision
            fresh = Item(
                api_version=api_version,
                kind=kind,
                name=name,
                uid=uid,
                digest=live_digest(body) if body else "",
                since=since,
            )
            items.append(fresh if body or not old else old)
    return tuple(items)


def _fenced(body: Object, live: Object | None, *, by_version: bool = True) -> Object:
    """`body` with the fences of Api.apply: the object that was read (and, for a write, the very version of it), or
    none."""
    fenced = copy.copy(body)
    fence = {"resourceVersion": ABSENT}
    if live:
        metadata = live["metadata"]
        fence = {"uid": metadata["uid"]} | ({"resourceVersion": metadata["resourceVersion"]} if by_version else {})
    fenced["metadata"] = body["metadata"] | fence
    return fenced


def _refused(body: Object, error: Conflict) -> Refused:
    owners = "; ".join(f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in error.causes) or error.why
    return Refused(
        f"{names.identity(body)} cannot be applied",
        f"Somebody else owns what it would change ({owners})" if error.about_ownership else error.why,
        "Let one of the two own it, then run the same command again",
    )


def _body(item: Item) -> Object:
    return {"apiVersion": item.api_version, "kind": item.kind, "metadata": {"name": item.name, "uid": item.uid}}
