# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule about any workload: what trips it, and what does not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.quantity import amount
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rules import findings

Edit = Callable[[list[dict[str, Any]]], object]

SOUND: list[dict[str, Any]] = [
    {
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "env": [{"name": "A", "value": "1"}],
                            "ports": [{"name": "http", "containerPort": 8000}],
                            "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
                            "resources": {"requests": {"cpu": "500m", "memory": "24Gi", "nvidia.com/gpu": 1}},
                            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                        }
                    ],
                    "volumes": [{"name": "v", "emptyDir": {}}],
                }
            },
        },
    },
    {"kind": "Service", "metadata": {"name": "x"}, "spec": {}},
]


def spec(objects: list[dict[str, Any]]) -> Any:
    return objects[0]["spec"]


def pod(objects: list[dict[str, Any]]) -> Any:
    return spec(objects)["template"]["spec"]


def container(objects: list[dict[str, Any]]) -> Any:
    return pod(objects)["containers"][0]


TRIPS: dict[str, tuple[str, Edit]] = {
    "a Service that begins with a digit": ("object-name", lambda o: o[1]["metadata"].update({"name": "7b"})),
    "a Service name of 64": ("object-name", lambda o: o[1]["metadata"].update({"name": "x" * 64})),
    "capitals": ("object-name", lambda o: o[0]["metadata"].update({"name": "Llama"})),
    "half a strategy": ("strategy-half", lambda o: spec(o)["strategy"]["rollingUpdate"].pop("maxSurge")),
    "a stuck strategy": ("strategy-stuck", lambda o: spec(o)["strategy"]["rollingUpdate"].update({"maxSurge": 0})),
    "a variable twice": ("duplicate-environment-variable", lambda o: container(o)["env"].append({"name": "A"})),
    "a port name twice": ("duplicate-port-name", lambda o: container(o)["ports"].append({"name": "http"})),
    "a port as text": (
        "probe-port-text",
        lambda o: container(o)["livenessProbe"]["httpGet"].update({"port": "8000"}),
    ),
    "an unknown port": (
        "probe-port-unknown",
        lambda o: container(o)["livenessProbe"]["httpGet"].update({"port": "web"}),
    ),
    "no quantity": ("quantity", lambda o: container(o)["resources"]["requests"].update({"memory": "24 GB"})),
    "a volume twice": ("duplicate-volume", lambda o: pod(o)["volumes"].append({"name": "v"})),
    "a mount of nothing": (
        "mount-without-volume",
        lambda o: container(o)["volumeMounts"].append({"name": "w", "mountPath": "/w"}),
    ),
    "two mounts in one place": (
        "duplicate-mount",
        lambda o: container(o)["volumeMounts"].append({"name": "v", "mountPath": "/v"}),
    ),
}
PASSES: dict[str, Edit] = {
    "as it is": lambda _: None,
    "no strategy": lambda o: spec(o).pop("strategy"),
    "Recreate": lambda o: spec(o).update({"strategy": {"type": "Recreate"}}),
    "a Deployment that begins with a digit": lambda o: o[0]["metadata"].update({"name": "7b"}),
    "a port by number": lambda o: container(o)["livenessProbe"]["httpGet"].update({"port": 8000}),
    "the longest Service name": lambda o: o[1]["metadata"].update({"name": "x" * 63}),
    "exponents": lambda o: container(o)["resources"]["requests"].update({"memory": "1e9"}),
}


def found(edit: Edit) -> list[str]:
    objects = copy.deepcopy(SOUND)
    edit(objects)
    return [finding.rule for finding in findings(objects)]


@pytest.mark.parametrize("case", TRIPS)
def test_a_rule_trips(case: str) -> None:
    rule, edit = TRIPS[case]
    assert found(edit) == [rule]


@pytest.mark.parametrize("case", PASSES)
def test_a_sound_workload_passes(case: str) -> None:
    assert found(PASSES[case]) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("24Gi", 24 * 2**30), ("24576Mi", 24 * 2**30), (1, 1), ("1e3", 1000), ("2k", 2000), (".5", 0.5)],
)
def test_amount(text: object, number: float) -> None:
    assert float(amount(text)) == number


@pytest.mark.parametrize("text", ["", "Gi", "24GB", "1 Gi", "1,5", None])
def test_no_amount(text: object) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        amount(text)
