# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that does not serve: what is said, what is kept of it, and that the next deploy is free."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import Run, deploy

KEY = "sk-a-key-that-nobody-may-see"


def switched(name: str, value: str = "1") -> list[dict[str, str]]:
    """One of the stand-in's switches, for vllm_deploy_extra_env."""
    return [{"name": f"STAND_IN_{name}", "value": value}]


def masked(text: str) -> str:
    """`text` without what differs from run to run: the names of pods, and seconds."""
    return re.sub(r"\b\d+ ?s\b", "N s", re.sub(r"one-test(-[a-z0-9]+){2}\b", "POD", text))


def failed(run: Run) -> dict[str, Any]:
    assert not run.succeeded, run.told
    assert "Traceback" not in run.told
    return run.result()


def test_a_first_server_that_never_gets_ready_is_stopped_and_the_next_deploy_is_free(namespace: Namespace) -> None:
    bad = {"vllm_deploy_extra_env": switched("NEVER_READY"), "vllm_deploy_wait_timeout": 20}
    run = deploy(namespace.name, variables=bad)
    result = failed(run)
    assert masked(result["msg"]) == (
        "Revision 1 of one-test failed: After N s 1 of its pods are not ready: POD loading, N s of 1m01s. "
        "It was stopped. "
        "Read the log of the pod; if it is still loading, raise the startup probe's budget "
        "(vllm_deploy_startup_failure_threshold)."
    )
    assert result["changed"]
    failure = result["failure"]
    assert (failure["class"], failure["cause"], failure["container"]) == ("silence", "not_ready_in_time", "vllm")
    assert namespace.deployment()["spec"]["replicas"] == 0, "it still holds its GPUs"
    head = namespace.head()
    assert (head["current"], head["operation"]) == (None, None)
    assert namespace.history() == [(1, "failed", False)]
    assert head["history"][0]["failure"] == failure

    fixed = deploy(namespace.name)
    assert fixed.succeeded, fixed.told
    assert namespace.history() == [(2, "current", True), (1, "failed", False)]
    assert namespace.deployment()["spec"]["replicas"] == 1


def test_a_server_that_serves_another_model_is_taken_back(namespace: Namespace) -> None:
    good = deploy(namespace.name)
    assert good.succeeded, good.told
    serving = {pod["metadata"]["uid"] for pod in namespace.pods()}

    run = deploy(namespace.name, variables={"vllm_deploy_extra_env": switched("SERVED_MODEL_NAME", "another/model")})
    result = failed(run)
    assert masked(result["msg"]) == (
        "Revision 2 of one-test failed: POD does not serve: it serves another/model, not test/model. "
        "Revision 1 was put back as revision 3 and serves, verified. "
        "Correct the model, the names it is served under, or its context length."
    )
    assert (result["failure"]["class"], result["failure"]["cause"]) == ("verification", "identity_failed")
    assert namespace.history() == [(3, "current", True), (2, "failed", False), (1, "superseded", True)]
    assert {pod["metadata"]["uid"] for pod in namespace.pods()} == serving, "a pod that served was replaced"
    assert "SERVED_MODEL_NAME" not in str(namespace.container()["env"])

    again = deploy(namespace.name)
    assert again.succeeded, again.told
    assert not again.result()["changed"], "the definition that serves is the one that was asked for"


def test_a_key_from_a_secret_opens_the_server_and_is_seen_nowhere(namespace: Namespace) -> None:
    namespace.create_secret("keys", api_key=KEY)
    run = deploy(namespace.name, "-vvv", variables={"vllm_deploy_api_key_secret_name": "keys"})
    assert run.succeeded, run.told
    checks = [check for pod in run.result()["verification"]["pods"].values() for check in pod]
    names = "process identity inference fingerprint progress restarts service".split()
    assert [(check["check"], check["passed"]) for check in checks] == [(name, True) for name in names]
    assert KEY not in run.told
    assert KEY not in str(run.results)
    assert KEY not in str(namespace.head())
    assert KEY not in str(namespace.record(1))
