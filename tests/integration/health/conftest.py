# SPDX-License-Identifier: GPL-3.0-or-later
"""vllm_health and deploys without Ansible around them, against small servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

# What a server with one pod passes; `fingerprint` only where its flags say that it gives one.
QUESTIONS = ("process", "identity", "inference", "progress")
AROUND = ("restarts", "service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A namespace, and what is done in it."""

    kubeconfig: Path
    namespace: Namespace

    def deploy(self, server: Server, **options: Any) -> Run:
        command = Command(options={"definition": server.objects(), "on_failure": "hold"} | options, speed=0.1)
        return command.run(self.kubeconfig, self.namespace.name)

    def deployed(self, server: Server, **options: Any) -> Run:
        run = self.deploy(server, **options)
        assert not run.result.get("failed"), f"{run.message}\n{run.told}"
        return run

    def health(self, **options: Any) -> Run:
        return Command(operation="health", options=options).run(self.kubeconfig, self.namespace.name)

    def by(self, kubeconfig: Path) -> Place:
        """The same, by way of another kubeconfig."""
        return replace(self, kubeconfig=kubeconfig)

    def unverified(self, server: Server, **options: Any) -> None:
        """There, ready and found by its Service, but nobody has asked it yet."""
        self.deployed(server, verification={"enabled": False}, **options)
        hands.wait_for(self.found)

    def found(self) -> bool:
        """Whether the Service has all pods as ready endpoints: it finds them a moment after they are ready."""
        slices = self.namespace.list("discovery.k8s.io/v1/endpointslices")
        endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or []]
        ready = {endpoint["targetRef"]["name"] for endpoint in endpoints if endpoint["conditions"]["ready"]}
        return ready == {pod["metadata"]["name"] for pod in self.namespace.pods()}


@pytest.fixture
def place(kubeconfig: Path, namespace: Namespace) -> Place:
    return Place(kubeconfig=kubeconfig, namespace=namespace)


def restarting(place: Place, proxy: Proxy) -> Callable[[Request], None]:
    """Lets the engine of the only pod die once it was asked, and holds the next look at the pods until it is back."""
    done: list[bool] = []

    def restart(request: Request) -> None:
        asked = any(each.path.endswith("/portforward") for each in proxy.requests)
        if not asked or done or not request.path.endswith("/pods"):
            return
        done.append(True)
        (pod,) = place.namespace.pods()
        hands.touch(place.namespace, pod["metadata"]["name"], "/tmp/stand-in-engine-death")

        def restarted() -> bool:
            (pod,) = place.namespace.pods()
            (status,) = pod["status"]["containerStatuses"]
            return bool(status["restartCount"] == 1 and status["ready"]) and place.found()

        hands.wait_for(restarted)

    return restart


def checks(run: Run) -> list[list[tuple[str, bool | None]]]:
    """Of each pod, what was asked and whether it was right."""
    pods = run.result["verification"]["pods"]
    return [[(check["check"], check["passed"]) for check in each] for each in pods.values()]


def details(run: Run) -> dict[str, str]:
    """What was said about the only pod."""
    (pod,) = run.result["verification"]["pods"].values()
    return {check["check"]: check["detail"] for check in pod}


def right(*names: str) -> list[tuple[str, bool]]:
    return [(name, True) for name in names]
