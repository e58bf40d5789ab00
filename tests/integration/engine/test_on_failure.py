# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a revision that fails, and what is said about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import passing
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
GOOD = Server(replicas=1)
WRONG_FLAG = replace(GOOD, arguments=("--no-such-flag",), parts=("config",), greeting="second")
EXITED = "POD cannot run: vLLM does not take its command line: unrecognized arguments: --no-such-flag."
FAILED = f"Revision 2 of small failed: {EXITED}"
CURE = "Correct or remove --no-such-flag: which flags there are differs from version to version."


def message(run: Run, namespace: Namespace) -> str:
    return passing(run.message, namespace.name)


def test_rollback(namespace: Namespace, run: Does, done: Does) -> None:
    done(deploy(GOOD))
    policy = namespace.get("networking.k8s.io/v1/networkpolicies", "small")
    pods = {pod["metadata"]["uid"] for pod in namespace.pods()}

    failed = run(deploy(WRONG_FLAG))
    assert message(failed, namespace) == f"{FAILED} Revision 1 was put back as revision 3 and serves, verified. {CURE}"
    assert failed.result["rolled_back_to"] == failed.result["current_revision"] == 3
    assert failed.result["failure"]["cause"] == "bad_flag"
    assert namespace.history("small") == [(3, "current", True), (2, "failed", False), (1, "superseded", True)]
    assert {pod["metadata"]["uid"] for pod in namespace.pods()} == pods
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "hello"}
    # What the failed revision no longer named was never touched.
    assert namespace.get("networking.k8s.io/v1/networkpolicies", "small")["metadata"] == policy["metadata"]

    assert done(deploy(GOOD)).result["changed"] is False, "what serves is what is asked for"
    again = run(deploy(WRONG_FLAG))
    assert again.result["failed"]
    assert namespace.history("small")[:2] == [(5, "current", True), (4, "failed", False)]


def test_hold(namespace: Namespace, run: Does, done: Does) -> None:
    done(deploy(GOOD))
    failed = run(deploy(WRONG_FLAG, on_failure="hold"))
    assert message(failed, namespace) == f"{FAILED} It was left as it is; older pods are ready. {CURE}"
    assert failed.result["rolled_back_to"] is None
    assert namespace.history("small") == [(2, "failed", False), (1, "current", True)]
    assert len(namespace.pods()) == 2, "the old pod serves, the new one is left to be looked at"
    assert namespace.names("networking.k8s.io/v1/networkpolicies") == {"small"}, "nothing is pruned before the commit"

    done(deploy(GOOD))
    assert namespace.history("small") == [(2, "failed", False), (1, "current", True)]


def test_stop_where_older_pods_serve(namespace: Namespace, run: Does, done: Does) -> None:
    done(deploy(GOOD))
    pods = {pod["metadata"]["uid"] for pod in namespace.pods()}
    failed = run(deploy(WRONG_FLAG, on_failure="stop"))
    assert message(failed, namespace) == f"{FAILED} It was stopped; older pods are ready. {CURE}"
    assert namespace.history("small") == [(2, "failed", False), (1, "current", True)]
    hands.wait_for(lambda: {pod["metadata"]["uid"] for pod in namespace.pods()} == pods)


def test_stop_where_only_the_number_of_pods_was_to_change(namespace: Namespace, run: Does, done: Does) -> None:
    """The pods that serve have the template of the failed revision, and of the proven one."""
    done(deploy(GOOD))
    pods = {pod["metadata"]["uid"] for pod in namespace.pods()}
    hands.create(namespace, "resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"limits.cpu": "9"}}})
    hands.wait_for(lambda: namespace.get("resourcequotas", "q").get("status", {}).get("hard"))
    failed = run(deploy(replace(GOOD, replicas=2), on_failure="stop"))
    assert failed.result["failure"]["cause"] == "quota_must_specify"
    assert " It was stopped; older pods are ready. " in failed.message
    assert {pod["metadata"]["uid"] for pod in namespace.pods()} == pods
    assert namespace.deployment("small")["spec"]["replicas"] == 1


@pytest.mark.parametrize("on_failure", ["rollback", "stop"])
def test_a_first_release(namespace: Namespace, run: Does, done: Does, on_failure: str) -> None:
    """There is nothing to go back to, and nobody to leave the GPUs to."""
    failed = run(deploy(WRONG_FLAG, on_failure=on_failure))
    assert message(failed, namespace) == f"Revision 1 of small failed: {EXITED} It was stopped. {CURE}"
    assert failed.result["current_revision"] is None
    assert namespace.history("small") == [(1, "failed", False)]
    hands.wait_for(lambda: namespace.pods() == [])

    done(deploy(GOOD))
    assert namespace.history("small") == [(2, "current", True), (1, "failed", False)]


def test_a_first_release_that_is_held(namespace: Namespace, run: Does) -> None:
    failed = run(deploy(WRONG_FLAG, on_failure="hold"))
    assert message(failed, namespace) == f"Revision 1 of small failed: {EXITED} It was left as it is. {CURE}"
    assert len(namespace.pods()) == 1


def test_a_way_back_that_fails_too(namespace: Namespace, run: Does, done: Does) -> None:
    """Both causes are told, and nothing is tried a third time."""
    done(deploy(GOOD))
    hands.touch(namespace, namespace.pods()[0]["metadata"]["name"], "/tmp/stand-in-hang")
    failed = run(deploy(WRONG_FLAG, verification={"request_timeout": 5}))
    assert message(failed, namespace) == (
        f"{FAILED} It was left as it is. "
        f"Revision 3 failed, too: POD does not serve: POST /v1/completions: no first token within SECONDS. {CURE}"
    )
    assert namespace.history("small") == [(3, "failed", False), (2, "failed", False), (1, "current", True)]
    assert namespace.head("small")["operation"] is None


def test_a_way_back_that_cannot_be_had(namespace: Namespace, run: Does, done: Does) -> None:
    done(deploy(GOOD))
    hands.delete(namespace, "configmaps", name="vllm-release-small.v1")
    failed = run(deploy(WRONG_FLAG))
    assert message(failed, namespace) == (
        f"{FAILED} It was left as it is, since there is no way back: Revision 1 cannot be had. ConfigMap/"
        f"vllm-release-small.v1 is not there: it was trimmed, or deleted by hand. Choose another revision (2). {CURE}"
    )
    assert namespace.head("small")["operation"] is None


def test_a_definition_that_failed_before_is_remembered(run: Does) -> None:
    run(deploy(WRONG_FLAG))
    again = run(deploy(WRONG_FLAG))
    assert re.search(
        "^This definition failed as revision 1: small-.* vLLM does not take its command line", again.told, re.MULTILINE
    )
