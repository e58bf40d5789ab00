# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a server, seen from the machine that is its node."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace, Object
from ansible_collections.ai_aas.vllm.tests.integration.playbook import Run
from ansible_collections.ai_aas.vllm.tests.vllm.server import PATIENCE

# The kernel keeps 15 letters of "VLLM::EngineCore".
ENGINE = "VLLM::EngineCor"
# What a server says once its engine is loaded, before it answers anybody.
LOADED = "Starting vLLM server on"


def container_of(pod: Object) -> str:
    """The id of the container that runs; empty where none does."""
    (status,) = pod["status"].get("containerStatuses") or [{}]
    return str(status["containerID"]).rpartition("/")[2] if "running" in status.get("state", {}) else ""


def signal_engine(container: str, number: int) -> None:
    found = [process for process in Path("/proc").glob("[0-9]*") if _is_engine(process, container)]
    assert len(found) == 1, f"{len(found)} engines in container {container}"
    os.kill(int(found[0].name), number)


def signal_each_new_engine(api: Api, namespace: Namespace, run: Run, number: int) -> Run:
    """To the engine of each container that a run brings about, as soon as it is loaded and before its server is asked
    anything, until the run is over."""
    known = {container_of(pod) for pod in namespace.pods()} | {""}
    while run.process.poll() is None:
        for pod in namespace.pods():
            container = container_of(pod)
            if container not in known and LOADED in _log(api, pod):
                signal_engine(container, number)
                known.add(container)
        time.sleep(0.2)
    return run.finish(PATIENCE)


def _log(api: Api, pod: Object) -> str:
    with contextlib.suppress(ApiError):  # it has been deleted
        return api.logs(pod["metadata"]["name"], "vllm")
    return ""


def wait_until(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"not in {PATIENCE} s: {what}"
        time.sleep(0.5)


def _is_engine(process: Path, container: str) -> bool:
    with contextlib.suppress(OSError):  # it has ended
        if (process / "comm").read_text().strip() == ENGINE:
            return container in (process / "cgroup").read_text()
    return False
