# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule about a vLLM server: what trips it, what does not, and which setting its message names."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import flags
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.rules import findings

Edit = Callable[[list[dict[str, Any]]], object]

PROBE = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 60}
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "x"},
    "spec": {
        "replicas": 2,
        "progressDeadlineSeconds": 1200,
        "template": {
            "metadata": {},
            "spec": {
                "terminationGracePeriodSeconds": 120,
                "containers": [
                    {
                        "name": "vllm",
                        "image": "vllm/vllm-openai:v0.33.0",
                        "command": ["vllm", "serve"],
                        "args": ["/models/x", "--tensor-parallel-size", "2", "--shutdown-timeout", "90"],
                        "env": [],
                        "lifecycle": {"preStop": {"sleep": {"seconds": 15}}},
                        "resources": {
                            "requests": {"memory": "24Gi", "nvidia.com/gpu": 2},
                            "limits": {"memory": "32Gi", "nvidia.com/gpu": 2},
                        },
                        "startupProbe": PROBE,
                        "livenessProbe": PROBE,
                        "readinessProbe": PROBE,
                        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
                    }
                ],
                "volumes": [
                    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
                    {"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}},
                ],
            },
        },
    },
}
SERVICE = {"kind": "Service", "metadata": {"name": "x"}, "spec": {}}
BUDGET = {"kind": "PodDisruptionBudget", "metadata": {"name": "x"}, "spec": {"maxUnavailable": 1}}
CLAIM = {"kind": "PersistentVolumeClaim", "metadata": {"name": "cache"}, "spec": {"accessModes": ["ReadWriteMany"]}}
SOUND: list[dict[str, Any]] = [DEPLOYMENT, SERVICE, BUDGET, CLAIM]


def spec(objects: list[dict[str, Any]]) -> Any:
    return objects[0]["spec"]


def pod(objects: list[dict[str, Any]]) -> Any:
    return spec(objects)["template"]["spec"]


def server(objects: list[dict[str, Any]]) -> Any:
    return pod(objects)["containers"][0]


def probe(name: str, path: str) -> Edit:
    return lambda objects: server(objects).update({name: {**PROBE, "httpGet": {"path": path, "port": "http"}}})


def with_key(edit: Edit) -> Edit:
    def both(objects: list[dict[str, Any]]) -> None:
        server(objects)["env"].append({"name": "VLLM_API_KEY", "valueFrom": {}})
        edit(objects)

    return both


def found(edit: Edit) -> list[tuple[str, str, str]]:
    objects = copy.deepcopy(SOUND)
    edit(objects)
    return [(finding.rule, finding.level, finding.setting) for finding in findings(objects)]


def scaler(objects: list[dict[str, Any]]) -> None:
    target = {"scaleTargetRef": {"name": "x"}}
    objects.append({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}, "spec": target})


