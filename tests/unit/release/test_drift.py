# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no longer as it was applied, and whose doing it is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.drift import Change, drifted, written
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Item

Object = dict[str, Any]
VLLM, MODE = 'k:{"name":"vllm"}', 'k:{"name":"MODE"}'
PORT = 'k:{"containerPort":8000,"protocol":"TCP"}'

WANTED: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "x", "namespace": "n", "labels": {"app.kubernetes.io/name": "vllm"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "affinity": {},
                "containers": [
                    {
                        "name": "vllm",
                        "image": "i:1",
                        "args": ["a", "b"],
                        "env": [{"name": "MODE", "value": "fast"}],
                        "ports": [{"containerPort": 8000}],
                    }
                ],
            }
        },
    },
}
OURS: Object = {
    "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    VLLM: {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:args": {},
                        "f:env": {MODE: {".": {}, "f:name": {}, "f:value": {}}},
                        "f:ports": {PORT: {".": {}, "f:containerPort": {}}},
                    }
                }
            }
        },
    },
}


def applied() -> Object:
    """As the API server has it right after we applied it."""
    body = copy.deepcopy(WANTED)
    body["metadata"] |= {"uid": "u", "managedFields": [entry("ai_aas.vllm", OURS, "Apply")]}
    return body


def entry(manager: str, fields: Object, operation: str = "Update", **more: str) -> Object:
    return {"manager": manager, "operation": operation, "fieldsV1": copy.deepcopy(fields)} | more


ITEM = Item(api_version="apps/v1", kind="Deployment", name="x", uid="u", digest=live_digest(applied()), since=1)


def container(body: Object) -> Object:
    found: Object = body["spec"]["template"]["spec"]["containers"][0]
    return found


def ours(body: Object, *path: str) -> Object:
    fields: Object = body["metadata"]["managedFields"][0]["fieldsV1"]
    for key in path:
        fields = fields[key]
    return fields


OUR_CONTAINER = ("f:spec", "f:template", "f:spec", "f:containers", VLLM)


def in_container(**fields: Any) -> Object:
    below = {name.replace("_", ":"): value for name, value in fields.items()}
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": {VLLM: below}}}}}


def scale(body: Object) -> None:
    body["spec"]["replicas"] = 5
    del ours(body, "f:spec")["f:replicas"]
    body["metadata"]["managedFields"].append(entry("kubectl-edit", {"f:spec": {"f:replicas": {}}}))


def remove_variable(body: Object) -> None:
    container(body)["env"] = []
    del ours(body, *OUR_CONTAINER)["f:env"]


def change_variable(body: Object) -> None:
    container(body)["env"][0]["value"] = "slow"
    del ours(body, *OUR_CONTAINER, "f:env", MODE)["f:value"]
    body["metadata"]["managedFields"].append(entry("kubectl-set", in_container(f_env={MODE: {"f:value": {}}})))


def add_variable(body: Object) -> None:
    container(body)["env"].append({"name": "MORE", "value": "1"})
    key = 'k:{"name":"MORE"}'
    fields = in_container(f_env={key: {".": {}, "f:name": {}, "f:value": {}}})
    body["metadata"]["managedFields"].append(entry("kubectl-edit", fields))


def replace_arguments(body: Object) -> None:
    container(body)["args"] = ["c"]
    del ours(body, *OUR_CONTAINER)["f:args"]
    body["metadata"]["managedFields"].append(entry("argocd-controller", in_container(f_args={}), "Apply"))


def look_after(body: Object) -> None:
    """What controllers, and people who may, write without changing anything of ours."""
    status = {"f:status": {"f:replicas": {}}}
    body["metadata"]["managedFields"] += [
        entry("kube-controller-manager", {"f:metadata": {"f:annotations": {"f:a": {}}}}),
        entry("kube-controller-manager", status, subresource="status"),
        entry("kubectl-annotate", {"f:metadata": {"f:annotations": {"f:team": {}}}}),
    ]


ENV = "spec.template.spec.containers[vllm].env"


@pytest.mark.parametrize(
    ("happened", "fields"),
    [
        (look_after, None),
        (scale, {"spec.replicas": "kubectl-edit"}),
        (change_variable, {f"{ENV}[MODE].value": "kubectl-set"}),
        (remove_variable, {ENV: ""}),
        (add_variable, {f"{ENV}[MORE]": "kubectl-edit"}),
        (replace_arguments, {"spec.template.spec.containers[vllm].args": "argocd-controller"}),
    ],
)
def test_fields(happened: Callable[[Object], None], fields: dict[str, str] | None) -> None:
    body = applied()
    happened(body)
    drift = drifted(ITEM, body, WANTED)
    assert (dict(drift.fields) if drift else None) == fields
    assert drift is None or (drift.object, drift.change) == ("Deployment/x", Change.CHANGED)


def test_nothing() -> None:
    assert drifted(ITEM, applied(), None) is None


def test_an_object_that_is_gone_or_another_one() -> None:
    missing = drifted(ITEM, None, WANTED)
    assert missing is not None
    assert missing.change is Change.MISSING
    body = applied()
    body["metadata"]["uid"] = "another"
    recreated = drifted(ITEM, body, WANTED)
    assert recreated is not None
    assert recreated.change is Change.RECREATED


def test_a_change_whose_record_is_gone_is_still_a_change() -> None:
    body = applied()
    scale(body)
    drift = drifted(ITEM, body, None)
    assert drift is not None
    assert drift.fields == {"spec.replicas": "kubectl-edit"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), "spec.replicas"),
        (("f:metadata", "f:labels", "f:app.kubernetes.io/name"), "metadata.labels[app.kubernetes.io/name]"),
        (("f:spec", "f:ports", PORT, "f:name"), "spec.ports[8000,TCP].name"),
        (("f:metadata", "f:finalizers", 'v:"a/b"'), 'metadata.finalizers["a/b"]'),
    ],
)
def test_how_a_path_is_written(path: tuple[str, ...], text: str) -> None:
    assert written(path) == text
