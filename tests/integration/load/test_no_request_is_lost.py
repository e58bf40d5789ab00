# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks a server while its pods are replaced gets every answer, and every stream to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.load.client import Client, gap, lost, told
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.scarcity import devices

# Streams of two seconds, and a server that lets everybody notice and then waits for them.
TOKENS = 20
SLOW = {"STAND_IN_TOKEN_SECONDS": "0.1"}
NOTICED, DRAINED = 3, 20

Does = Callable[[Command], Run]


def server(replicas: int, gpu: str) -> Server:
    return Server(
        replicas=replicas,
        parts=(),
        env=SLOW,
        devices={gpu: 1},
        arguments=("--shutdown-timeout", str(DRAINED)),
        template={"terminationGracePeriodSeconds": NOTICED + DRAINED + 10},
        pre_stop=NOTICED,
    )


def other(one: Server, word: str) -> Server:
    return replace(one, env=dict(one.env) | {"WORD": word})


@pytest.fixture
def done(kubeconfig: Path, namespace: Namespace) -> Does:
    def carried_out(command: Command) -> Run:
        run = command.run(kubeconfig, namespace.name)
        assert not run.result.get("failed"), f"{run.message}\n{run.told}"
        return run

    return carried_out


@pytest.fixture
def client(kubeconfig: Path, namespace: Namespace) -> Callable[[], Client]:
    return lambda: Client(Connection({"kubeconfig": str(kubeconfig)}, {}), namespace, tokens=TOKENS, timeout=20)


@pytest.fixture(params=[3, 4], ids=["without room", "with room"])
def gpus(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A resource for three pods and none or one to spare, and the strategy that comes of it."""
    with devices(cluster, request.param) as name:
        yield name, "replace" if request.param == 3 else "surge"


def test_an_upgrade_and_the_way_back(gpus: tuple[str, str], client: Callable[[], Client], done: Does) -> None:
    gpu, strategy = gpus
    one = server(3, gpu)
    done(deploy(one))
    asking = client()
    for command in (deploy(other(one, "second")), rollback()):
        assert done(command).result["release"]["strategy"]["name"] == strategy
    asking.wait_for_more()
    answers = asking.answers()
    print(f"{strategy}: {told(answers)}")
    assert lost(answers) == []
    assert {answer.stream for answer in answers} == {True, False}


def test_a_single_pod_without_room_leaves_a_gap(cluster: Cluster, client: Callable[[], Client], done: Does) -> None:
    """As long as it takes to end one and to start one, which is what was said. Streams that ran come to their end."""
    with devices(cluster, 1) as gpu:
        one = server(1, gpu)
        done(deploy(one))
        asking = client()
        upgraded = done(deploy(other(one, "second")))
        asking.wait_for_more()
    answers = asking.answers()
    print(f"a single pod: {told(answers)}, nobody serves for {gap(answers):.1f} s")
    assert "nobody serves until the new one is ready" in upgraded.told
    missing = lost(answers)
    assert missing, "there has to be a gap"
    assert {answer.status for answer in missing} == {0}, "whoever got through was answered"
    assert all("refused" in answer.text for answer in missing), told(answers)
