# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to a release by hand, one thing of each sort."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.hands import JSON, MERGE, container
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

DEPLOYMENT = "apps/v1/deployments"
POLICY = "networking.k8s.io/v1/networkpolicies"
BUDGET = "policy/v1/poddisruptionbudgets"
ROLE = "rbac.authorization.k8s.io/v1/roles"
CLAIM = "persistentvolumeclaims"
Edit = Callable[[Namespace], Any]


def _patch(kind: str, change: Any, **options: Any) -> Edit:
    return lambda namespace: hands.patch(namespace, kind, change, **options)


def _template(change: Any) -> Any:
    return {"spec": {"template": change}}


def _recreated(namespace: Namespace) -> None:
    body = namespace.get("configmaps", "small")
    hands.delete(namespace, "configmaps")
    metadata = {key: body["metadata"][key] for key in ("name", "labels", "annotations")}
    hands.create(namespace, "configmaps", {"metadata": metadata, "data": body["data"]})


# Each of them leaves the pods alone.
AT_REST: Mapping[str, Edit] = {
    "service selector changed": _patch("services", {"spec": {"selector": {"app": "other"}}}),
    "service selector extended": _patch("services", {"spec": {"selector": {"tier": "x"}}}),
    "service port added": _patch("services", {"spec": {"ports": [{"name": "more", "port": 9000}]}}),
    "service port renamed": _patch(
        "services", [{"op": "replace", "path": "/spec/ports/0/name", "value": "web"}], sort=JSON
    ),
    "service target changed": _patch("services", {"spec": {"ports": [{"port": 8000, "targetPort": 8001}]}}),
    "network policy rule added": _patch(POLICY, [{"op": "add", "path": "/spec/ingress/-", "value": {}}], sort=JSON),
    "role rule changed": _patch(ROLE, [{"op": "add", "path": "/rules/0/verbs/-", "value": "list"}], sort=JSON),
    "config value changed": _patch("configmaps", {"data": {"greeting": "good bye"}}),
    "config key added": _patch("configmaps", {"data": {"more": "x"}}),
    "config key removed": _patch("configmaps", {"data": {"greeting": None}}, sort=MERGE),
    "disruption budget changed": _patch(BUDGET, {"spec": {"maxUnavailable": 2}}),
    "account told to mount its token": _patch("serviceaccounts", {"automountServiceAccountToken": True}),
    "release label of a volume claim stripped": _patch(CLAIM, {"metadata": {"labels": {"vllm.ai-aas/release": None}}}),
    "release label of a service stripped": _patch("services", {"metadata": {"labels": {"vllm.ai-aas/release": None}}}),
    "label changed": _patch(DEPLOYMENT, {"metadata": {"labels": {"team": "other"}}}, manager="kubectl-label"),
    "life of the release removed": _patch(
        "configmaps", {"metadata": {"annotations": {"vllm.ai-aas/release-uid": None}}}, manager="kubectl-annotate"
    ),
    "object deleted": lambda namespace: hands.delete(namespace, POLICY),
    "object recreated": _recreated,
    "rollout paused": _patch(DEPLOYMENT, {"spec": {"paused": True}}, manager="kubectl-rollout"),
    "strategy changed": _patch(
        DEPLOYMENT, {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}, sort=MERGE
    ),
    "revisions of the controller cut": _patch(DEPLOYMENT, {"spec": {"revisionHistoryLimit": 1}}),
    "config made immutable": _patch("configmaps", {"immutable": True}),
}

# Each of them starts other pods.
MOVING: Mapping[str, Edit] = {
    "env added": _patch(DEPLOYMENT, container(env=[{"name": "FOREIGN", "value": "1"}])),
    "env changed": _patch(DEPLOYMENT, container(env=[{"name": "LANGUAGE", "value": "de"}])),
    "env removed": _patch(DEPLOYMENT, container(env=[{"name": "LANGUAGE", "$patch": "delete"}])),
    "image changed": _patch(DEPLOYMENT, container(image="vllm/vllm-openai:v0.10.2"), manager="kubectl-set"),
    "argument added": _patch(
        DEPLOYMENT,
        [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--max-model-len=9"}],
        sort=JSON,
    ),
    "port added": _patch(DEPLOYMENT, container(ports=[{"name": "more", "containerPort": 9000}])),
    "port renamed": _patch(
        DEPLOYMENT,
        [{"op": "replace", "path": "/spec/template/spec/containers/0/ports/0/name", "value": "web"}],
        sort=JSON,
    ),
    "memory limit raised": _patch(
        DEPLOYMENT, container(resources={"limits": {"memory": "256Mi"}}), manager="kubectl-set"
    ),
    "probe removed": _patch(
        DEPLOYMENT, [{"op": "remove", "path": "/spec/template/spec/containers/0/startupProbe"}], sort=JSON
    ),
    "pod annotated": _patch(DEPLOYMENT, _template({"metadata": {"annotations": {"note": "x"}}})),
    "pod labelled": _patch(DEPLOYMENT, _template({"metadata": {"labels": {"note": "x"}}})),
    "node selected": _patch(DEPLOYMENT, _template({"spec": {"nodeSelector": {"nvidia.com/gpu.present": "true"}}})),
    "sidecar added": _patch(
        DEPLOYMENT,
        _template(
            {
                "spec": {
                    "containers": [{"name": "extra", "image": "vllm/vllm-openai:v0.33.0", "command": ["sleep", "600"]}]
                }
            }
        ),
    ),
    "scaled": _patch(DEPLOYMENT, {"spec": {"replicas": 2}}, manager="kubectl", subresource="scale", sort=MERGE),
}
