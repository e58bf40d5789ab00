# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back because somebody asks for it: where to, what comes and goes with it, and what becomes of a way back that
is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import FIRST, SECOND, deploy, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import WRONG_FLAG, Server
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import passing
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
POLICIES, BUDGETS = "networking.k8s.io/v1/networkpolicies", "policy/v1/poddisruptionbudgets"
UNVERIFIED = {"enabled": False}
NAME_ONE = "Name a revision to go back to one that was never verified."


def server(word: str) -> Server:
    """Another ConfigMap and another pod template for each word."""
    return Server(replicas=1, parts=("config",), greeting=word, env={"WORD": word})


def serving(namespace: Namespace) -> str:
    """The word of what is there, and of the one pod that there is."""
    (pod,) = namespace.pods()
    (container,) = pod["spec"]["containers"]
    (word,) = (entry["value"] for entry in container["env"] if entry["name"] == "WORD")
    assert namespace.get("configmaps", "small")["data"] == {"greeting": word}
    assert hands.wait_for(lambda: namespace.deployment("small")["status"].get("readyReplicas")) == 1
    return str(word)


def put_back(run: Run) -> tuple[int, int, int]:
    """The revision that was made, whose content it has, and which one served before."""
    told = run.result["release"]
    return told["revision"], told["content"], told["previous_revision"]


def kinds(namespace: Namespace) -> list[tuple[int, str, int]]:
    """(revision, kind, content), newest first."""
    return [(row["revision"], row["kind"], row["content"]) for row in namespace.head("small")["history"]]


def test_going_back_twice_goes_further_back(namespace: Namespace, run: Does, done: Does) -> None:
    for word in ("one", "two", "three"):
        done(deploy(server(word)))
    assert put_back(done(rollback())) == (4, 2, 3)
    assert serving(namespace) == "two"
    assert put_back(done(rollback())) == (5, 1, 4)
    assert serving(namespace) == "one"

    refused = run(rollback())
    assert refused.message == (
        "There is no verified revision older than 1. The history has 5 (current, verified), 4 (superseded, verified), "
        f"3 (superseded, verified), 2 (superseded, verified), 1 (superseded, verified). {NAME_ONE}"
    )
    assert refused.result["changed"] is False
    assert serving(namespace) == "one"
    assert namespace.history("small") == [
        (5, "current", True),
        (4, "superseded", True),
        (3, "superseded", True),
        (2, "superseded", True),
        (1, "superseded", True),
    ]
    assert kinds(namespace) == [
        (5, "rollback", 1),
        (4, "rollback", 2),
        (3, "deploy", 3),
        (2, "deploy", 2),
        (1, "deploy", 1),
    ]

    assert put_back(done(rollback(revision=3))) == (6, 3, 5)
    assert serving(namespace) == "three"


def test_a_revision_that_is_not_there(namespace: Namespace, run: Does, done: Does) -> None:
    done(deploy(server("one")))
    refused = run(rollback(revision=7))
    assert refused.message == (
        "There is no revision 7. The history has 1 (current, verified). Name one of these revisions."
    )
    assert refused.result["changed"] is False
    assert namespace.history("small") == [(1, "current", True)]


def test_a_release_that_was_never_made(namespace: Namespace, run: Does) -> None:
    assert run(rollback()).message == (
        f"small was never released. There is no ConfigMap/vllm-release-small in namespace {namespace.name}. "
        "Check the name and the namespace."
    )


def test_what_was_never_verified_is_put_back_only_by_its_number(namespace: Namespace, done: Does) -> None:
    done(deploy(server("one")))
    done(deploy(server("two"), verification=UNVERIFIED))
    assert namespace.history("small") == [(2, "current", False), (1, "superseded", True)]
    done(deploy(server("three")))

    assert put_back(done(rollback())) == (4, 1, 3)
    assert serving(namespace) == "one"
    assert put_back(done(rollback(revision=2))) == (5, 2, 4)
    assert serving(namespace) == "two"
    assert namespace.history("small") == [
        (5, "current", True),
        (4, "superseded", True),
        (3, "superseded", True),
        (2, "superseded", False),
        (1, "superseded", True),
    ]


def test_a_deploy_that_fails_does_not_go_back_to_what_was_never_verified(
    namespace: Namespace, run: Does, done: Does
) -> None:
    """Though it was the last to serve."""
    done(deploy(server("one")))
    done(deploy(server("two"), verification=UNVERIFIED))
    failed = run(deploy(replace(server("three"), arguments=WRONG_FLAG.arguments)))
    assert " Revision 1 was put back as revision 4 and serves, verified. " in failed.message
    assert serving(namespace) == "one"
    assert namespace.history("small") == [
        (4, "current", True),
        (3, "failed", False),
        (2, "superseded", False),
        (1, "superseded", True),
    ]


def test_where_nothing_was_ever_verified(namespace: Namespace, run: Does, done: Does) -> None:
    for word in ("one", "two"):
        done(deploy(server(word), verification=UNVERIFIED))
    refused = run(rollback())
    assert refused.message == (
        f"There is no verified revision older than 2. The history has 2 (current), 1 (superseded). {NAME_ONE}"
    )
    assert put_back(done(rollback(revision=1, verification=UNVERIFIED))) == (3, 1, 2)
    assert serving(namespace) == "one"
    assert namespace.history("small") == [(3, "current", False), (2, "superseded", False), (1, "superseded", False)]


