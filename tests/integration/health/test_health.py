# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a server that is there: what is right, and what is wrong about it."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.account import Account, written_role
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.health.conftest import (
    AROUND,
    QUESTIONS,
    Place,
    checks,
    details,
    restarting,
    right,
)

ONE = Server(replicas=1)
DIGEST = "metadata.annotations['vllm.ai-aas/pod-template-digest']"
FINGERPRINT = ("--fingerprint-mode", "custom", "--fingerprint-value", "$(POD_TEMPLATE_DIGEST)")
SHORT = {"ttft_timeout": 2, "request_timeout": 4}
SOUND = [*right(*QUESTIONS), *right(*AROUND)]


def marked(server: Server) -> list[dict[str, object]]:
    """Its objects, with the flags and the variable by which it tells its pod template."""
    objects = server.objects()
    (container,) = objects[-1]["spec"]["template"]["spec"]["containers"]
    container["args"] += FINGERPRINT
    container["env"].append({"name": "POD_TEMPLATE_DIGEST", "valueFrom": {"fieldRef": {"fieldPath": DIGEST}}})
    return objects


def test_all_pods_are_asked_side_by_side_over_one_connection_each(place: Place, proxy: Proxy) -> None:
    place.unverified(Server(replicas=3))
    together = threading.Barrier(3)

    def meet(request: Request) -> None:
        """Holds a port-forward until all three are there: one after the other, they would wait for ever."""
        if request.path.endswith("/portforward"):
            together.wait(30)

    proxy.before = meet
    run = place.by(proxy.kubeconfig).health()
    assert checks(run) == [SOUND] * 3
    paths = [request.path.rpartition("/")[2] for request in proxy.requests]
    assert sorted(paths) == ["deployments", "endpointslices", "pods", "pods", *["portforward"] * 3]
    assert run.result["requests"] == 4
    evidence = run.result["verification"]["evidence"]
    assert evidence["vllm_versions"] == ["0.33.0"]
    # Both in milliseconds, each of its own slowest pod: a fast server's may be the same.
    assert 0 < evidence["first_token_seconds"] <= evidence["inference_seconds"]


@pytest.mark.parametrize(
    ("server", "wrong", "detail"),
    [
        pytest.param(
            Server(replicas=1, env={"STAND_IN_HANG_AFTER_SECONDS": "0"}),
            "inference",
            "POST /v1/completions: no first token within 2 s",
            id="it hangs",
        ),
        pytest.param(
            Server(replicas=1, env={"STAND_IN_FIRST_TOKEN_SECONDS": "3"}),
            "inference",
            "POST /v1/completions: no first token within 2 s",
            id="its first token is late",
        ),
        pytest.param(
            Server(replicas=1, env={"STAND_IN_SERVED_MODEL_NAME": "other"}),
            "identity",
            "it serves other, not m",
            id="it serves another model",
        ),
    ],
)
def test_what_is_wrong_is_named(place: Place, server: Server, wrong: str, detail: str) -> None:
    place.unverified(server)
    run = place.health(verification=SHORT)
    (found,) = checks(run)
    asked = QUESTIONS[: QUESTIONS.index(wrong)]
    assert found == [*right(*asked), (wrong, False), *right(*AROUND)]
    assert details(run)[wrong] == detail
    assert run.message.startswith("small does not serve as it should. small-")
    assert f": {detail}" in run.message


@pytest.mark.parametrize(
    ("arguments", "tag", "inference"),
    [
        (("--root-path", "/llm", "--max-model-len", "512"), "v0.33.0", "generated 8 tokens, the first after "),
        (("--runner", "pooling"), "v0.33.0", "/v1/embeddings answers with 8 numbers"),
        (("--runner", "pooling", "--convert", "none"), "v0.33.0", "/pooling answers with 8 numbers"),
        (("--task", "embed"), "v0.10.2", "/v1/embeddings answers with 8 numbers"),
    ],
)
def test_servers_of_other_sorts(place: Place, arguments: tuple[str, ...], tag: str, inference: str) -> None:
    place.unverified(Server(replicas=1, tag=tag, arguments=arguments))
    run = place.health()
    assert checks(run) == [SOUND]
    assert details(run)["inference"].startswith(inference)


