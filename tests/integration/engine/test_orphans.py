# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's workers have sessions of their own and outlive a killed ansible-playbook. Ours notice, and stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import ansible_runner
import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.lock import process
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT, INVENTORY, deploy, start_deploy

PATIENCE = 60
GRACE = 1


class Doorkeeper:
    """Keeps the answer to the first write back until the parent of its sender is dead: then the next one is due."""

    def __init__(self) -> None:
        self.first = threading.Event()
        self.died = threading.Event()
        self.times: list[float] = []

    def before(self, request: Request) -> None:
        if request.is_write:
            self.times.append(time.monotonic())

    def after(self, request: Request) -> None:
        if request.is_write and not self.first.is_set():
            self.first.set()
            assert self.died.wait(PATIENCE)


@pytest.fixture
def door(proxy: Proxy) -> Iterator[Doorkeeper]:
    door = Doorkeeper()
    proxy.before, proxy.after = door.before, door.after
    yield door
    door.died.set()


def started(pid: int) -> int:
    return process(pid)[0]


def ends_without_a_word(door: Doorkeeper, worker: int, playbook: int, begun: int) -> None:
    """From the death of the playbook on: no further write, and no worker."""
    hands.wait_for(lambda: not started(playbook))
    moment = time.monotonic()
    door.died.set()
    hands.wait_for(lambda: started(worker) != begun)
    assert [at - moment for at in door.times if at > moment + GRACE] == [], "the worker went on"


def test_the_playbook_alone_is_killed(namespace: Namespace, proxy: Proxy, door: Doorkeeper) -> None:
    run = start_deploy(namespace.name, environment={"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)})
    assert door.first.wait(PATIENCE)
    worker = namespace.head()["operation"]["holder"]["pid"]
    begun, parent = process(worker)
    assert parent == run.process.pid
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    ends_without_a_word(door, worker, run.process.pid, begun)
    again = deploy(namespace.name)
    assert again.succeeded, again.told
    assert namespace.history() == [(1, "current", True)]


def test_a_job_is_cancelled(namespace: Namespace, proxy: Proxy, door: Doorkeeper, tmp_path: Path) -> None:
    """As AWX does it, which runs its jobs with ansible-runner."""
    cancelled = threading.Event()
    thread, runner = ansible_runner.run_async(
        private_data_dir=str(tmp_path),
        project_dir=str(CHECKOUT),
        playbook=str(CHECKOUT / "playbooks" / "deploy.yml"),
        inventory=str(INVENTORY),
        extravars={"vllm_deploy_namespace": namespace.name},
        limit="one",
        envvars=os.environ | {"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)},
        settings={"pexpect_timeout": 1},
        cancel_callback=cancelled.is_set,
        quiet=True,
    )
    assert door.first.wait(PATIENCE)
    worker = namespace.head()["operation"]["holder"]["pid"]
    begun, playbook = process(worker)
    cancelled.set()
    ends_without_a_word(door, worker, playbook, begun)
    thread.join(PATIENCE)
    assert runner.status == "canceled"
    again = deploy(namespace.name)
    assert again.succeeded, again.told
    assert namespace.history() == [(1, "current", True)]
