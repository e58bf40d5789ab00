# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an object lives in the REST API. Known kinds have a fixed path: no discovery, no cache, no extra request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Our name in the ledger of field owners (managedFields).
FIELD_MANAGER = "ai_aas.vllm"

# (apiVersion, kind) -> plural. All of them but Node are namespaced.
PLURALS: Mapping[tuple[str, str], str] = {
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Event"): "events",
    ("v1", "Node"): "nodes",
    ("v1", "PersistentVolumeClaim"): "persistentvolumeclaims",
    ("v1", "Pod"): "pods",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("v1", "ServiceAccount"): "serviceaccounts",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
    ("batch/v1", "Job"): "jobs",
    ("discovery.k8s.io/v1", "EndpointSlice"): "endpointslices",
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): "httproutes",
    ("keda.sh/v1alpha1", "ScaledObject"): "scaledobjects",
    ("monitoring.coreos.com/v1", "PodMonitor"): "podmonitors",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "prometheusrules",
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "servicemonitors",
    ("networking.k8s.io/v1", "Ingress"): "ingresses",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("rbac.authorization.k8s.io/v1", "Role"): "roles",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "rolebindings",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """An apiVersion ("apps/v1") and a kind ("Deployment")."""

    api_version: str
    name: str

    @property
    def base(self) -> str:
        """The path of the API group: "/api/v1" or "/apis/apps/v1"."""
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"

    def __str__(self) -> str:
        return self.name


def collection(kind: Kind, plural: str, namespace: str) -> str:
    """The path of all objects of a kind in a namespace."""
    return f"{kind.base}/namespaces/{namespace}/{plural}"
