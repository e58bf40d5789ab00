# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has changed by hand is told, by object, field and doer."""

from __future__ import annotations

from typing import Any

from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import INFO, Project, info, release

MERGE = "application/merge-patch+json"


def looked(project: Project, namespace: Namespace, **options: Any) -> dict[str, Any]:
    run = project.run(info(namespace.name, include_drift=True, **options))
    assert run.succeeded, run.told
    (result,) = [each["result"] for each in run.results if each["action"] == INFO]
    return dict(result)


def patch(namespace: Namespace, path: str, body: dict[str, Any], manager: str) -> None:
    url = f"/apis/apps/v1/namespaces/{namespace.name}/{path}" if "deploy" in path else path
    assert namespace.cluster.ask("PATCH", url, body, content_type=MERGE, query={"fieldManager": manager})


def test_drift(project: Project, namespace: Namespace) -> None:
    assert project.run(release(namespace.name, reason="first")).succeeded
    result = looked(project, namespace)
    assert result["releases"][0]["drift"] == []
    assert result["requests"] == 3  # the heads, and each of two kinds

    patch(namespace, "deployments/small", {"spec": {"paused": True, "minReadySeconds": 1}}, "kubectl-edit")
    patch(namespace, "deployments/small", {"metadata": {"annotations": {"team": "search"}}}, "kubectl-annotate")
    result = looked(project, namespace)
    fields = {"spec.paused": "kubectl-edit"}
    (drift,) = result["releases"][0]["drift"]
    assert (drift["object"], drift["change"]) == ("Deployment/small", "changed")
    assert drift["fields"].items() >= fields.items()

    services = f"/api/v1/namespaces/{namespace.name}/services"
    namespace.cluster.ask("DELETE", f"{services}/small")
    result = looked(project, namespace, name="small")
    found = {drift["object"]: drift["change"] for drift in result["releases"][0]["drift"]}
    assert found == {"Deployment/small": "changed", "Service/small": "missing"}

    body = {"metadata": {"name": "small"}, "spec": {"ports": [{"port": 8000}]}}
    namespace.cluster.ask("POST", services, body)
    result = looked(project, namespace)
    found = {drift["object"]: drift["change"] for drift in result["releases"][0]["drift"]}
    assert found == {"Deployment/small": "changed", "Service/small": "recreated"}


def test_what_was_recorded_can_be_released_again(project: Project, namespace: Namespace) -> None:
    assert project.run(release(namespace.name)).succeeded
    recorded = info(namespace.name, name="small", revision=1, include_definition=True) | {"register": "known"}
    definition = "{{ known.releases[0].definition }}"
    again = release(namespace.name, template=None, definition=definition)
    run = project.run(recorded, again)
    assert run.succeeded, run.told
    assert [each["result"]["changed"] for each in run.results] == [False, False]
