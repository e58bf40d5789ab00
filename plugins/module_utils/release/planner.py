# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the API server what would happen: one LIST for each kind, one dry run for each object. Writes nothing."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, Applied, in_parallel, kind_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    ApiError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Refused,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import conflict, names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import CREDENTIAL, optional
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.diff import difference
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Action, Key, Step, carried_over, key_of

# A resourceVersion that only an absent object matches.
ABSENT = "1"
REPLACEABLE = ("Job", "ConfigMap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How to treat what others own. `force`: take every field, also from those who apply (a rollback must not stop);
    `take_replicas`: the number of replicas, too, where a scaler has it."""

    adopt: bool = False
    force: bool = False
    take_replicas: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What became of a pod that was asked for. `over_quota`: no room for it now, in the words of the quota."""

    warnings: tuple[str, ...] = ()
    over_quota: str = ""


class Planner:
    """The objects of one release, as they are and as they would be."""

    def __init__(self, api: Api, release: str, manners: Manners) -> None:
        self.api, self.release, self.manners = api, release, manners
        self.unserved: set[Kind] = set()
        self.wanted: frozenset[Key] = frozenset()

    def read(self, kinds: Iterable[Kind]) -> dict[Key, Object]:
        """Everything that carries the release's label: one LIST for each kind. Kinds not served go to `unserved`."""

        def listed(kind: Kind) -> list[Object]:
            try:
                return self.api.list(kind, f"{names.RELEASE}={self.release}")
            except NotFound as error:
                if not error.kind_missing:
                    raise
                self.unserved.add(kind)
                return []

        return {key_of(body): body for bodies in in_parallel(listed, sorted(kinds, key=str)) for body in bodies}

    def steps(self, bodies: Iterable[Object], live: Mapping[Key, Object], owned: Mapping[Key, str]) -> tuple[Step, ...]:
        """A step for each object. `owned`: the uids that the inventory knows. Raises Refused and InvalidInput."""
        bodies = tuple(bodies)
        self.wanted = frozenset(map(key_of, bodies))
        return tuple(
            in_parallel(lambda body: self.step(body, live.get(key_of(body)), owned.get(key_of(body), "")), bodies)
        )

    def step(self, body: Object, live: Object | None, owned_uid: str = "") -> Step:
        if kind_of(body) in self.unserved:
            return self._not_served(body)
        try:
            return self._asked(body, live)
        except NotFound as error:
            if live or error.namespace_missing or not self._binds_what_comes(body):
                raise
            return Step(action=Action.CREATE, body=body, difference=difference(None, body))
        except Conflict as error:
            if live:
                raise Refused(
                    f"{names.identity(body)} cannot be planned", error.why, "Run the same command again"
                ) from error
        live = self.api.get(kind_of(body), body["metadata"]["name"])
        owner = (live["metadata"].get("labels") or {}).get(names.RELEASE, self.release)
        if owner != self.release:
            raise Refused(
                f"{names.identity(body)} exists already and belongs to release {owner}",
                "Two releases would take it from each other",
                "Give it another name, or remove that release first",
            )
        adopt = live["metadata"]["uid"] != owned_uid
        if adopt and not self.manners.adopt:
            raise Refused(
                f"{names.identity(body)} exists already and does not belong to this release",
                f"It does not carry the label {names.RELEASE}={self.release}",
                "Adopt it, remove it, or choose another release name",
                setting="adopt",
            )
        return self._asked(body, live, adopt=adopt)

    def try_pod(self, deployment: Object, created: Iterable[Key]) -> Admission:
        """Asks admission for one pod of a Deployment, which it does not do when the Deployment is made (Pod Security,
        LimitRange, quota, classes). Raises Refused when no pod would ever come. Without the right to create pods, it is
        not known."""
        template = deployment["spec"]["template"]
        spec = template["spec"]
        if ("v1", "ServiceAccount", spec.get("serviceAccountName")) in frozenset(created):
            spec = spec | {"serviceAccountName": "default"}
        metadata = {"generateName": deployment["metadata"]["name"] + "-"} | (template.get("metadata") or {})
        try:
            warnings = self.api.try_pod({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
            return Admission(warnings=warnings)
        except (Forbidden, ApiError) as error:
            if isinstance(error, NotFound) and error.namespace_missing:
                raise
            quota = re.search(r"exceeded quota: .*", error.why)
            if quota or "cannot create resource" in error.why or error.status not in (403, 422):
                return Admission(over_quota=quota[0] if quota else "")
            raise Refused(
                f"No pod of {names.identity(deployment)} would be admitted", error.why, "Correct the pod template"
            ) from error

    def _binds_what_comes(self, body: Object) -> bool:
        """True for the binding of a Role that is made together with it: before that, it can be tried only by those who
        may bind any."""
        role = body.get("roleRef") or {}
        return body["kind"] == "RoleBinding" and (body["apiVersion"], role.get("kind"), role.get("name")) in self.wanted

    def _not_served(self, body: Object) -> Step:
        if optional(body):
            return Step(action=Action.SKIP, body=body)
        raise Refused(
            f"{names.identity(body)} cannot be created",
            f"This cluster does not serve {body['apiVersion']} {body['kind']}",
            f"Install its CustomResourceDefinition, or leave the object out ({names.OPTIONAL}: 'true' does that)",
        )

    def _asked(self, body: Object, live: Object | None, *, adopt: bool = False, looks: int = 3) -> Step:
        """The step for one object, from a dry run against `live`. Raises Conflict when it is not what was read."""
        if live:
            _same_selector(body, live)
        wanted, body = body, carried_over(body, live, take_replicas=self.manners.take_replicas)
        answer, force, notes = self._dry_run(body, live)
        there = answer.object["metadata"] if answer else {}  # a dry run leaves the version as it is
        if live and answer and looks and there["resourceVersion"] != live["metadata"]["resourceVersion"]:
            # What somebody wrote in between, a controller as a rule, would be told as a change of ours.
            uid, live = live["metadata"]["uid"], self.api.get(kind_of(body), body["metadata"]["name"])
            live["metadata"]["uid"] = uid  # an object that took its place is refused by this fence
            return self._asked(wanted, live, adopt=adopt, looks=looks - 1)
        if answer is None:  # it cannot be changed, or not before somebody's additions are gone
            return self._around(body, live, notes)
        after = answer.object if live else body
        others = conflict.foreign(answer.object) if live else {}
        take_over = frozenset(others) | (_managers(live) if adopt and live else frozenset())
        for fields in others.values():
            after = conflict.without(after, fields)
        change = difference(live, after)
        if live is None:
            action = Action.CREATE
        elif adopt:
            action = Action.ADOPT
        elif change and live.get("immutable") and not body.get("immutable"):  # somebody has made it so; it stays so
            action = Action.RECREATE
        else:
            action = Action.UPDATE if change else Action.UNCHANGED
        notes += tuple(f"{names.identity(body)}: taking back what {manager} added" for manager in sorted(others))
        return Step(
            action=action,
            body=body,
            live=live,
            difference=change,
            force=force,
            take_over=take_over if action is not Action.UNCHANGED else frozenset(),
            warnings=answer.warnings,
            notes=notes,
        )

    def _dry_run(self, body: Object, live: Object | None) -> tuple[Applied | None, bool, tuple[str, ...]]:
        """(answer, whether force is needed, notes). No answer: an apply cannot do it, see `_around`."""
        fenced, force = fence(_with_replicas(body, live), live, by_version=False), self.manners.force
        notes: tuple[str, ...] = ()
        try:
            try:
                answer = self.api.apply(fenced, dry_run=True, force=force)
            except Conflict as error:
                if live is None or not error.about_ownership:
                    raise
                force, notes = True, self._taken_back(body, live, error)
                answer = self.api.apply(fenced, dry_run=True, force=True)
        except (Conflict, NotFound):
            raise
        except ApiError as error:
            # 500 "failed to create typed patch object" is how the server reports a typo: the caller's contract, as a
            # 422.
            contract = "typed patch object" in error.why or "convert new object" in error.why
            if error.status == 422 and live and (conflict.foreign(live) or _replaceable(live)):
                return None, True, notes
            if error.status in (400, 422) or contract:
                raise InvalidInput(
                    f"The API server does not take {names.identity(body)}", error.why, "Correct the definition"
                ) from error
            raise
        return answer, force, notes

    def _taken_back(self, body: Object, live: Object, error: Conflict) -> tuple[str, ...]:
        """Notes on the fields that are taken back from people. Raises Refused when a tool means to own them."""
        found, tools = conflict.clashes(error.causes), conflict.appliers(live)
        claimed = [clash for clash in found if clash.manager in tools]
        if claimed:
            fields = ", ".join(f"{clash.field} ({_claim(clash, live, body)})" for clash in claimed)
            raise Refused(
                f"{names.identity(body)} cannot be applied",
                f"Somebody else applies the same fields, and would take them back: {fields}",
                "Let one of the two own them, or force it",
                setting="force_conflicts",
            )
        return tuple(f"{names.identity(body)}: taking back {clash.field} from {clash.manager}" for clash in found)

    def _around(self, body: Object, live: Object | None, notes: tuple[str, ...]) -> Step:
        others = conflict.foreign(live) if live else {}
        if not others or (live and _replaceable(live)):
            change = difference(live, body)
            return Step(action=Action.RECREATE, body=body, live=live, difference=change)
        after: Object = copy.deepcopy(live) if live else body
        for fields in others.values():
            after = conflict.without(after, fields)
        notes += tuple(f"{names.identity(body)}: taking back what {manager} added" for manager in sorted(others))
        change = difference(live, after)
        return Step(
            action=Action.UPDATE,
            body=body,
            live=live,
            difference=change,
            force=True,
            take_over=frozenset(others),
            notes=notes,
        )


def fence(body: Object, live: Object | None, *, by_version: bool = True) -> Object:
    """`body` with the fences of Api.apply: the object that was read (and, for a write, the very version), or none."""
    fenced = copy.copy(body)
    marks = {"resourceVersion": ABSENT}
    if live:
        metadata = live["metadata"]
        marks = {"uid": metadata["uid"]} | ({"resourceVersion": metadata["resourceVersion"]} if by_version else {})
    fenced["metadata"] = body["metadata"] | marks
    return fenced


def _with_replicas(body: Object, live: Object | None) -> Object:
    """For a dry run: where the number of replicas is left to others, it stays what it is. A dry run cannot know that we
    hand the field over before we drop it."""
    if live is None or body["kind"] != "Deployment" or "replicas" in body["spec"]:
        return body
    return body | {"spec": body["spec"] | {"replicas": conflict.handed_over(live)}}


def _claim(clash: conflict.Clash, live: Object, body: Object) -> str:
    """Who wants what of a field; without the values where they cannot be told or must not be shown."""
    theirs, ours = (conflict.value_at(one, clash.field) for one in (live, body))
    secret = any(CREDENTIAL.search(word) for word in re.split(r"[^\w-]", clash.field))
    if secret or not all(isinstance(value, (str, int)) for value in (theirs, ours)):
        return clash.manager
    return f"{clash.manager}: {theirs!r}, here: {ours!r}"


def _same_selector(body: Object, live: Object) -> None:
    if body["kind"] != "Deployment" or body["spec"].get("selector") == live["spec"].get("selector"):
        return
    raise Refused(
        f"{names.identity(body)} has another selector than the one that is there",
        "The selector of a Deployment cannot be changed",
        "Keep the selector, or release under another name and remove this one afterwards",
    )


def _replaceable(live: Object) -> bool:
    return live["kind"] in REPLACEABLE and (live["kind"] == "Job" or bool(live.get("immutable")))


def _managers(live: Object) -> frozenset[str]:
    """All who wrote an object that is adopted, but for components and for controllers that write its status."""
    return frozenset(
        entry["manager"]
        for entry in live["metadata"].get("managedFields") or []
        if not entry.get("subresource") and entry["manager"] not in conflict.COMPONENTS
    )