def phase(request: Request) -> str:
    """Of the operation that a write of the head tells of; empty for any other request."""
    if request.method != "PUT" or not request.path.endswith("/vllm-release-small"):
        return ""
    operation = json.loads(json.loads(request.body)["data"]["head"])["operation"]
    return str(operation["phase"]) if operation else "over"


def test_what_comes_and_goes_with_it(namespace: Namespace, done: Does, proxy: Proxy) -> None:
    """What only the newer revision had goes, and not before the older one is proven."""
    done(deploy(FIRST))
    done(deploy(SECOND))
    assert (namespace.names(POLICIES), namespace.names(BUDGETS)) == (set(), {"small"})

    back = rollback().run(proxy.kubeconfig, namespace.name)
    assert back.result["release"]["verified"], f"{back.message}\n{back.told}"
    actions = back.result["actions"]
    assert actions["created"] == ["NetworkPolicy/small"]
    assert actions["pruned"] == ["PodDisruptionBudget/small"]
    assert actions["updated"] == ["ConfigMap/small", "Deployment/small"]
    assert (actions["unchanged"], actions["kept"], actions["recreated"]) == (1, [], [])
    assert "plan: 1 to create, 2 to update, 1 to prune once the release is proven, 1 unchanged" in back.told
    assert (namespace.names(POLICIES), namespace.names(BUDGETS)) == ({"small"}, set())
    assert {item["kind"] for item in namespace.head("small")["inventory"]} == {
        "ConfigMap",
        "NetworkPolicy",
        "Service",
        "Deployment",
    }

    requests = proxy.requests
    asked = max(place for place, request in enumerate(requests) if request.path.endswith("/portforward"))
    (commit,) = (place for place, request in enumerate(requests) if phase(request) == "tidy")
    (deleted,) = (
        place for place, request in enumerate(requests) if request.method == "DELETE" and request.status == 200
    )
    assert asked < commit < deleted
    assert requests[deleted].path == hands.path(namespace, BUDGETS, "small")


def needing(secret: str) -> Server:
    """Its pods do not start without a Secret, which is no part of the release."""
    reference = {"name": "PASSPHRASE", "valueFrom": {"secretKeyRef": {"name": secret, "key": "word"}}}
    env = [{"name": "STAND_IN_LOAD_SECONDS", "value": "0"}, {"name": "WORD", "value": "one"}, reference]
    return replace(server("one"), container={"env": env})


@pytest.fixture
def stranded(namespace: Namespace, done: Does) -> dict[str, Any]:
    """The pod of a second revision, that serves, while what the first one needs is gone."""
    namespace.create_secret("needed", word="swordfish")
    done(deploy(needing("needed")))
    done(deploy(replace(server("two"), parts=("config", "budget"))))
    hands.delete(namespace, "secrets", name="needed")
    (pod,) = namespace.pods()
    return pod


def is_ready(pod: dict[str, Any]) -> bool:
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in pod["status"]["conditions"])


def test_a_way_back_that_fails_is_held(namespace: Namespace, stranded: dict[str, Any], run: Does, done: Does) -> None:
    """Nothing else is tried, and whoever served serves on."""
    failed = run(replace(rollback(), times={"absent": 1}))
    assert passing(failed.message, namespace.name) == (
        "Revision 3 of small failed: POD cannot run: the Secret needed does not exist. It was left as it is. "
        "Create the Secret needed, or correct its name."
    )
    assert failed.result["changed"] is True
    assert failed.result["failure"]["class"] == "absent_reference"
    assert failed.result["failure"]["cause"] == "secret_missing"
    assert (failed.result["rolled_back_to"], failed.result["current_revision"]) == (None, 2)
    assert namespace.history("small") == [(3, "failed", False), (2, "current", True), (1, "superseded", True)]
    assert namespace.head("small")["operation"] is None
    assert kinds(namespace)[0] == (3, "rollback", 1)

    pods = {pod["metadata"]["uid"]: pod for pod in namespace.pods()}
    assert len(pods) == 2, "the new one is left to be looked at"
    assert is_ready(pods[stranded["metadata"]["uid"]])
    assert namespace.names(BUDGETS) == {"small"}, "nothing is pruned before the commit"

    done(deploy(replace(server("two"), parts=("config", "budget"))))
    assert serving(namespace) == "two"
    assert [pod["metadata"]["uid"] for pod in namespace.pods()] == [stranded["metadata"]["uid"]]
    assert namespace.history("small") == [(3, "failed", False), (2, "current", True), (1, "superseded", True)]


def test_a_way_back_that_failed_goes_well_once_its_cause_is_gone(
    namespace: Namespace, stranded: dict[str, Any], run: Does, done: Does
) -> None:
    failed = run(replace(rollback(), times={"absent": 1}))
    assert failed.result["failure"]["cause"] == "secret_missing"
    namespace.create_secret("needed", word="swordfish")
    assert put_back(done(rollback())) == (4, 1, 2)
    assert serving(namespace) == "one"
    assert stranded["metadata"]["uid"] not in {pod["metadata"]["uid"] for pod in namespace.pods()}
    assert namespace.names(BUDGETS) == set()
    assert namespace.history("small") == [
        (4, "current", True),
        (3, "failed", False),
        (2, "superseded", True),
        (1, "superseded", True),
    ]
