# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says about a real vLLM: that it serves, and of what it dies."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.playbook import Run
from ansible_collections.ai_aas.vllm.tests.vllm.engine import (
    container_of,
    signal_each_new_engine,
    signal_engine,
    wait_until,
)
from ansible_collections.ai_aas.vllm.tests.vllm.install import VERSION
from ansible_collections.ai_aas.vllm.tests.vllm.server import RealServer

CHECKS = ("process", "identity", "inference", "fingerprint", "progress", "restarts", "service")
# Variables of the role that spoil a server -> the cause that is found, and what is said about it.
SPOILED: dict[str, tuple[dict[str, Any], str, str]] = {
    "flag": (
        {"extra_args": ["--no-such-flag"]},
        "bad_flag",
        "vLLM does not take its command line: unrecognized arguments: --no-such-flag",
    ),
    "path": ({"model_path": "/models/missing"}, "model_path_missing", "there is no model at /models/missing"),
    "model": (
        {"max_model_len": 262144},
        "max_len_too_big",
        "--max-model-len 262144 is more than the length that the model was made for, 131072",
    ),
    "memory": (
        {"max_model_len": 131072},
        "kv_cache_too_small",
        "the KV cache does not fit: 131072 tokens need 0.06 GiB, 0.02 GiB is free",
    ),
}


def assert_taken_back(run: Run, server: RealServer, good: dict[str, Any], cause: str) -> dict[str, Any]:
    """What failed. `good`: the pod that served before, and still does."""
    assert not run.succeeded, run.told
    result = run.result()
    print(result["msg"])
    (now, state, verified), (failed, *_row), *_older = server.namespace.history()
    assert (state, verified, result["rolled_back_to"]) == ("current", True, now)
    assert server.namespace.head()["history"][1]["failure"]["cause"] == result["failure"]["cause"] == cause, result
    assert f"Revision {failed} of one-test failed: " in result["msg"]
    assert server.pod["metadata"]["uid"] == good["metadata"]["uid"], "a pod that served was replaced"
    return result


def test_it_serves_what_was_asked_for(server: RealServer) -> None:
    assert server.namespace.history()[0][1:] == ("current", True)
    run = server.play("verify")
    assert run.succeeded, run.told


def test_an_upgrade_arrives_and_is_proven(server: RealServer) -> None:
    former = server.pod["metadata"]["uid"]
    run = server.deploy(max_model_len=512)
    assert run.succeeded, run.told
    verification = run.result()["verification"]
    assert verification["evidence"]["vllm_versions"] == [VERSION]
    ((*checks,),) = verification["pods"].values()
    assert {check["check"]: check["passed"] for check in checks} == dict.fromkeys(CHECKS, True), checks
    assert [model["max_model_len"] for model in server.ask("/v1/models").body["data"]] == [512]
    assert server.pod["metadata"]["uid"] != former
    assert server.namespace.history()[0][1:] == ("current", True)


@pytest.mark.parametrize(("changes", "cause", "said"), SPOILED.values(), ids=SPOILED)
def test_an_upgrade_that_cannot_start_is_taken_back(
    server: RealServer, changes: dict[str, Any], cause: str, said: str
) -> None:
    good = server.pod
    result = assert_taken_back(server.deploy(**changes), server, good, cause)
    assert said in result["msg"]


def test_an_upgrade_whose_engine_dies_is_taken_back(server: RealServer) -> None:
    good = server.pod
    run = server.start_deploy(max_model_len=768)
    signal_each_new_engine(server.api, server.namespace, run, signal.SIGKILL)
    result = assert_taken_back(run, server, good, "engine_died")
    assert result["failure"]["exit_code"] == 0


def test_an_upgrade_whose_engine_hangs_is_taken_back(server: RealServer) -> None:
    good = server.pod
    run = server.start_deploy(max_model_len=896)
    signal_each_new_engine(server.api, server.namespace, run, signal.SIGSTOP)
    result = assert_taken_back(run, server, good, "inference_failed")
    assert "no first token within" in result["msg"]


def test_a_server_that_hangs_is_found(server: RealServer) -> None:
    container = container_of(server.pod)
    signal_engine(container, signal.SIGSTOP)
    try:
        assert server.ask("/health").status == 200
        run = server.play("verify")
        assert not run.succeeded
        assert "no first token within" in run.stdout
    finally:
        signal_engine(container, signal.SIGCONT)
    run = server.play("verify")
    assert run.succeeded, run.told


def test_a_server_that_died_is_found(server: RealServer) -> None:
    container = container_of(server.pod)
    signal_engine(container, signal.SIGKILL)
    wait_until(lambda: container_of(server.pod) not in ("", container), "its container has been started again")
    (status,) = server.pod["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["exitCode"] == 0, "vLLM has another way to die now"
    run = server.play("verify")
    assert not run.succeeded
    assert "restarted once" in run.stdout
    assert "restarted once" in server.play("status").stdout
