# SPDX-License-Identifier: GPL-3.0-or-later
"""One of each kind of operation, with the state that it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import WRONG_FLAG, Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

FIRST = Server()
# Every step there is: a changed and an unchanged object, a new and a dropped one, another pod template.
SECOND = Server(greeting="good day", env={"LANGUAGE": "en"}, parts=("config", "budget"))
BROKEN = Server(greeting="good day", arguments=WRONG_FLAG.arguments, parts=("config", "budget"))


def deploy(server: Server, **options: Any) -> Command:
    return Command(options={"definition": server.objects()} | options)


def rollback(**options: Any) -> Command:
    return Command(operation="rollback", options=options)


def preflight(server: Server, **options: Any) -> Command:
    return Command(operation="preflight", options={"definition": server.objects()} | options)


def remove(**options: Any) -> Command:
    return Command(options={"state": "absent"} | options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`before`: what has happened; `hand`: what somebody has done by hand after it; `fails`: the command has to."""

    name: str
    command: Command
    before: tuple[Command, ...] = ()
    hand: Callable[[Namespace], None] | None = None
    fails: bool = False

    def prepare(self, kubeconfig: Path, namespace: Namespace) -> None:
        for command in self.before:
            run = command.run(kubeconfig, namespace.name)
            assert not run.result.get("failed"), run.message
        if self.hand:
            self.hand(namespace)


def drift(namespace: Namespace) -> None:
    """An addition that force cannot undo, a value, and an object that is gone."""
    hands.patch(namespace, "apps/v1/deployments", hands.container(env=[{"name": "FOREIGN", "value": "1"}]))
    hands.patch(namespace, "services", {"spec": {"ports": [{"name": "more", "port": 9000}]}})
    hands.patch(namespace, "configmaps", {"data": {"greeting": "changed by hand"}})
    hands.delete(namespace, "networking.k8s.io/v1/networkpolicies")


SCENARIOS = (
    Scenario(name="install", command=deploy(FIRST)),
    Scenario(name="upgrade", before=(deploy(FIRST),), command=deploy(SECOND, history_max=1)),
    Scenario(name="failing upgrade", before=(deploy(FIRST),), command=deploy(BROKEN), fails=True),
    Scenario(name="rollback", before=(deploy(FIRST), deploy(SECOND)), command=rollback(revision=1)),
    Scenario(name="repair", before=(deploy(FIRST),), hand=drift, command=deploy(FIRST)),
    Scenario(name="remove", before=(deploy(FIRST), deploy(SECOND)), command=remove()),
    Scenario(name="remove, keeping the history", before=(deploy(FIRST),), command=remove(keep_history=True)),
)


def scenario(name: str, among: Iterable[Scenario] = SCENARIOS) -> Scenario:
    return next(one for one in among if one.name == name)
