# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that the Helm chart's tables do not have, and what each changes."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.unit.role.chart_parameters import (
    ARGS,
    DNS,
    LIMITS,
    PROMETHEUS,
    REQUESTS,
    ingress,
    namespace,
)
from ansible_collections.ai_aas.vllm.tests.unit.role.paths import CONTAINER, POD, TEMPLATE
from ansible_collections.ai_aas.vllm.tests.unit.role.row import row

RELEASE = "llama-2-7b-development"
FILES = {"chat.jinja": "{{ messages }}"}
CONFIG_MAP = f"{RELEASE}-0f7d659e"
MIG = "[nvidia.com/mig-3g.20gb]"
ENTRY = {"name": "HF_ENDPOINT", "value": "https://hub.example"}
MOUNT = {"name": "models", "mountPath": "/models", "readOnly": True}
DEADLINE = "Deployment.spec.progressDeadlineSeconds"
REPLICA_DOWN = "PrometheusRule.spec.groups[vllm].rules[VllmReplicaDown].for"
GRACE = f"{POD}.terminationGracePeriodSeconds"
EGRESS = "NetworkPolicy.spec.egress"


def secret_env(variable: str, secret: str, key: str) -> dict[str, str]:
    source = f"{CONTAINER}.env[{variable}]"
    return {
        f"{source}.name": variable,
        f"{source}.valueFrom.secretKeyRef.name": secret,
        f"{source}.valueFrom.secretKeyRef.key": key,
    }


def reading(resource: str, *names: str) -> dict[str, object]:
    return {"apiGroups": [""], "resources": [resource], "resourceNames": [*names], "verbs": ["get"]}


BINDING = {
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": RELEASE},
    "subjects": [{"kind": "ServiceAccount", "name": RELEASE, "namespace": "system"}],
}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "50Gi"}}}
CACHE = {
    f"{CONTAINER}.env[XDG_CACHE_HOME].name": "XDG_CACHE_HOME",
    f"{CONTAINER}.env[XDG_CACHE_HOME].value": "/home/vllm/.cache",
    f"{CONTAINER}.volumeMounts[cache].name": "cache",
    f"{CONTAINER}.volumeMounts[cache].mountPath": "/home/vllm/.cache",
    f"{POD}.volumes[cache].name": "cache",
    f"{POD}.volumes[cache].persistentVolumeClaim.claimName": f"{RELEASE}-cache",
}

