# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of the node: their number and the labels that NVIDIA's GPU feature discovery sets for an A100."""

from __future__ import annotations

from typing import Any

from .api import Api
from .settings import NODE, NODE_GPUS

GPU = "nvidia.com/gpu"
LABELS = {
    "node-type": "gpu",
    "gpu-model": "a100",
    "nvidia.com/gpu.present": "true",
    "nvidia.com/gpu.count": str(NODE_GPUS),
    "nvidia.com/gpu.replicas": "1",
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
    "nvidia.com/gpu.family": "ampere",
    "nvidia.com/gpu.memory": "81920",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/gpu.mode": "compute",
    "nvidia.com/gpu.sharing-strategy": "none",
    "nvidia.com/mig.capable": "true",
    "nvidia.com/mig.strategy": "single",
    "nvidia.com/mps.capable": "false",
    "nvidia.com/cuda.driver-version.full": "580.95.05",
    "nvidia.com/cuda.driver-version.major": "580",
    "nvidia.com/cuda.driver-version.minor": "95",
    "nvidia.com/cuda.driver-version.revision": "05",
    "nvidia.com/cuda.runtime-version.full": "13.0",
    "nvidia.com/cuda.runtime-version.major": "13",
    "nvidia.com/cuda.runtime-version.minor": "0",
}


def is_ready(api: Api) -> bool:
    """Whether the node is there and Ready."""
    node = api.get(f"/api/v1/nodes/{NODE}")
    return node is not None and _ready(node)


def restore_gpus(api: Api) -> None:
    """Gives the node back the GPUs that a test took from it and did not return."""
    node = api.get(f"/api/v1/nodes/{NODE}")
    if node is not None and int(node["status"]["allocatable"].get(GPU, "0")) < NODE_GPUS:
        set_gpus(api)


def set_gpus(api: Api, count: int = NODE_GPUS) -> None:
    """Gives the node `count` GPUs. Kubelet knows no device behind them and keeps the number until it restarts."""
    amount = {GPU: str(count)}
    api.patch(f"/api/v1/nodes/{NODE}/status", {"status": {"capacity": amount, "allocatable": amount}})


def _ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
