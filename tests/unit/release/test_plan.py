# SPDX-License-Identifier: GPL-3.0-or-later
"""When there is nothing to do, and in which order there is something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER, Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import (
    Action,
    Key,
    Plan,
    Step,
    key_of,
    left_over,
    rank,
    untouched,
    waves,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Current, Head, Item
from ansible_collections.ai_aas.vllm.tests.unit.release.heads import operation

Object = dict[str, Any]
Live = dict[Key, Object]


def live_object(kind: str, api_version: str = "v1", **spec: Any) -> Object:
    fields = {"f:spec": {f"f:{name}": {} for name in spec}}
    ledger = [{"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}]
    metadata = {"name": "x", "uid": f"uid of {kind}", "managedFields": ledger}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def objects() -> Live:
    bodies = (live_object("Service", type="ClusterIP"), live_object("Deployment", "apps/v1", replicas=2))
    return {key_of(body): body for body in bodies}


SERVICE, DEPLOYMENT = objects()
WANTED = Definition(release="x", namespace="n", objects=tuple(objects().values()))


def head() -> Head:
    items = tuple(
        Item(
            api_version=key[0], kind=key[1], name=key[2], uid=body["metadata"]["uid"], digest=live_digest(body), since=1
        )
        for key, body in objects().items()
    )
    return Head(release_uid="u", next=2, current=Current(revision=1, digest=WANTED.digest), inventory=items)


def test_an_untouched_release() -> None:
    assert untouched(head(), WANTED, objects())


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(replace(head(), current=Current(revision=1, digest="e")), id="another definition"),
        pytest.param(replace(head(), current=None), id="nothing committed"),
        pytest.param(replace(head(), operation=operation(2)), id="an operation was cut short"),
        pytest.param(
            replace(head(), inventory=tuple(replace(item, doomed=True) for item in head().inventory)),
            id="something is still to be pruned",
        ),
    ],
)
def test_the_head_is_a_reason_to_look_closer(known: Head) -> None:
    assert not untouched(known, WANTED, objects())


def gone(live: Live) -> None:
    del live[SERVICE]


def recreated(live: Live) -> None:
    live[SERVICE]["metadata"]["uid"] = "another"


def edited(live: Live) -> None:
    live[DEPLOYMENT]["spec"]["replicas"] = 1


def taken(live: Live) -> None:
    live[DEPLOYMENT]["metadata"]["managedFields"] = []


def moved(live: Live) -> None:
    live[("apps/v2", "Deployment", "x")] = live.pop(DEPLOYMENT)


def added_to(live: Live) -> None:
    entry = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}
    live[DEPLOYMENT]["metadata"]["managedFields"].append(entry)


@pytest.mark.parametrize("change", [gone, recreated, edited, taken, moved, added_to])
def test_a_changed_object_is_a_reason_to_look_closer(change: Callable[[Live], None]) -> None:
    live = objects()
    change(live)
    assert not untouched(head(), WANTED, live)


def test_what_is_not_ours_is_no_reason() -> None:
    live = objects()
    live[DEPLOYMENT]["spec"]["paused"] = True
    live[("v1", "ConfigMap", "somebody's")] = live_object("ConfigMap")
    assert untouched(head(), WANTED, live)


def test_an_optional_object_comes_once_the_cluster_serves_its_kind() -> None:
    wanted = replace(WANTED, objects=(*WANTED.objects, live_object("ServiceMonitor", "monitoring.coreos.com/v1")))
    known = replace(head(), current=Current(revision=1, digest=wanted.digest))
    assert untouched(known, wanted, objects(), {Kind("monitoring.coreos.com/v1", "ServiceMonitor")})
    assert not untouched(known, wanted, objects())


def test_an_object_of_another_api_version_is_not_left_over() -> None:
    wanted = [("v1", "Service", "x"), ("apps/v2", "Deployment", "x")]
    assert left_over(head(), wanted) == ((), ())
    (dropped,), kept = left_over(head(), wanted[1:])
    assert (dropped.kind, kept) == ("Service", ())


def claim() -> Item:
    return Item(api_version="v1", kind="PersistentVolumeClaim", name="x", uid="u", digest="e", since=1, keep=True)


def test_data_that_was_dropped_is_no_reason_whatever_became_of_it() -> None:
    known = replace(head(), inventory=(*head().inventory, claim()))
    assert untouched(known, WANTED, objects())
    assert untouched(known, WANTED, objects() | {claim().key: live_object("PersistentVolumeClaim")})


def test_data_that_is_wanted_and_cannot_be_found_is_a_reason() -> None:
    wanted = replace(WANTED, objects=(*WANTED.objects, live_object("PersistentVolumeClaim")))
    current = Current(revision=1, digest=wanted.digest)
    assert not untouched(replace(head(), current=current, inventory=(*head().inventory, claim())), wanted, objects())


def step(kind: str, action: Action = Action.UPDATE) -> Step:
    return Step(action=action, body={"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}})


ORDER = [
    "ServiceAccount Role ConfigMap PersistentVolumeClaim NetworkPolicy PodDisruptionBudget".split(),
    ["RoleBinding", "Service"],
    ["Deployment"],
    ["ServiceMonitor", "PrometheusRule", "HorizontalPodAutoscaler", "HTTPRoute"],
]


def test_pods_come_after_what_they_need_and_before_what_watches_them() -> None:
    steps = [step(kind) for wave in ORDER for kind in wave]
    in_order = [[each.body["kind"] for each in wave] for wave in waves(reversed(steps))]
    assert [set(wave) for wave in in_order] == [set(wave) for wave in ORDER]
    assert [wave[0].body["kind"] for wave in waves(steps, reverse=True)] == [wave[0] for wave in reversed(ORDER)]


def test_empty_waves_are_left_out() -> None:
    assert [len(wave) for wave in waves([step("Deployment"), step("ConfigMap"), step("Role")])] == [2, 1]
    assert waves([]) == []


def test_rank_grows_with_the_waves() -> None:
    assert rank("ConfigMap") < rank("Service") < rank("Deployment") < rank("ServiceMonitor") == rank("Unheard")


@pytest.mark.parametrize(
    ("actions", "summary", "changes"),
    [
        ([], "nothing to do", False),
        ([Action.CREATE, Action.CREATE], "2 to create", True),
        ([Action.UNCHANGED, Action.UPDATE, Action.CREATE], "1 to create, 1 to update, 1 unchanged", True),
        ([Action.UNCHANGED], "1 unchanged", False),
        ([Action.SKIP], "1 left out (the cluster does not serve their kind)", False),
    ],
)
def test_the_summary_counts_the_steps(actions: list[Action], summary: str, changes: bool) -> None:
    plan = Plan(steps=tuple(step("Service", action) for action in actions))
    assert (plan.summary, plan.changes) == (summary, changes)
