# SPDX-License-Identifier: GPL-3.0-or-later
"""Two people work on one release at the same time: one of them wins, whole, and the other is told so."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Drop, Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Side
from ansible_collections.ai_aas.vllm.tests.integration.engine.rivals import held_back, stopped
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import FIRST, SECOND, deploy, remove
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import snapshot
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
ALICE = replace(deploy(SECOND), user="alice")
BOB = replace(deploy(replace(FIRST, greeting="from bob")), user="bob")
AFTER = "Nothing more was written by this run; look at the history, then run the same command again."
LOOKING = "Another run has taken small. ConfigMap/vllm-release-small was written while this run was looking at it"


def at(side: Side, write: str) -> Point:
    return Point(side=side, writes=(write,))


def greeting(namespace: Namespace) -> str:
    return str(namespace.get("configmaps", "small")["data"]["greeting"])


def test_the_first_to_announce_wins(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    done(deploy(FIRST))
    slow, fast = held_back(ALICE, BOB, at("before", "deploy announce: PUT head"), kubeconfig, namespace)
    assert not fast.result.get("failed"), fast.message
    assert slow.message == f"{LOOKING}: bob has made revision 2 (current). {AFTER}"
    assert slow.result["changed"] is False
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert greeting(namespace) == "from bob"


def test_a_first_release_by_two(namespace: Namespace, kubeconfig: Path) -> None:
    slow, fast = held_back(ALICE, BOB, at("before", "deploy announce: POST head"), kubeconfig, namespace)
    assert not fast.result.get("failed"), fast.message
    assert slow.message == f"{LOOKING}: bob has made revision 1 (current). {AFTER}"
    assert greeting(namespace) == "from bob"


def test_whoever_is_at_work_is_left_alone(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    done(deploy(FIRST))
    slow, fast = held_back(ALICE, BOB, at("before", "deploy apply: PATCH deployments/small"), kubeconfig, namespace)
    host = re.escape(socket.gethostname())
    assert re.fullmatch(
        rf"alice on {host} \(pid \d+\) is working on small\. That run is making revision 2 \(deploy\), phase apply, "
        r"and it is alive\. Run the same command again when it has ended, or wait longer for it with lock_wait\.",
        fast.message,
    )
    assert not slow.result.get("failed"), slow.message
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert greeting(namespace) == "good day"


def test_patience_with_somebody_at_work(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    done(deploy(FIRST))
    slow = replace(deploy(replace(SECOND, load=3)), user="alice").start(kubeconfig, namespace.name)
    hands.wait_for(lambda: namespace.head("small")["operation"])
    patient = done(deploy(replace(FIRST, greeting="from bob"), lock_wait=60))
    assert not slow.result.get("failed"), slow.message
    assert patient.result["release"]["revision"] == 3
    assert greeting(namespace) == "from bob"


ELSEWHERE = replace(ALICE, host="elsewhere", speed=0.1)


def test_a_zombie_does_no_harm(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    done(deploy(FIRST))
    point = at("after", "deploy apply: PATCH configmaps/small")
    zombie, heir = stopped(ELSEWHERE, replace(BOB, speed=0.1), point, kubeconfig, namespace)
    assert not heir.result.get("failed"), heir.message
    assert "alice on elsewhere" in heir.told
    assert zombie.message == f"{LOOKING}: bob has made revision 3 (current). {AFTER}"
    assert namespace.history("small") == [(3, "current", True), (2, "interrupted", False), (1, "superseded", True)]
    assert greeting(namespace) == "from bob"
    assert done(BOB).result["changed"] is False


def test_a_zombie_does_no_harm_after_a_removal(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    done(deploy(FIRST))
    point = at("after", "deploy apply: POST record 2")
    zombie, heir = stopped(ELSEWHERE, replace(remove(), speed=0.1), point, kubeconfig, namespace)
    assert not heir.result.get("failed"), heir.message
    assert zombie.message == f"{LOOKING}: the release was removed. {AFTER}"
    assert snapshot(namespace) == {"head": None, "objects": {}, "pods": [], "records": {}}


class Outage:
    """An API server that is away from the first look at a rollout on, until it has been asked so often."""

    def __init__(self, requests: int) -> None:
        self.left, self.begun = requests, False

    def before(self, request: Request) -> None:
        self.begun = self.begun or (request.method == "GET" and request.path.endswith("/pods"))
        if self.begun and self.left:
            self.left -= 1
            raise Drop


@pytest.mark.parametrize("requests", [30])
def test_an_api_server_that_is_away(
    namespace: Namespace, done: Does, kubeconfig: Path, tmp_path: Path, requests: int
) -> None:
    """For longer than a heartbeat may be away, in the middle of a load: the run goes on."""
    done(deploy(FIRST))
    outage = Outage(requests)
    with Proxy(kubeconfig, tmp_path, before=outage.before) as proxy:
        command = replace(deploy(replace(SECOND, load=6)), speed=0.05)
        run = command.run(proxy.kubeconfig, namespace.name)
    assert outage.left == 0
    assert not run.result.get("failed"), run.message
    assert "waiting for the API server" in run.told
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
