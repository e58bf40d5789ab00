# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks a server while its pods are replaced gets every answer, and every stream to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.load.client import Answer, Client, gap, lost, told
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.scarcity import devices

# Streams of six seconds: longer than everybody has to notice that a pod is going, so that some run when it is told to
# stop, and shorter than the time that it then gives them, also on a machine that is busy with other things.
TOKENS = 12
SLOW = {"STAND_IN_TOKEN_SECONDS": "0.5"}
NOTICED, DRAINED = 5, 12

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


def served(asking: Client) -> list[Answer]:
    """All answers, once everything that was asked during the release has been answered."""
    asking.wait_for_more(100)
    answers = asking.answers()
    assert {answer.stream for answer in answers} == {True, False}
    return answers


def test_with_room(cluster: Cluster, client: Callable[[], Client], done: Does) -> None:
    """An upgrade and the way back."""
    with devices(cluster, 6) as gpu:
        one = server(3, gpu)
        done(deploy(one))
        asking = client()
        for command in (deploy(other(one, "second")), rollback()):
            assert done(command).result["release"]["strategy"]["name"] == "surge"
        answers = served(asking)
    print(f"with room, up and back: {told(answers)}")
    assert lost(answers) == [], told(answers)


def test_without_room(cluster: Cluster, client: Callable[[], Client], done: Does) -> None:
    """Three pods on three GPUs: one after the other."""
    with devices(cluster, 3) as gpu:
        one = server(3, gpu)
        done(deploy(one))
        asking = client()
        assert done(deploy(other(one, "second"))).result["release"]["strategy"]["name"] == "replace"
        answers = served(asking)
    print(f"without room: {told(answers)}")
    assert lost(answers) == [], told(answers)


def test_a_single_pod_without_room_leaves_a_gap(cluster: Cluster, client: Callable[[], Client], done: Does) -> None:
    """As long as it takes to end one and to start one, which is what was said. Streams that ran come to their end."""
    with devices(cluster, 1) as gpu:
        one = server(1, gpu)
        done(deploy(one))
        asking = client()
        upgraded = done(deploy(other(one, "second")))
        answers = served(asking)
    print(f"a single pod: {told(answers)}, nobody serves for {gap(answers):.1f} s")
    assert "nobody serves until the new one is ready" in upgraded.told
    missing = lost(answers)
    assert missing, "there has to be a gap"
    # Where there is no other pod, Kubernetes sends requests to the one that ends, and that takes no new ones; behind it
    # there is no connection. Nothing that had begun was cut.
    assert all(
        "cannot schedule new futures after shutdown" in answer.text if answer.status == 500 else answer.status == 0
        for answer in missing
    ), told(answers)
