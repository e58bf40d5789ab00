# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a live object is ours, and that its digest moves exactly when somebody touches that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import extract, live_digest, owned_fields

VALUE: dict[str, Any] = {
    "spec": {
        "replicas": 3,
        "containers": [
            {"name": "sidecar", "image": "s:1"},
            {"name": "vllm", "image": "v:1", "ports": [{"containerPort": 8000, "protocol": "TCP", "name": "http"}]},
        ],
        "finalizers": ["a", "b"],
        "args": ["--port", "8000"],
    }
}
PORT = 'k:{"containerPort":8000,"protocol":"TCP"}'


@pytest.mark.parametrize(
    ("fields", "extracted"),
    [
        pytest.param({"f:replicas": {}}, {"f:replicas": 3}, id="a child"),
        pytest.param({"f:args": {}}, {"f:args": ["--port", "8000"]}, id="an atomic list is a leaf"),
        pytest.param({"f:args": {".": {}}}, {"f:args": ["--port", "8000"]}, id="the node itself is a leaf, too"),
        pytest.param(
            {"f:containers": {'k:{"name":"vllm"}': {".": {}, "f:image": {}}}},
            {"f:containers": {'k:{"name":"vllm"}': {"f:image": "v:1"}}},
            id="a list item by its key, wherever it stands",
        ),
        pytest.param(
            {"f:containers": {'k:{"name":"vllm"}': {"f:ports": {PORT: {"f:name": {}}}}}},
            {"f:containers": {'k:{"name":"vllm"}': {"f:ports": {PORT: {"f:name": "http"}}}}},
            id="a list item by two keys",
        ),
        pytest.param(
            {"f:containers": {'k:{"name":"gone"}': {"f:image": {}}}},
            {"f:containers": {'k:{"name":"gone"}': {"f:image": None}}},
            id="a list item that is gone",
        ),
        pytest.param({"f:finalizers": {'v:"b"': {}}}, {"f:finalizers": {'v:"b"': "b"}}, id="a member of a set"),
        pytest.param({"f:finalizers": {'v:"c"': {}}}, {"f:finalizers": {'v:"c"': None}}, id="a member that is gone"),
        pytest.param({"f:args": {"i:1": {}}}, {"f:args": {"i:1": "8000"}}, id="a list item by its place"),
        pytest.param({"f:args": {"i:2": {}}}, {"f:args": {"i:2": None}}, id="a place that is gone"),
        pytest.param({"f:paused": {}}, {"f:paused": None}, id="a child that is gone"),
        pytest.param({"f:template": {"f:spec": {}}}, {"f:template": {"f:spec": None}}, id="a parent that is gone"),
        pytest.param({"f:replicas": {"f:x": {}}}, {"f:replicas": {"f:x": None}}, id="a parent that became a scalar"),
        pytest.param({"f:replicas": {'v:"x"': {}}}, {"f:replicas": {'v:"x"': None}}, id="a list that became a scalar"),
    ],
)
def test_extract_gives_the_live_values_of_the_named_fields(fields: dict[str, Any], extracted: dict[str, Any]) -> None:
    assert extract(VALUE["spec"], fields) == extracted


OURS = {"f:spec": {"f:replicas": {}, "f:containers": {'k:{"name":"vllm"}': {".": {}, "f:image": {}}}}}


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": OURS,
    } | changes


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "x", "resourceVersion": "7", "managedFields": list(entries or (entry(),))}
    return copy.deepcopy(VALUE | {"metadata": metadata})


@pytest.mark.parametrize(
    ("others", "found"),
    [
        pytest.param([entry()], OURS, id="ours"),
        pytest.param([entry(manager="kubectl"), entry()], OURS, id="ours among others"),
        pytest.param([entry(manager="kubectl")], {}, id="somebody else's"),
        pytest.param([entry(operation="Update")], {}, id="what we wrote without applying it"),
        pytest.param([entry(subresource="status")], {}, id="a subresource"),
        pytest.param([], {}, id="nobody's"),
    ],
)
def test_owned_fields_are_those_that_we_applied(others: list[dict[str, Any]], found: dict[str, Any]) -> None:
    body: dict[str, Any] = {"metadata": {"managedFields": others}}
    assert owned_fields(body) == found
    assert bool(live_digest(body)) == bool(found)


def test_an_object_without_a_ledger_is_not_ours() -> None:
    assert live_digest({"metadata": {"name": "x"}}) == ""


def scaled(body: dict[str, Any]) -> None:
    body["spec"]["replicas"] = 4


def other_image(body: dict[str, Any]) -> None:
    body["spec"]["containers"][1]["image"] = "v:2"


def container_gone(body: dict[str, Any]) -> None:
    del body["spec"]["containers"][1]


def field_taken(body: dict[str, Any]) -> None:
    del body["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]


@pytest.mark.parametrize("edit", [scaled, other_image, container_gone, field_taken])
def test_the_digest_sees_an_edit_of_what_is_ours(edit: Callable[[dict[str, Any]], None]) -> None:
    body = live()
    edit(body)
    assert live_digest(body) not in ("", live_digest(live()))


def touched(body: dict[str, Any]) -> None:
    body["metadata"] |= {"resourceVersion": "8", "generation": 2, "annotations": {"kubectl/restartedAt": "now"}}


def later(body: dict[str, Any]) -> None:
    body["metadata"]["managedFields"][0]["time"] = "2027-01-01T00:00:00Z"


def foreign_manager(body: dict[str, Any]) -> None:
    body["metadata"]["managedFields"].insert(0, entry(manager="kubectl", operation="Update", fieldsV1={"f:x": {}}))


def foreign_container(body: dict[str, Any]) -> None:
    body["spec"]["containers"].insert(0, {"name": "injected", "image": "i:1"})


def foreign_field(body: dict[str, Any]) -> None:
    body["spec"]["containers"][1]["imagePullPolicy"] = "Always"


def other_order(body: dict[str, Any]) -> None:
    body["spec"]["containers"].reverse()


@pytest.mark.parametrize("edit", [touched, later, foreign_manager, foreign_container, foreign_field, other_order])
def test_the_digest_is_blind_for_what_is_not_ours(edit: Callable[[dict[str, Any]], None]) -> None:
    body = live()
    edit(body)
    assert live_digest(body) == live_digest(live())
