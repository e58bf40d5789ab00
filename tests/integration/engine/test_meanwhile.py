# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens between the plan and the write: an object that moves under our hands, and one that is not to be made any
more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Watch
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import Scenario, deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import watched
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
Object = dict[str, Any]
SERVER = Server(replicas=1, parts=("config",))
CHANGED = replace(SERVER, greeting="good day")
FAILED = "Revision 2 of small failed: "
BACK = "Revision 1 was put back as revision 3 and serves, verified."


def pods(namespace: Namespace) -> set[str]:
    return {pod["metadata"]["uid"] for pod in namespace.pods()}


def before(write: str) -> Point:
    return Point(side="before", writes=(write,))


def meddled(namespace: Namespace, kubeconfig: Path, command: Command, change: Object) -> Run:
    """Somebody edits the ConfigMap behind the plan's back, just before it is written."""

    def edit(_watch: Watch) -> None:
        hands.patch(namespace, "configmaps", change)

    watch = Watch(before("deploy apply: PATCH configmaps/small"), edit)
    run = watched(Scenario(name="", command=command), kubeconfig, namespace, watch)
    assert watch.reached.is_set(), run.told
    return run


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(
            {"more": "x"},
            "ConfigMap/small was changed by somebody else: It is no longer what the plan has shown.",
            id="another key",
        ),
        pytest.param(
            {"greeting": "x"},
            'ConfigMap/small cannot be applied: Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: '
            ".data.greeting.",
            id="the same key",
        ),
    ],
)
def test_what_somebody_else_changes_meanwhile(
    namespace: Namespace, done: Does, kubeconfig: Path, change: Object, why: str
) -> None:
    """It is not written over: the difference is no longer the one that was shown."""
    done(deploy(SERVER))
    serving = pods(namespace)
    failed = meddled(namespace, kubeconfig, deploy(CHANGED), {"data": change})
    assert (failed.result["failure"]["class"], failed.result["failure"]["cause"]) == ("contract", "not_applied")
    assert failed.result["rolled_back_to"] == failed.result["current_revision"] == 3
    assert namespace.history("small") == [(3, "current", True), (2, "failed", False), (1, "superseded", True)]
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "hello"}
    assert pods(namespace) == serving

    done(deploy(CHANGED))
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "good day"}
    assert namespace.history("small")[0] == (4, "current", True)
    assert failed.message == f"{FAILED}{why} {BACK} Run the same command again."


def test_what_moves_and_stays_the_same(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    """A note of somebody else is no reason to stop, and stays."""
    done(deploy(SERVER))
    run = meddled(namespace, kubeconfig, deploy(CHANGED), {"metadata": {"annotations": {"note": "x"}}})
    assert not run.result.get("failed"), f"{run.message}\n{run.told}"
    config = namespace.get("configmaps", "small")
    assert config["data"] == {"greeting": "good day"}
    assert config["metadata"]["annotations"]["note"] == "x"
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert done(deploy(CHANGED)).result["changed"] is False


def test_what_moves_while_it_is_planned(namespace: Namespace, done: Does, kubeconfig: Path, tmp_path: Path) -> None:
    """What a controller writes between our look and the dry run is told as no change of ours."""
    done(deploy(SERVER))
    check = replace(deploy(CHANGED), check_mode=True)
    undisturbed = done(check).result
    notes = ["a", "b"]

    def note(request: Request) -> None:
        if notes and request.method == "PATCH" and request.path.endswith("/deployments/small"):
            change = {"metadata": {"annotations": {"deployment.kubernetes.io/note": notes.pop()}}}
            hands.patch(namespace, "apps/v1/deployments", change, manager="kube-controller-manager")

    with Proxy(kubeconfig, tmp_path, before=note) as proxy:
        run = check.run(proxy.kubeconfig, namespace.name)
    assert not run.result.get("failed"), f"{run.message}\n{run.told}"
    assert (run.result["actions"], run.result["diff"]) == (undisturbed["actions"], undisturbed["diff"])
    assert notes == [], "it was not written in between"


def test_what_is_refused_only_when_it_is_made(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    """A quota that comes after the plan. What was written before it is put back."""
    done(deploy(SERVER))
    serving = pods(namespace)
    extra = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "extra"}, "spec": {"ports": [{"port": 80}]}}

    def tighten(_watch: Watch) -> None:
        quota = {"metadata": {"name": "tight"}, "spec": {"hard": {"count/services": "1"}}}
        hands.create(namespace, "resourcequotas", quota)
        where, body = hands.path(namespace, "services"), json.dumps(extra).encode()
        ask = namespace.cluster.connection.request
        hands.wait_for(lambda: ask("POST", where, body=body, query={"dryRun": "All"})[0] == 403)

    watch = Watch(before("deploy announce: PUT head"), tighten)
    command = deploy(CHANGED, definition=[*CHANGED.objects(), extra])
    failed = watched(Scenario(name="", command=command), kubeconfig, namespace, watch)
    assert watch.reached.is_set(), failed.told
    assert "deploy apply: PATCH configmaps/small" in watch.answered
    assert (failed.result["failure"]["class"], failed.result["failure"]["cause"]) == ("contract", "not_applied")
    assert failed.result["rolled_back_to"] == failed.result["current_revision"] == 3
    assert namespace.history("small") == [(3, "current", True), (2, "failed", False), (1, "superseded", True)]
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "hello"}
    assert {f"{item['kind']}/{item['name']}" for item in namespace.head("small")["inventory"]} == {
        "ConfigMap/small",
        "Service/small",
        "Deployment/small",
    }
    assert pods(namespace) == serving
    assert done(deploy(SERVER)).result["changed"] is False
    assert failed.message == (
        f'{FAILED}The API server does not allow Service/extra: services "extra" is forbidden: exceeded quota: tight, '
        "requested: count/services=1, used: count/services=1, limited: count/services=1. "
        f"{BACK} Ask for the missing right, or correct the object."
    )
