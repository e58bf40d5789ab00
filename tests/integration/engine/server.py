# SPDX-License-Identifier: GPL-3.0-or-later
"""A small server: real objects of several kinds around a stand-in that loads in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
LABELS = {"app": "small"}
GRACE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`greeting` is what its ConfigMap holds; `parts` the objects besides Service and Deployment: `config`, `policy`,
    `budget`, `account`, `role`, `binding`, `data` (a volume claim). `spec`, `template` and `container` add to
    the Deployment's spec, its pod's and its container's. `devices`: resource -> how many each pod holds. `pre_stop`:
    seconds."""

    replicas: int | None = 2
    tag: str = "v0.33.0"
    served: str = "m"
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    load: float = 0.2
    greeting: str = "hello"
    parts: tuple[str, ...] = ("config", "policy")
    labels: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)
    container: Mapping[str, Any] = field(default_factory=dict)
    budget: int = 60
    devices: Mapping[str, int] = field(default_factory=dict)
    pre_stop: int = 0

    def objects(self) -> list[Object]:
        made = {
            "config": _body("v1", "ConfigMap", data={"greeting": self.greeting}),
            "policy": _body(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                spec={
                    "podSelector": {"matchLabels": LABELS},
                    "policyTypes": ["Ingress"],
                    "ingress": [{"ports": [{"port": "http"}], "from": [{"podSelector": {}}]}],
                },
            ),
            "budget": _body(
                "policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}
            ),
            "account": _body("v1", "ServiceAccount", automountServiceAccountToken=False),
            "role": _body(
                "rbac.authorization.k8s.io/v1",
                "Role",
                rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
            ),
            "binding": _body(
                "rbac.authorization.k8s.io/v1",
                "RoleBinding",
                roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "small"},
                subjects=[{"kind": "ServiceAccount", "name": "small"}],
            ),
            "data": _body(
                "v1",
                "PersistentVolumeClaim",
                spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
            ),
        }
        return [*(made[part] for part in self.parts), self._service(), self._deployment()]

    def _service(self) -> Object:
        ports = [{"name": "http", "port": 8000, "targetPort": "http"}]
        return _body("v1", "Service", spec={"selector": LABELS, "ports": ports})

    def _deployment(self) -> Object:
        look = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 5}
        memory, devices = {"memory": "64Mi"}, {name: str(count) for name, count in self.devices.items()}
        env = {"STAND_IN_LOAD_SECONDS": str(self.load)} | dict(self.env)
        container = {
            "name": "vllm",
            "image": f"vllm/vllm-openai:{self.tag}",
            "command": ["vllm", "serve"],
            "args": ["/models/m", "--served-model-name", self.served, "--port", "8000", *self.arguments],
            "ports": [{"name": "http", "containerPort": 8000}],
            "env": [{"name": name, "value": value} for name, value in env.items()],
            "resources": {"requests": {"cpu": "5m"} | memory, "limits": {"memory": "128Mi"} | devices},
            "startupProbe": look | {"failureThreshold": self.budget},
            "readinessProbe": look,
        } | dict(self.container)
        if self.pre_stop:
            container["lifecycle"] = {"preStop": {"sleep": {"seconds": self.pre_stop}}}
        pod = {
            "terminationGracePeriodSeconds": GRACE,
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "containers": [container],
        } | dict(self.template)
        spec: Object = {"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": pod}}
        spec |= self.spec
        if self.replicas is not None:
            spec["replicas"] = self.replicas
        return _body("apps/v1", "Deployment", labels=self.labels, spec=spec)


def _body(api_version: str, kind: str, *, labels: Mapping[str, str] | None = None, **content: Any) -> Object:
    metadata: Object = {"name": "small"}
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


WRONG_FLAG = Server(arguments=("--no-such-flag", "1"))