IMAGE = [
    row("image_digest", "sha256:12ab", {f"{CONTAINER}.image": "vllm/vllm-openai:latest@sha256:12ab"}),
    row("image_pull_secrets", ["pull"], {f"{POD}.imagePullSecrets[pull].name": "pull"}),
    row("vllm_version", "0.33.0", {}),  # the newest flags, as with latest; test_versions.py has the others
]
SIZE = [
    row(
        "gpu_resource",
        "nvidia.com/mig-3g.20gb",
        {
            REQUESTS + "[nvidia.com/gpu]": None,
            REQUESTS + MIG: "1",
            LIMITS + "[nvidia.com/gpu]": None,
            LIMITS + MIG: "1",
        },
    ),
    row("shm_size", "8Gi", {f"{POD}.volumes[shm].emptyDir.sizeLimit": "8Gi"}),
    row("gpu_memory_utilization", 0.85, {f"{ARGS}[--gpu-memory-utilization]": "0.85"}),
    row("dtype", "half", {f"{ARGS}[--dtype]": "half"}),
    row("quantization", "fp8", {f"{ARGS}[--quantization]": "fp8"}),
    row("log_level", "DEBUG", {f"{CONTAINER}.env[VLLM_LOGGING_LEVEL].value": "DEBUG"}),
    row("extra_args", ["--max-num-seqs", "64"], {f"{ARGS}[--max-num-seqs]": "64"}),
    *(
        row(
            variable,
            [ENTRY],
            {
                f"{CONTAINER}.env[HF_ENDPOINT].name": "HF_ENDPOINT",
                f"{CONTAINER}.env[HF_ENDPOINT].value": "https://hub.example",
            },
        )
        for variable in ("env", "extra_env")
    ),
    row(
        "config_files",
        FILES,
        {
            "ConfigMap": {"immutable": True, "data": FILES},
            "Role": {"rules": [reading("configmaps", CONFIG_MAP)]},
            "RoleBinding": BINDING,
            f"{CONTAINER}.volumeMounts[config].name": "config",
            f"{CONTAINER}.volumeMounts[config].mountPath": "/etc/vllm",
            f"{POD}.volumes[config].name": "config",
            f"{POD}.volumes[config].configMap.name": CONFIG_MAP,
        },
    ),
]
CREDENTIALS = [
    row("hf_token_secret_name", "hub", secret_env("HF_TOKEN", "hub", "token")),
    row(
        "hf_token_secret_key",
        "read",
        {f"{CONTAINER}.env[HF_TOKEN].valueFrom.secretKeyRef.key": "read"},
        hf_token_secret_name="hub",
    ),
    row("api_key_secret_name", "clients", secret_env("VLLM_API_KEY", "clients", "api-key")),
    row(
        "api_key_secret_key",
        "all",
        {f"{CONTAINER}.env[VLLM_API_KEY].valueFrom.secretKeyRef.key": "all"},
        api_key_secret_name="clients",
    ),
    row("rbac_create", False, {"Role": None, "RoleBinding": None}, config_files=FILES),
    row(
        "rbac_secrets",
        True,
        {"Role": {"rules": [reading("secrets", "clients", "hub")]}, "RoleBinding": BINDING},
        hf_token_secret_name="hub",
        api_key_secret_name="clients",
    ),
    row(
        "service_account_create",
        False,
        {"ServiceAccount": None, f"{POD}.serviceAccountName": "default"},
    ),
    row(
        "service_account_name",
        "models",
        {"ServiceAccount.metadata.name": "models", f"{POD}.serviceAccountName": "models"},
    ),
]
PROBES = [
    row(
        "startup_initial_delay_seconds",
        60,
        {f"{CONTAINER}.startupProbe.initialDelaySeconds": 60, DEADLINE: 1260, REPLICA_DOWN: "660s"},
    ),
    row(
        "startup_period_seconds",
        10,
        {f"{CONTAINER}.startupProbe.periodSeconds": 10, DEADLINE: 800, REPLICA_DOWN: "200s"},
    ),
    row("startup_timeout_seconds", 3, {f"{CONTAINER}.startupProbe.timeoutSeconds": 3}),
    row("readiness_timeout_seconds", 3, {f"{CONTAINER}.readinessProbe.timeoutSeconds": 3}),
    row("readiness_failure_threshold", 2, {f"{CONTAINER}.readinessProbe.failureThreshold": 2}),
    row("pre_stop_seconds", 5, {f"{CONTAINER}.lifecycle.preStop.sleep.seconds": 5, GRACE: 110}),
    row("shutdown_timeout_seconds", 300, {f"{ARGS}[--shutdown-timeout]": "300", GRACE: 330}),
]
NODES = [
    row("extra_node_selector", {"gpu-model": "a100"}, {f"{POD}.nodeSelector[gpu-model]": "a100"}),
    row("runtime_class_name", "nvidia", {f"{POD}.runtimeClassName": "nvidia"}),
    row("annotations", {"owner": "search"}, {f"{TEMPLATE}.metadata.annotations.owner": "search"}),
    row(
        "pod_security_context",
        {"runAsUser": 2000, "runAsNonRoot": True},
        {
            f"{POD}.securityContext.{key}": None
            for key in ("runAsGroup", "fsGroup", "fsGroupChangePolicy", "seccompProfile.type")
        },
    ),
    row(
        "container_security_context",
        {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        {f"{CONTAINER}.securityContext.readOnlyRootFilesystem": True},
    ),
]
NETWORK = [
    row(
        "network_policy_allowed_sources",
        [{"namespace": "api", "pod_labels": {"app": "router"}}, {"namespace": "batch"}],
        {
            "NetworkPolicy.spec.ingress": ingress(
                namespace("system"),
                namespace("api") | {"podSelector": {"matchLabels": {"app": "router"}}},
                namespace("batch"),
                PROMETHEUS,
            )
        },
    ),
    row(
        "network_policy_metrics_sources",
        [{"namespace": "observability"}],
        {"NetworkPolicy.spec.ingress": ingress(namespace("system"), namespace("observability"))},
    ),
    row(
        "network_policy_egress_cidrs",
        ["10.0.0.0/8"],
        {EGRESS: [DNS, {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": []}]},
    ),
    row(
        "network_policy_egress_ports",
        [9000],
        {EGRESS: [DNS, {"to": [], "ports": [{"port": 9000, "protocol": "TCP"}]}]},
    ),
    row("service_monitor_labels", {"release": "kps"}, {"ServiceMonitor.metadata.labels.release": "kps"}),
    row("prometheus_rule_enabled", False, {"PrometheusRule": None}),
    row("prometheus_rule_labels", {"release": "kps"}, {"PrometheusRule.metadata.labels.release": "kps"}),
]
VOLUMES = [
    row("cache_enabled", True, CACHE | {"PersistentVolumeClaim": {"spec": CLAIM}}),
    row("cache_size", "1Ti", {"PersistentVolumeClaim.spec.resources.requests.storage": "1Ti"}, cache_enabled=True),
    row("cache_storage_class", "fast", {"PersistentVolumeClaim.spec.storageClassName": "fast"}, cache_enabled=True),
    row(
        "cache_access_mode",
        "ReadWriteMany",
        {"PersistentVolumeClaim.spec.accessModes": ["ReadWriteMany"]},
        cache_enabled=True,
    ),
    row(
        "cache_mount_path",
        "/cache",
        {f"{CONTAINER}.env[XDG_CACHE_HOME].value": "/cache", f"{CONTAINER}.volumeMounts[cache].mountPath": "/cache"},
        cache_enabled=True,
    ),
    row(
        "cache_existing_claim",
        "shared",
        {"PersistentVolumeClaim": None, f"{POD}.volumes[cache].persistentVolumeClaim.claimName": "shared"},
        cache_enabled=True,
    ),
    row(
        "extra_volumes",
        [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
        {
            f"{POD}.volumes[models].name": "models",
            f"{POD}.volumes[models].persistentVolumeClaim.claimName": "models",
        },
    ),
    row(
        "extra_volume_mounts",
        [MOUNT],
        {f"{CONTAINER}.volumeMounts[models].{key}": value for key, value in MOUNT.items()},
    ),
]
TASK = [
    row("namespace_create", True, {"task.namespace_create": True}),
    row("context", "production", {"task.context": "production"}),
    row("kubeconfig", "/etc/kubeconfig", {"task.kubeconfig": "/etc/kubeconfig"}),
    row("api_server", "https://api.example:6443", {"task.host": "https://api.example:6443"}),
    row("ca_cert", "/etc/ca.crt", {"task.ca_cert": "/etc/ca.crt"}),
    row("validate_certs", False, {"task.validate_certs": False}),
    row("state", "absent", {"task.state": "absent"}),
    row("reason", "a new model", {"task.reason": "a new model"}),
    row("require", ["cluster", "replicas"], {"task.require": ["cluster", "replicas"]}),
    row("wait_timeout", 60, {"task.wait_timeout": 60}),
    row("image_pull_timeout", 60, {"task.image_pull_timeout": 60, DEADLINE: 660}),
    row("schedule_timeout", 60, {"task.schedule_timeout": 60}),
    row("strategy", "replace", {"task.strategy": "replace"}),
    row("verification_enabled", False, {"task.verification.enabled": False}),
    row("verification_prompt", "2 + 2 =", {"task.verification.prompt": "2 + 2 ="}),
    row("verification_ttft_timeout", 5, {"task.verification.ttft_timeout": 5}),
    row("verification_request_timeout", 9, {"task.verification.request_timeout": 9}),
    row("verification_soak_seconds", 60, {"task.verification.soak_seconds": 60}),
    row("verification_p95_seconds", 2.5, {"task.verification.p95_seconds": 2.5}),
    row("verification_error_ratio", 0.01, {"task.verification.error_ratio": 0.01}),
    row("history_max", 50, {"task.history_max": 50}),
    row("on_failure", "hold", {"task.on_failure": "hold"}),
    row("revision", 3, {}),  # only a rollback looks at it
    row("model_config", {"hidden_size": 4096}, {}),  # only a preflight looks at these
    row("model_weights", "13Gi", {}),
    row("adopt", True, {"task.adopt": True}),
    row("force_conflicts", True, {"task.force_conflicts": True}),
    row("lock_wait", 60, {"task.lock_wait": 60}),
    row("keep_history", True, {"task.keep_history": True}),
]
ROWS = [*IMAGE, *SIZE, *CREDENTIALS, *PROBES, *NODES, *NETWORK, *VOLUMES, *TASK]
