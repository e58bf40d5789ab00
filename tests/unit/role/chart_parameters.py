# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parameter of the Helm chart's tables, and what it changes here. Names that are in every object (environment,
namespace) are in test_names.py."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.unit.role.paths import CONTAINER, POD, TEMPLATE
from ansible_collections.ai_aas.vllm.tests.unit.role.row import row

ARGS = f"{CONTAINER}.args"
REQUESTS, LIMITS = f"{CONTAINER}.resources.requests", f"{CONTAINER}.resources.limits"
MODEL, REVISION = (f"{TEMPLATE}.metadata.annotations[vllm.ai-aas/{name}]" for name in ("model", "model-revision"))
GPU = "[nvidia.com/gpu]"
AFFINITY = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
TOLERATIONS = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
HTTPS = {"ports": [{"port": 443, "protocol": "TCP"}]}
PROMETHEUS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}


def ingress(*sources: object, port: int = 8000) -> list[object]:
    return [{"ports": [{"port": port, "protocol": "TCP"}], "from": [*sources]}]


def namespace(name: str) -> dict[str, object]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def gone(probe: str) -> dict[str, None]:
    settings = "httpGet.path httpGet.port initialDelaySeconds periodSeconds timeoutSeconds failureThreshold".split()
    return {f"{CONTAINER}.{probe}.{setting}": None for setting in settings}


ROWS = [
    row(
        "model_name",
        "mistralai/Mistral-7B-v0.3",
        {
            f"{ARGS}[model]": "/models/mistral-7b-v0.3",
            f"{ARGS}[--served-model-name]": "mistralai/Mistral-7B-v0.3",
            MODEL: "mistralai/Mistral-7B-v0.3",
        },
        chart="model.name",
    ),
    row("model_path", "/data/llama", {f"{ARGS}[model]": "/data/llama"}, chart="model.path"),
    row("model_revision", "v2", {REVISION: "v2"}, chart="model.revision"),
    row(
        "image_repository",
        "registry.example/vllm",
        {f"{CONTAINER}.image": "registry.example/vllm:latest"},
        chart="image.repository",
    ),
    row("image_tag", "v0.33.0", {f"{CONTAINER}.image": "vllm/vllm-openai:v0.33.0"}, chart="image.tag"),
    row("image_pull_policy", "Always", {f"{CONTAINER}.imagePullPolicy": "Always"}, chart="image.pullPolicy"),
    row(
        "gpus",
        2,
        {
            REQUESTS + GPU: "2",
            LIMITS + GPU: "2",
            f"{ARGS}[--tensor-parallel-size]": "2",
            f"{POD}.volumes[shm].emptyDir.sizeLimit": "4Gi",
        },
        chart="resources.requests.nvidia.com/gpu resources.limits.nvidia.com/gpu",
    ),
    row("memory_request", "48Gi", {f"{REQUESTS}.memory": "48Gi"}, chart="resources.requests.memory"),
    row("memory_limit", "48Gi", {f"{LIMITS}.memory": "48Gi"}, chart="resources.limits.memory"),
    row("cpu_request", "16", {f"{REQUESTS}.cpu": "16"}, chart="resources.requests.cpu"),
    row("cpu_limit", "32", {f"{LIMITS}.cpu": "32"}, chart="resources.limits.cpu"),
    row("replicas", 3, {"Deployment.spec.replicas": 3}, chart="replicaCount"),
    row("host", "127.0.0.1", {f"{ARGS}[--host]": "127.0.0.1"}, chart="vllm.host"),
    row(
        "port",
        9000,
        {
            f"{ARGS}[--port]": "9000",
            f"{CONTAINER}.ports[http].containerPort": 9000,
            "NetworkPolicy.spec.ingress": ingress(namespace("system"), PROMETHEUS, port=9000),
        },
        chart="vllm.port",
    ),
    row("max_model_len", 8192, {f"{ARGS}[--max-model-len]": "8192"}, chart="vllm.maxModelLen"),
    row(
        "tensor_parallel_size",
        2,
        {f"{ARGS}[--tensor-parallel-size]": "2", f"{POD}.volumes[shm].emptyDir.sizeLimit": "4Gi"},
        chart="vllm.tensorParallelSize",
    ),
    row("liveness_enabled", False, gone("livenessProbe"), chart="livenessProbe.enabled"),
    row(
        "liveness_initial_delay_seconds",
        90,
        {f"{CONTAINER}.livenessProbe.initialDelaySeconds": 90},
        chart="livenessProbe.initialDelaySeconds",
    ),
    row(
        "liveness_period_seconds",
        20,
        {f"{CONTAINER}.livenessProbe.periodSeconds": 20},
        chart="livenessProbe.periodSeconds",
    ),
    row(
        "liveness_timeout_seconds",
        10,
        {f"{CONTAINER}.livenessProbe.timeoutSeconds": 10},
        chart="livenessProbe.timeoutSeconds",
    ),
    row(
        "liveness_failure_threshold",
        6,
        {f"{CONTAINER}.livenessProbe.failureThreshold": 6},
        chart="livenessProbe.failureThreshold",
    ),
    row("readiness_enabled", False, gone("readinessProbe"), chart="readinessProbe.enabled"),
    row(
        "readiness_initial_delay_seconds",
        45,
        {f"{CONTAINER}.readinessProbe.initialDelaySeconds": 45},
        chart="readinessProbe.initialDelaySeconds",
    ),
    row(
        "readiness_period_seconds",
        5,
        {f"{CONTAINER}.readinessProbe.periodSeconds": 5},
        chart="readinessProbe.periodSeconds",
    ),
    row("startup_enabled", False, gone("startupProbe"), chart="startupProbe.enabled"),
    row(
        "startup_failure_threshold",
        40,
        {
            f"{CONTAINER}.startupProbe.failureThreshold": 40,
            "Deployment.spec.progressDeadlineSeconds": 1800,
            "PrometheusRule.spec.groups[vllm].rules[VllmReplicaDown].for": "1200s",
        },
        chart="startupProbe.failureThreshold",
    ),
    row(
        "node_selector",
        {"gpu-model": "h100"},
        {f"{POD}.nodeSelector[node-type]": None, f"{POD}.nodeSelector[gpu-model]": "h100"},
        chart="nodeSelector",
    ),
    row("tolerations", TOLERATIONS, {f"{POD}.tolerations": TOLERATIONS}, chart="tolerations"),
    row(
        "affinity",
        AFFINITY,
        {f"{POD}.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution": []},
        chart="affinity",
    ),
    row("service_type", "NodePort", {"Service.spec.type": "NodePort"}, chart="service.type"),
    row("service_port", 80, {"Service.spec.ports[http].port": 80}, chart="service.port"),
    row(
        "service_annotations",
        {"owner": "search"},
        {"Service.metadata.annotations.owner": "search"},
        chart="service.annotations",
    ),
    row(
        "network_policy_enabled",
        False,
        {"NetworkPolicy": None},
        chart="networkPolicy.enabled",
    ),
    row(
        "network_policy_allowed_namespaces",
        ["api", "batch"],
        {"NetworkPolicy.spec.ingress": ingress(namespace("api"), namespace("batch"), PROMETHEUS)},
        chart="networkPolicy.allowedNamespaces",
    ),
    row("service_monitor_enabled", False, {"ServiceMonitor": None}, chart="serviceMonitor.enabled"),
    row(
        "service_monitor_interval",
        "15s",
        {"ServiceMonitor.spec.endpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}]},
        chart="serviceMonitor.interval",
    ),
]
