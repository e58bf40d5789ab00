# SPDX-License-Identifier: GPL-3.0-or-later
"""The same command takes up what was cut short: at once where it can see that nobody is at work any more, else when
nobody has been heard of for long."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Patience
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
SPEED = 0.1
FIRST = Server(replicas=1, parts=("config",))
SLOW = deploy(replace(FIRST, load=5))


def pods(namespace: Namespace) -> set[str]:
    return {pod["metadata"]["uid"] for pod in namespace.pods()}


def cut_short(command: Command, number: signal.Signals, kubeconfig: Path, namespace: Namespace) -> set[str]:
    """A run gets a signal in the middle of a load. The pods that are there then."""
    run = command.start(kubeconfig, namespace.name)
    run.wait_for("loading")
    run.signal(number)
    assert run.finish().process.returncode == -number, run.told
    return pods(namespace)


def assert_taken_up(run: Run, loading: set[str], namespace: Namespace) -> None:
    assert not run.result.get("failed"), f"{run.message}\n{run.told}"
    assert "taking up the deploy of revision 2 where it was interrupted" in run.told
    assert run.result["release"]["verified"] is True
    assert namespace.head("small")["operation"] is None
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    # Of the former revision no pod is left.
    assert loading & pods(namespace), "the load was begun anew"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_gets_a_signal(namespace: Namespace, done: Does, kubeconfig: Path, number: signal.Signals) -> None:
    """Its load goes on without it."""
    done(deploy(FIRST))
    loading = cut_short(SLOW, number, kubeconfig, namespace)
    assert_taken_up(done(SLOW), loading, namespace)
    assert done(SLOW).result["changed"] is False


def beaten(namespace: Namespace) -> datetime:
    """When the head was written last, by the API server's clock."""
    entries = namespace.get("configmaps", "vllm-release-small")["metadata"]["managedFields"]
    return max(datetime.fromisoformat(entry["time"]) for entry in entries)


def test_a_run_that_dies_on_another_host(namespace: Namespace, done: Does, kubeconfig: Path, tmp_path: Path) -> None:
    """Its process cannot be seen from here, so its heartbeat has to be old."""
    done(deploy(FIRST))
    loading = cut_short(replace(SLOW, host="elsewhere", speed=SPEED), signal.SIGKILL, kubeconfig, namespace)
    last, taken = beaten(namespace), list[datetime]()
    assert namespace.head("small")["operation"]["holder"]["host"] == "elsewhere"

    def after(request: Request) -> None:
        if request.is_write and not taken:
            taken.append(beaten(namespace))

    with Proxy(kubeconfig, tmp_path, after=after) as proxy:
        again = replace(SLOW, speed=SPEED).run(proxy.kubeconfig, namespace.name)
    assert_taken_up(again, loading, namespace)
    assert (taken[0] - last).total_seconds() > Patience().old * SPEED, "it might have been alive"
    assert done(SLOW).result["changed"] is False
