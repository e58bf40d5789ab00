# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools, each with the command line that its users would take for the same wish."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.ai_aas.vllm.tests.bench.measure import Command, Runner
from ansible_collections.ai_aas.vllm.tests.bench.templates import Wish
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

HERE = Path(__file__).resolve().parent
SERVERS = [f"server-{number:02}" for number in range(1, 51)]
ONE = SERVERS[:1]
GOOD = Wish()


def release(server: str) -> str:
    return f"{server}-bench"


class Contestant(Protocol):
    @property
    def name(self) -> str: ...

    def deploy(self, namespace: str, wish: Wish = GOOD, servers: Sequence[str] = ONE) -> list[Command]:
        """The commands that bring servers about."""

    def force(self, namespace: str) -> list[Command]:
        """The commands that put the first server right when somebody else has changed it."""

    def record(self, namespace: Namespace, runner: Runner) -> str:
        """What it has noted of the first server, in words. Empty: the last deploy was good and is over."""


def playbook(path: str | Path, servers: Sequence[str], variables: dict[str, Any]) -> Command:
    options = ["-i", str(HERE / "inventory"), "--limit", ",".join(servers), "-e", json.dumps(variables)]
    return ["ansible-playbook", *options, str(path)]


@dataclass(frozen=True, slots=True)
class Ours:
    name: str = "ai_aas.vllm"

    def deploy(self, namespace: str, wish: Wish = GOOD, servers: Sequence[str] = ONE) -> list[Command]:
        variables = {
            "vllm_deploy_namespace": namespace,
            "vllm_deploy_image_tag": wish.tag,
            "vllm_deploy_model_path": wish.model,
            "vllm_deploy_extra_args": [wish.flag],
            "vllm_deploy_env": [
                {"name": "STAND_IN_LOAD_SECONDS", "value": wish.load},
                {"name": "STAND_IN_MODEL_MUST_EXIST", "value": "true"},
            ],
            "vllm_deploy_network_policy_enabled": wish.network_policy,
        }
        return [playbook("ai_aas.vllm.deploy", servers, variables)]

    def module(self, namespace: str, template: Path, servers: Sequence[str]) -> Command:
        """The engine without the role, for the same objects."""
        variables = {"release_namespace": namespace, "template": str(template)} | GOOD.values()
        return playbook(HERE / "playbooks" / "vllm_release.yml", servers, variables)

    def force(self, namespace: str) -> list[Command]:
        return self.deploy(namespace)

    def record(self, namespace: Namespace, runner: Runner) -> str:  # noqa: ARG002 - the others ask a program
        head = namespace.head(release(ONE[0]))
        newest = head["history"][0]
        if head["operation"]:
            return f"revision {head['operation']['revision']} in operation"
        return "" if newest["state"] == "current" and newest["verified"] else f"revision {newest['state']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    program: Path
    chart: Path
    name: str = "Helm 4.3.1"

    def deploy(self, namespace: str, wish: Wish = GOOD, servers: Sequence[str] = ONE) -> list[Command]:
        return [self._upgrade(namespace, server, wish) for server in servers]

    def force(self, namespace: str) -> list[Command]:
        return [[*self._upgrade(namespace, ONE[0], GOOD), "--force-conflicts"]]

    def module(self, namespace: str) -> Command:
        """By way of Ansible."""
        variables = {"release_namespace": namespace, "chart": str(self.chart), "helm": str(self.program)}
        return playbook(
            HERE / "playbooks" / "kubernetes_core_helm.yml", ONE, variables | {"chart_values": GOOD.values()}
        )

    def unblock(self, namespace: str) -> list[Command]:
        """What an operator has to do by hand behind a release that stays pending."""
        return [[str(self.program), "rollback", release(ONE[0]), *self._waiting(namespace, GOOD)]]

    def record(self, namespace: Namespace, runner: Runner) -> str:
        command = [str(self.program), "status", release(ONE[0]), "--namespace", namespace.name, "--output", "json"]
        status = str(json.loads(runner.done([command]).output)["info"]["status"])
        return "" if status == "deployed" else f"release {status}"

    def _upgrade(self, namespace: str, server: str, wish: Wish) -> Command:
        values = [f"--set-string={name}={value}" for name, value in wish.values().items() if isinstance(value, str)]
        values.append(f"--set=network_policy={json.dumps(wish.network_policy)}")
        options = [*self._waiting(namespace, wish), "--rollback-on-failure", *values]
        return [str(self.program), "upgrade", "--install", release(server), str(self.chart), *options]

    def _waiting(self, namespace: str, wish: Wish) -> list[str]:
        return ["--namespace", namespace, "--wait", "--timeout", f"{wish.limit}s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesCore:
    template: Path
    wait: bool = True
    name: str = "kubernetes.core 6.6.0"

    def deploy(self, namespace: str, wish: Wish = GOOD, servers: Sequence[str] = ONE) -> list[Command]:
        variables = {
            "release_namespace": namespace,
            "template": str(self.template),
            "wait": self.wait,
            "limit": wish.limit,
        }
        return [playbook(HERE / "playbooks" / "kubernetes_core.yml", servers, variables | wish.values())]

    def force(self, namespace: str) -> list[Command]:
        return self.deploy(namespace)

    def record(self, namespace: Namespace, runner: Runner) -> str:  # noqa: ARG002 - there is nothing to ask
        return ""
