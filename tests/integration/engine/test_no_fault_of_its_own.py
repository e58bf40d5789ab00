# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong around a revision, and says nothing about it; and what is not lost over a revision that is bad."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Drop, Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
Object = dict[str, Any]
DEPLOYMENT = "apps/v1/deployments"
GOOD = Server(parts=())
WRONG_FLAG = replace(GOOD, arguments=("--no-such-flag",))


def test_a_pod_that_is_evicted_while_it_is_asked(namespace: Namespace, kubeconfig: Path) -> None:
    """Another takes its place, and is asked."""
    begun = deploy(GOOD, verification={"soak_seconds": 5}).start(kubeconfig, namespace.name)
    begun.wait_for("asking small-")
    gone = re.findall(r"asking (small-[a-z0-9-]+)", begun.told)[0]
    hands.delete(namespace, "pods", name=gone)
    assert begun.result.get("release", {}).get("verified"), f"{begun.message}\n{begun.told}"
    assert gone not in begun.result["verification"]["pods"]
    assert len(begun.result["verification"]["pods"]) == 2
    assert namespace.history("small") == [(1, "current", True)]


def test_pods_that_cannot_be_reached(namespace: Namespace, kubeconfig: Path, tmp_path: Path) -> None:
    """The way to them may come back, but nobody waits for ever."""

    def cut(request: Request) -> None:
        if request.path.endswith("/portforward"):
            raise Drop

    with Proxy(kubeconfig, tmp_path, before=cut) as proxy:
        begun = deploy(GOOD, wait_timeout=40, on_failure="hold").start(proxy.kubeconfig, namespace.name)
        result = begun.result
    assert (result["failure"]["class"], result["failure"]["cause"]) == ("silence", "not_reachable"), begun.told
    assert result["changed"]
    assert namespace.history("small") == [(1, "failed", False)]


@pytest.mark.parametrize("key", ["s3cr3t\n", "s3cr3\u00a0t"])
def test_an_api_key_that_cannot_be_sent(namespace: Namespace, run: Does, key: str) -> None:
    namespace.create_secret("api", key=key)
    reference = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "api", "key": "key"}}}
    load = {"name": "STAND_IN_LOAD_SECONDS", "value": "0"}
    failed = run(deploy(replace(GOOD, container={"env": [load, reference]}), on_failure="hold"))
    assert failed.message == (
        "Revision 1 of small failed: The API key of the server, key 'key' of Secret/api, cannot be sent: It holds a "
        "character that no HTTP header can carry, such as a line break at its end. It was left as it is. "
        "Write it anew without that."
    )
    assert failed.result["failure"]["cause"] == "not_asked"
    assert "s3cr3" not in failed.told + failed.output.read_text() + str(namespace.head("small"))


@pytest.mark.parametrize("on_failure", ["rollback", "stop"])
def test_pods_that_were_adopted_serve_on_when_the_release_is_bad(
    namespace: Namespace, run: Does, done: Does, on_failure: str
) -> None:
    (_service, deployment) = GOOD.objects()
    hands.create(namespace, DEPLOYMENT, deployment, manager="helm")
    hands.wait_for(lambda: namespace.deployment("small").get("status", {}).get("readyReplicas") == 2)
    serving = {pod["metadata"]["uid"] for pod in namespace.pods()}

    failed = run(deploy(WRONG_FLAG, adopt=True, on_failure=on_failure))
    assert failed.result["failure"]["cause"] == "bad_flag", failed.told
    assert "It was left as it is; older pods are ready." in failed.message
    assert serving < {pod["metadata"]["uid"] for pod in namespace.pods()}
    assert namespace.deployment("small")["status"]["readyReplicas"] == 2

    done(deploy(GOOD, adopt=True))
    assert namespace.history("small") == [(2, "current", True), (1, "failed", False)]


def test_an_object_that_moves_to_another_version_of_its_api(namespace: Namespace, done: Does) -> None:
    def scaler(version: str) -> Object:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "small"}
        spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 2}
        kind = {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler"}
        return kind | {"metadata": {"name": "small"}, "spec": spec}

    def with_scaler(version: str) -> Command:
        left_to_it = replace(GOOD, replicas=None)
        return Command(options={"definition": [*left_to_it.objects(), scaler(version)]})

    done(with_scaler("v1"))
    first = namespace.get("autoscaling/v2/horizontalpodautoscalers", "small")["metadata"]["uid"]
    moved = done(with_scaler("v2"))
    assert moved.result["actions"]["pruned"] == []
    assert namespace.get("autoscaling/v2/horizontalpodautoscalers", "small")["metadata"]["uid"] == first
    assert done(with_scaler("v2")).result["changed"] is False
    assert [item["api_version"] for item in namespace.head("small")["inventory"] if "Autoscaler" in item["kind"]] == [
        "autoscaling/v2"
    ]


def test_a_head_that_was_spoilt_hides_no_other(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    done(deploy(GOOD))
    labels = {"vllm.ai-aas/record": "head", "vllm.ai-aas/record-of": "other"}
    body = {"metadata": {"name": "vllm-release-other", "labels": labels}, "data": {"head": "{}"}}
    hands.create(namespace, "configmaps", body)
    told = done(Command(operation="info", options={"include_definition": True, "name": None})).result["releases"]
    assert [(each["name"], each["state"]) for each in told] == [("other", "unreadable"), ("small", "running")]
    assert told[0]["problem"]["message"].startswith("The head of this release cannot be read: It was edited by hand")
    alone = Command(operation="info").run(kubeconfig, namespace.name, name="other")
    assert alone.message.startswith("The head of this release cannot be read. It was edited by hand")
