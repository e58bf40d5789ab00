# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deploy makes of the answers: whether it goes on, what it keeps of them."""

from __future__ import annotations

import re
import threading

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.health.conftest import (
    AROUND,
    QUESTIONS,
    Place,
    checks,
    restarting,
    right,
)

ONE = Server(replicas=1)


def test_what_was_measured_stands_in_the_history(place: Place) -> None:
    run = place.deployed(Server(replicas=2), verification={"p95_seconds": 5, "error_ratio": 0})
    assert checks(run) == [[*right(*QUESTIONS), ("soak", True), *right(*AROUND)]] * 2
    (row,) = place.namespace.head("small")["history"]
    evidence = row["evidence"]
    assert evidence["vllm_versions"] == ["0.33.0"]
    assert (evidence["probes"], evidence["errors"]) == (10, 0)
    assert 0 < evidence["first_token_seconds"] <= evidence["inference_seconds"]
    assert 0 < evidence["p95_seconds"] < 5
    assert all("@sha256:" in image or image.startswith("sha256:") for image in evidence["images"])


@pytest.mark.parametrize(
    ("env", "verification", "cause", "text"),
    [
        pytest.param(
            {"STAND_IN_ERROR_RATE": "0.25"},
            {"error_ratio": 0.1},
            "soak_failed",
            "1 of 5 probes failed, at most 10.00% may",
            id="errors",
        ),
        pytest.param(
            {"STAND_IN_TOKEN_SECONDS": "0.05"}, {"p95_seconds": 0.2}, "soak_failed", "more than 0.2 s", id="too slow"
        ),
    ],
)
def test_a_bad_upgrade_goes_no_further_than_its_first_pod(
    place: Place, env: dict[str, str], verification: dict[str, float], cause: str, text: str
) -> None:
    place.deployed(Server(replicas=2))
    old = {pod["metadata"]["uid"] for pod in place.namespace.pods()}
    run = place.deploy(Server(replicas=2, env=env), verification=verification)
    assert run.result["failure"]["cause"] == cause, run.message
    assert text in run.message
    assert old <= {pod["metadata"]["uid"] for pod in place.namespace.pods()}, "an old pod went before the new was good"
    assert place.namespace.history("small") == [(2, "failed", False), (1, "current", True)]


def test_a_pod_that_is_started_again_while_it_is_asked_is_no_proof(place: Place, proxy: Proxy) -> None:
    proxy.before = restarting(place, proxy)
    run = place.by(proxy.kubeconfig).deploy(ONE)
    assert run.result["failure"]["cause"] == "restarts_failed", run.message
    assert "does not serve: it was started again while it was asked (1x)" in run.message


def test_a_service_that_leads_nowhere_is_no_release(place: Place) -> None:
    objects = ONE.objects()
    objects[-2]["spec"]["selector"] = {"app": "smal"}
    run = place.deploy(ONE, definition=objects)
    assert run.result["failure"]["cause"] == "service_failed"
    assert "does not serve: Service small has no endpoints" in run.message


def test_the_run_lives_while_it_watches(place: Place) -> None:
    """Its heartbeat goes on, so that nobody takes the release away from it, and a person is told that it goes on."""
    command = Command(options={"definition": ONE.objects(), "verification": {"soak_seconds": 8}}, speed=0.1)
    run = command.start(place.kubeconfig, place.namespace.name)
    run.wait_for("asking")
    seen: set[int] = set()
    over = threading.Event()

    def beats() -> bool:
        operation = place.namespace.head("small")["operation"]
        seen.add(operation["heartbeat"] if operation else -1)
        return run.process.poll() is not None or over.is_set()

    hands.wait_for(beats)
    assert not run.result.get("failed"), run.message
    assert len(seen) >= 4, seen
    assert re.search(r", for \d+s$", run.told, re.MULTILINE)


@pytest.mark.parametrize(
    ("verification", "text"),
    [
        ({"error_ratio": 2}, "verification.error_ratio is 2. It has to be from 0 to 1. Correct it."),
        ({"soak_seconds": -1}, "verification.soak_seconds is -1. It has to be at least 0. Correct it."),
        ({"ttft_timeout": 0}, "verification.ttft_timeout is 0. It has to be at least 1. Correct it."),
    ],
)
def test_what_cannot_be_meant_changes_nothing(place: Place, verification: dict[str, float], text: str) -> None:
    run = place.deploy(ONE, verification=verification)
    assert run.result["failed"]
    assert text in run.message
    assert place.namespace.list("apps/v1/deployments") == []
