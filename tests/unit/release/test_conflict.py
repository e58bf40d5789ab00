# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else has a hand in an object: read from the ledger of field owners."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.conflict import (
    REPLICAS_MANAGER,
    Clash,
    appliers,
    ceded,
    clashes,
    foreign,
    handed_over,
    merged,
    minus,
    scaled,
    taken_over,
    without,
)

Fields = dict[str, Any]
REPLICAS: Fields = {"f:spec": {"f:replicas": {}}}
TOKEN: Fields = {'k:{"name":"HF_TOKEN"}': {".": {}, "f:name": {}, "f:value": {}}}


def in_container(fields: Fields) -> Fields:
    return {"f:spec": {"f:containers": {'k:{"name":"vllm"}': fields}}}


def entry(manager: str, fields: Fields, operation: str = "Update", **more: str) -> Fields:
    return {"manager": manager, "operation": operation, "fieldsV1": fields} | more


def live(*entries: Fields) -> Fields:
    return {"apiVersion": "apps/v1", "metadata": {"resourceVersion": "7", "managedFields": list(entries)}}


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        (
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-edit" using apps/v1',
                "field": ".spec.replicas",
            },
            [Clash(manager="kubectl-edit", field=".spec.replicas")],
        ),
        ({"reason": "FieldManagerConflict", "message": "in other words"}, []),
        ({"reason": "FieldValueInvalid", "message": 'conflict with "x"'}, []),
        ({}, []),
    ],
)
def test_clashes(cause: dict[str, str], found: list[Clash]) -> None:
    assert clashes([cause]) == found


def test_appliers_are_others_who_apply() -> None:
    body = live(
        entry("argocd", REPLICAS, "Apply"),
        entry("kubectl-edit", REPLICAS),
        entry(FIELD_MANAGER, REPLICAS, "Apply"),
        entry(REPLICAS_MANAGER, REPLICAS, "Apply"),
    )
    assert appliers(body) == {"argocd"}


@pytest.mark.parametrize(
    ("ledger", "expected"),
    [
        (entry("kube-controller-manager", REPLICAS, subresource="scale"), True),
        (entry("kube-controller-manager", REPLICAS), False),
        (entry("kubectl", REPLICAS, subresource="scale"), False),
        (entry("kube-controller-manager", {"f:status": {}}, subresource="scale"), False),
    ],
)
def test_scaled(ledger: Fields, expected: bool) -> None:
    assert scaled(live(ledger)) is expected


def test_no_scaler_begins_at_zero() -> None:
    """A scaler that has put it there may take it from there."""

    def idle(*ledger: dict[str, Any]) -> dict[str, Any]:
        return live(*ledger) | {"spec": {"replicas": 0}}

    assert handed_over(idle(entry(FIELD_MANAGER, REPLICAS, "Apply"))) == 1
    assert handed_over(idle(entry(REPLICAS_MANAGER, REPLICAS, "Apply"))) == 0


def test_ceded() -> None:
    assert ceded(live(entry(REPLICAS_MANAGER, REPLICAS, "Apply")))
    assert not ceded(live(entry(FIELD_MANAGER, REPLICAS, "Apply")))


RESTARTED = {"f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}


@pytest.mark.parametrize(
    ("ledger", "found"),
    [
        pytest.param([entry("kubectl-edit", REPLICAS)], {"kubectl-edit": REPLICAS}, id="by hand"),
        pytest.param(
            [entry("kubectl-edit", REPLICAS), entry("kubectl-edit", in_container(TOKEN))],
            {"kubectl-edit": merged(REPLICAS, in_container(TOKEN))},
            id="twice by the same hand",
        ),
        pytest.param([entry(FIELD_MANAGER, REPLICAS)], {}, id="ours"),
        pytest.param([entry("argocd", REPLICAS, "Apply")], {}, id="applied"),
        pytest.param([entry("kubectl", REPLICAS, subresource="scale")], {}, id="a subresource"),
        pytest.param([entry("kube-controller-manager", REPLICAS)], {}, id="a component of the cluster"),
        pytest.param([entry("kubectl", {"f:metadata": {"f:labels": {"f:a": {}}}})], {}, id="labels are everybody's"),
        pytest.param([entry("kubectl", {"f:status": {"f:x": {}}})], {}, id="status"),
        pytest.param([entry("kubectl-rollout", {"f:spec": RESTARTED})], {}, id="a restart is a request, not a state"),
        pytest.param(
            [entry("kubectl", {"f:spec": RESTARTED | {"f:replicas": {}}})],
            {"kubectl": REPLICAS},
            id="a restart and more",
        ),
    ],
)
def test_foreign(ledger: list[Fields], found: Fields) -> None:
    assert foreign(live(*ledger)) == found


def test_taking_over_makes_their_fields_ours() -> None:
    ours = entry(FIELD_MANAGER, {"f:spec": {"f:paused": {}}}, "Apply")
    status = entry("kubectl-edit", {"f:status": {}}, subresource="status")
    body = live(ours, entry("kubectl-edit", REPLICAS), status, entry("other", REPLICAS))
    before = copy.deepcopy(body)
    fence, ledger = taken_over(body, ["kubectl-edit"])
    assert fence == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}
    assert (ledger["op"], ledger["path"]) == ("replace", "/metadata/managedFields")
    *rest, mine = ledger["value"]
    assert rest == [status, entry("other", REPLICAS)]
    assert (mine["manager"], mine["operation"]) == (FIELD_MANAGER, "Apply")
    assert mine["fieldsV1"] == {"f:spec": {"f:paused": {}, "f:replicas": {}}}
    assert body == before


@pytest.mark.parametrize(
    ("one", "other", "left"),
    [
        ({"f:a": {}, "f:b": {}}, {"f:a": {}}, {"f:b": {}}),
        ({"f:a": {"f:b": {}, "f:c": {}}}, {"f:a": {"f:b": {}}}, {"f:a": {"f:c": {}}}),
        ({"f:a": {".": {}, "f:b": {}}}, {"f:a": {"f:b": {}}}, {}),
        ({"f:a": {"f:b": {}}}, {"f:a": {"f:b": {}}}, {}),
        ({"f:a": {}}, {}, {"f:a": {}}),
    ],
)
def test_minus(one: Fields, other: Fields, left: Fields) -> None:
    assert minus(one, other) == left


VLLM = {"name": "vllm", "image": "v:1", "env": [{"name": "TZ", "value": "UTC"}, {"name": "HF_TOKEN", "value": "x"}]}
ONE = VLLM | {"env": [VLLM["env"][0]]}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        pytest.param(in_container({"f:env": TOKEN}), {"spec": {"containers": [ONE], "replicas": 2}}, id="a list item"),
        pytest.param(REPLICAS, {"spec": {"containers": [VLLM]}}, id="a field"),
        pytest.param(
            in_container({".": {}, "f:name": {}}), {"spec": {"replicas": 2}}, id="an item, and the list that it was"
        ),
        pytest.param({"f:spec": {"f:paused": {}}}, {"spec": {"containers": [VLLM], "replicas": 2}}, id="what is gone"),
        pytest.param({"f:spec": {}}, {}, id="all"),
    ],
)
def test_without(fields: Fields, left: Fields) -> None:
    value = {"spec": {"replicas": 2, "containers": [VLLM]}}
    untouched = copy.deepcopy(value)
    assert without(value, fields) == left
    assert value == untouched


def test_without_a_member_of_a_set() -> None:
    assert without({"finalizers": ["a", "b"]}, {"f:finalizers": {'v:"a"': {}}}) == {"finalizers": ["b"]}
