# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped inventories: what the environments differ in, and the servers they describe."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import definition as definitions
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import rules
from ansible_collections.ai_aas.vllm.tests.unit.role.paths import CONTAINER, POD, TEMPLATE, paths
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import inventory, refusals, render, specified

ARGS, RESOURCES = f"{CONTAINER}.args", f"{CONTAINER}.resources"
STARTUP = f"{CONTAINER}.startupProbe"
GPU = "[nvidia.com/gpu]"
ENVIRONMENTS = {
    "development": {
        "replicas": 1,
        "memory_request": "24Gi",
        "memory_limit": "32Gi",
        "cpu_request": "4",
        "cpu_limit": "8",
        "startup_failure_threshold": 20,
        "liveness_initial_delay_seconds": 60,
        "readiness_initial_delay_seconds": 30,
        "history_max": 10,
        "log_level": "DEBUG",
        "on_failure": "hold",
        "require": [],
        "context": "development",
    },
    "staging": {
        "replicas": 1,
        "memory_request": "32Gi",
        "memory_limit": "48Gi",
        "cpu_request": "8",
        "cpu_limit": "16",
        "startup_failure_threshold": 30,
        "liveness_initial_delay_seconds": 60,
        "readiness_initial_delay_seconds": 30,
        "history_max": 20,
        "log_level": "INFO",
        "on_failure": "rollback",
        "require": ["cluster", "image_tag"],
        "context": "staging",
    },
    "production": {
        "replicas": 2,
        "memory_request": "48Gi",
        "memory_limit": "48Gi",
        "cpu_request": "8",
        "cpu_limit": "16",
        "startup_failure_threshold": 40,
        "liveness_initial_delay_seconds": 90,
        "readiness_initial_delay_seconds": 45,
        "history_max": 50,
        "log_level": "WARNING",
        "on_failure": "rollback",
        "require": ["cluster", "image_tag", "model_revision", "replicas"],
        "context": "production",
    },
}
HOSTS = [(name, host) for name in ENVIRONMENTS for host in ("llama-2-7b", "llama-2-70b")]
EVERY_HOST = [*HOSTS, ("examples", "my-custom-model")]
SERVERS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "development",
        "llama-2-7b",
        {
            "task.name": "llama-2-7b-development",
            "task.namespace": "system",
            "Deployment.spec.replicas": 1,
            f"{ARGS}[model]": "/models/llama-2-7b",
            f"{ARGS}[--served-model-name]": "meta-llama/Llama-2-7b-hf",
            f"{ARGS}[--max-model-len]": "4096",
            f"{ARGS}[--tensor-parallel-size]": "1",
            f"{RESOURCES}.requests{GPU}": "1",
            f"{RESOURCES}.requests.memory": "24Gi",
            f"{RESOURCES}.requests.cpu": "4",
            f"{RESOURCES}.limits{GPU}": "1",
            f"{RESOURCES}.limits.memory": "32Gi",
            f"{RESOURCES}.limits.cpu": "8",
            f"{STARTUP}.failureThreshold": 20,
            f"{STARTUP}.periodSeconds": 30,
            f"{CONTAINER}.image": "vllm/vllm-openai:latest",
            f"{POD}.nodeSelector[node-type]": "gpu",
        },
    ),
    (
        "production",
        "llama-2-70b",
        {
            "task.name": "llama-2-70b-production",
            "task.namespace": "system",
            "Deployment.spec.replicas": 3,
            f"{ARGS}[model]": "/models/llama-2-70b",
            f"{ARGS}[--served-model-name]": "meta-llama/Llama-2-70b-hf",
            f"{ARGS}[--tensor-parallel-size]": "2",
            f"{RESOURCES}.requests{GPU}": "2",
            f"{RESOURCES}.requests.memory": "96Gi",
            f"{RESOURCES}.requests.cpu": "16",
            f"{RESOURCES}.limits{GPU}": "2",
            f"{RESOURCES}.limits.memory": "128Gi",
            f"{RESOURCES}.limits.cpu": "32",
            f"{STARTUP}.failureThreshold": 40,
            f"{STARTUP}.periodSeconds": 30,
            f"{CONTAINER}.image": "vllm/vllm-openai:v0.33.0",
            f"{TEMPLATE}.metadata.annotations[vllm.ai-aas/model-revision]": "3aba440b59558f995867ba6e1f58f21d0336b5bb",
            f"{POD}.nodeSelector[node-type]": "gpu",
            f"{POD}.nodeSelector[gpu-model]": "a100",
            f"{POD}.tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        },
    ),
    (
        "examples",
        "my-custom-model",
        {
            "task.name": "my-custom-model-development",
            f"{ARGS}[model]": "s3://my-bucket/models/custom-model",
            f"{ARGS}[--served-model-name]": "my-custom-model",
            f"{CONTAINER}.env[AWS_ACCESS_KEY_ID].valueFrom.secretKeyRef.name": "aws-credentials",
            f"{CONTAINER}.env[AWS_ACCESS_KEY_ID].valueFrom.secretKeyRef.key": "access-key-id",
            f"{CONTAINER}.env[AWS_SECRET_ACCESS_KEY].valueFrom.secretKeyRef.name": "aws-credentials",
            f"{CONTAINER}.env[AWS_SECRET_ACCESS_KEY].valueFrom.secretKeyRef.key": "secret-access-key",
            f"{RESOURCES}.requests{GPU}": "1",
            f"{RESOURCES}.requests.memory": "24Gi",
            f"{RESOURCES}.limits.memory": "32Gi",
        },
    ),
]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_differs_from_the_others_in_this(name: str) -> None:
    given = inventory(name, "llama-2-7b")
    assert given["vllm_deploy_environment"] == name
    assert {key: given[f"vllm_deploy_{key}"] for key in ENVIRONMENTS[name]} == ENVIRONMENTS[name]


@pytest.mark.parametrize(("name", "host", "expected"), SERVERS)
def test_a_server_has_exactly_these_numbers(name: str, host: str, expected: dict[str, Any]) -> None:
    found = paths(render(**inventory(name, host)))
    assert {path: found.get(path) for path in expected} == expected


@pytest.mark.parametrize(("name", "host"), EVERY_HOST)
def test_a_server_is_sound_and_has_what_its_environment_requires(name: str, host: str) -> None:
    given = inventory(name, host)
    assert refusals(**given) == []
    task, objects = render(**given).task, render(**given).objects
    definition = definitions.define(task["name"], task["namespace"], objects)
    assert list(definitions.findings(definition)) == []
    assert list(definitions.required(definition, task["require"])) == []
    assert list(rules.required(definition.objects, task["require"])) == []
    assert task["context"]


@pytest.mark.parametrize(("name", "host"), EVERY_HOST)
def test_an_inventory_knows_only_variables_of_the_role(name: str, host: str) -> None:
    assert {key for key in inventory(name, host) if key.startswith("vllm_")} <= set(specified())