TRIPS: dict[str, tuple[Edit, str, str]] = {
    "an idle GPU": (
        lambda o: server(o)["args"].__setitem__(2, "1"),
        "parallelism",
        "--tensor-parallel-size",
    ),
    "pipeline counts": (lambda o: server(o)["args"].extend(["-pp", "2"]), "parallelism", "--tensor-parallel-size"),
    "a Service called vllm": (
        lambda o: o[1]["metadata"].update({"name": "vllm"}),
        "service-called-vllm",
        "release name",
    ),
    "a key among the arguments": (
        lambda o: server(o)["args"].extend(["--api-key", "sk-1"]),
        "literal-credential",
        "--api-key",
    ),
    "grace too short": (
        lambda o: pod(o).update({"terminationGracePeriodSeconds": 105}),
        "grace-too-short",
        "--shutdown-timeout",
    ),
    "liveness alone": (lambda o: server(o).pop("startupProbe"), "liveness-without-startup", "startup probe"),
    "deadline too short": (
        lambda o: spec(o).update({"progressDeadlineSeconds": 600}),
        "deadline-too-short",
        "startup probe",
    ),
    "probe on /ready": (probe("readinessProbe", "/ready"), "probe-path", ""),
    "probe that needs the key": (with_key(probe("livenessProbe", "/v1/models")), "probe-path", ""),
    "memory limit below request": (
        lambda o: server(o)["resources"]["limits"].update({"memory": "16Gi"}),
        "limit-below-request",
        "memory limit",
    ),
    "shm eats the memory": (
        lambda o: pod(o)["volumes"][0]["emptyDir"].update({"sizeLimit": "32Gi"}),
        "shm-too-large",
        "shm size",
    ),
    "a flag that came later": (
        lambda o: server(o).update({"image": "vllm/vllm-openai:v0.10.2"}),
        "flag-unknown",
        "--shutdown-timeout",
    ),
    "a flag that is gone": (lambda o: server(o)["args"].append("--swap-space=4"), "flag-unknown", "--swap-space"),
    "a cache for one node": (
        lambda o: o[3]["spec"].update({"accessModes": ["ReadWriteOnce"]}),
        "cache-of-one-node",
        "cache access mode",
    ),
    "a budget of zero": (lambda o: o[2]["spec"].update({"maxUnavailable": 0}), "budget-never-met", "replicas"),
    "a budget of all": (
        lambda o: o[2].update({"spec": {"minAvailable": 2}}),
        "budget-never-met",
        "replicas",
    ),
    "two who count replicas": (scaler, "replicas-twice", "replicas"),
}
PASSES: dict[str, Edit] = {
    "as it is": lambda _: None,
    "as many shares as GPUs": lambda o: (
        server(o)["args"].extend(["-pp", "2"]),
        server(o)["resources"]["limits"].update({"nvidia.com/gpu": 4}),
        server(o)["resources"]["requests"].update({"nvidia.com/gpu": 4}),
    ),
    "a key by reference": lambda o: server(o)["args"].extend(["--api-key", "$(VLLM_API_KEY)"]),
    "just enough grace": lambda o: pod(o).update({"terminationGracePeriodSeconds": 106}),
    "no probe but readiness": lambda o: (server(o).pop("startupProbe"), server(o).pop("livenessProbe")),
    "the server's own deadline": lambda o: spec(o).pop("progressDeadlineSeconds"),
    "/v1/models without a key": probe("livenessProbe", "/v1/models"),
    "limit equals request": lambda o: server(o)["resources"]["limits"].update({"memory": "24Gi"}),
    "latest knows every flag it may": lambda o: server(o).update({"image": "vllm/vllm-openai:latest"}),
    "one replica, one node": lambda o: (
        spec(o).update({"replicas": 1}),
        o[3]["spec"].update({"accessModes": ["ReadWriteOnce"]}),
    ),
    "a scaler alone": lambda o: (scaler(o), spec(o).pop("replicas")),
    "a container of another name": lambda o: server(o).update({"name": "web", "startupProbe": None}),
}


@pytest.mark.parametrize("case", TRIPS)
def test_a_rule_trips(case: str) -> None:
    edit, rule, setting = TRIPS[case]
    assert found(edit) == [(rule, "error", setting)]


@pytest.mark.parametrize("case", PASSES)
def test_a_sound_server_passes(case: str) -> None:
    assert found(PASSES[case]) == []


def test_warnings() -> None:
    assert found(lambda o: server(o).pop("readinessProbe")) == [("no-readiness", "warning", "readiness probe")]
    assert found(lambda o: server(o).pop("volumeMounts")) == [("model-not-mounted", "warning", "volumes")]
    assert found(lambda o: server(o)["volumeMounts"].append({"mountPath": "/models/x"})) == []


@pytest.mark.parametrize(
    ("sleep", "expected"), [(15, [("no-drain", "warning", "--shutdown-timeout")]), (105, [])], ids=["short", "long"]
)
def test_a_version_that_does_not_drain_sleeps_longer(sleep: int, expected: list[tuple[str, str, str]]) -> None:
    def older(objects: list[dict[str, Any]]) -> None:
        server(objects).update({"image": "vllm/vllm-openai:v0.10.2", "args": server(objects)["args"][:3]})
        server(objects)["lifecycle"]["preStop"]["sleep"]["seconds"] = sleep

    assert found(older) == expected


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.10.2", (0, 10, 2)),
        ("registry:5000/vllm:0.33", (0, 33, 0)),
        ("vllm/vllm-openai:v0.33.0@sha256:0", (0, 33, 0)),
        ("vllm/vllm-openai:latest", None),
        ("registry:5000/vllm", None),
    ],
)
def test_version_of(image: str, version: tuple[int, ...] | None) -> None:
    assert flags.version_of(image) == version