def test_several_names_and_a_key_and_no_counters(place: Place) -> None:
    place.namespace.create_secret("keys", api_key="secret-key")
    objects = Server(replicas=1, served="a", arguments=("--disable-log-stats",)).objects()
    (container,) = objects[-1]["spec"]["template"]["spec"]["containers"]
    place_of_name = container["args"].index("a")
    container["args"].insert(place_of_name + 1, "b")
    container["env"].append({"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "api-key"}}})
    place.unverified(ONE, definition=objects)
    run = place.health()
    assert checks(run) == [[*right("process", "identity", "inference"), ("progress", None), *right(*AROUND)]]
    assert details(run)["identity"] == "serves a, b, 4096 tokens"
    assert run.result["verification"]["passed"] is True
    assert "secret-key" not in run.told + run.output.read_text()

    hands.patch(place.namespace, "secrets", {"stringData": {"api-key": "another-key"}}, name="keys")
    stale = place.health()
    assert details(stale)["identity"] == "GET /v1/models answers 401: Unauthorized", "the pod has the old key still"
    assert "another-key" not in stale.told + stale.output.read_text()


def test_the_pod_template_that_answers_is_told_from_another(place: Place) -> None:
    place.deployed(ONE, definition=marked(ONE))
    run = place.health()
    digest = place.namespace.pods()[0]["metadata"]["annotations"]["vllm.ai-aas/pod-template-digest"]
    assert details(run)["fingerprint"] == f"answers as pod template {digest}"

    other = Server(replicas=1, env={"STAND_IN_FINGERPRINT": "0123456789ab"})
    failed = place.deploy(other, definition=marked(other))
    assert failed.result["failure"]["cause"] == "fingerprint_failed"
    assert re.search("it answers as pod template 0123456789ab, not [0-9a-f]{12}", failed.message)


def test_endpoints_that_are_not_the_pods(place: Place) -> None:
    place.unverified(Server(replicas=2))
    spec = place.namespace.deployment("small")["spec"]["template"]["spec"]
    stranger = {"metadata": {"name": "stranger", "labels": {"app": "small"}}, "spec": spec}
    hands.create(place.namespace, "pods", stranger)
    hands.wait_for(lambda: details_of_service(place.health()) == {"Service small sends requests also to stranger"})
    assert len(place.health().result["verification"]["pods"]) == 2, "it is none of the release's pods"
    hands.delete(place.namespace, "pods", name="stranger")
    hands.patch(place.namespace, "services", {"spec": {"selector": {"app": "nobody"}}})
    hands.wait_for(lambda: details_of_service(place.health()) == {"Service small has no endpoints"})


def details_of_service(run: Run) -> set[str]:
    pods = run.result["verification"]["pods"].values()
    return {check["detail"] for pod in pods for check in pod if check["check"] == "service"}


def test_without_the_right_to_look_at_endpoints(place: Place, proxy: Proxy, tmp_path: Path) -> None:
    rules = [rule for rule in written_role()["rules"] if rule["resources"] != ["endpointslices"]]
    account = Account(place.namespace, rules, proxy, tmp_path)
    restricted = place.by(account.kubeconfig)
    run = restricted.deployed(ONE)
    assert checks(run) == [[*right(*QUESTIONS), ("restarts", True), ("service", None)]]
    assert run.result["release"]["verified"]
    assert details(restricted.health())["service"].startswith("not looked at: ")


def test_a_pod_that_is_started_again_while_it_is_asked(place: Place, proxy: Proxy) -> None:
    """It answers, its engine dies, and Kubernetes starts it again before anybody looks."""
    place.unverified(ONE)
    proxy.before = restarting(place, proxy)
    run = place.by(proxy.kubeconfig).health()
    assert checks(run) == [[*right(*QUESTIONS), ("restarts", False), ("service", True)]]
    assert "it was started again while it was asked (1x)" in run.message
