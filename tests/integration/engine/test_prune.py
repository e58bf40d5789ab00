# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release no longer names goes, once the new revision is the current one, and no failure to delete it undoes
that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.account import Account, written_role
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Watch
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, scenario
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import watched
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
POLICIES, BUDGETS = "networking.k8s.io/v1/networkpolicies", "policy/v1/poddisruptionbudgets"
FIRST = Server(replicas=1, parts=("config", "policy", "budget"))
SECOND = replace(FIRST, parts=("config",), env={"LANGUAGE": "en"})
DROPPED = ["NetworkPolicy/small", "PodDisruptionBudget/small"]


def dropped(namespace: Namespace) -> set[str]:
    """What is there of the objects that the second revision does not name."""
    kinds = {"NetworkPolicy": POLICIES, "PodDisruptionBudget": BUDGETS}
    return {f"{kind}/{name}" for kind, path in kinds.items() for name in namespace.names(path)}


def inventory(namespace: Namespace) -> dict[str, bool]:
    """Each object of it, and whether it has to go."""
    return {f"{item['kind']}/{item['name']}": item["doomed"] for item in namespace.head("small")["inventory"]}


def complaints(run: Run) -> list[str]:
    return [warning for warning in run.result["warnings"] if "could not be deleted" in warning]


KEPT = {"ConfigMap/small": False, "Service/small": False, "Deployment/small": False}


def test_what_an_upgrade_drops(namespace: Namespace, done: Does) -> None:
    done(deploy(FIRST))
    foreseen = done(replace(deploy(SECOND), check_mode=True))
    assert foreseen.result["actions"]["pruned"] == DROPPED
    assert dropped(namespace) == set(DROPPED)

    upgraded = done(deploy(SECOND))
    assert upgraded.result["actions"]["pruned"] == DROPPED
    assert complaints(upgraded) == []
    told = {diff["before_header"]: diff["after"] for diff in upgraded.result["diff"]}
    assert [told[name] for name in DROPPED] == ["", ""]
    assert dropped(namespace) == set()
    assert inventory(namespace) == KEPT
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert done(deploy(SECOND)).result["changed"] is False


@pytest.mark.parametrize("side", ["before", "after"])
def test_nothing_goes_before_the_commit(namespace: Namespace, done: Does, kubeconfig: Path, side: Any) -> None:
    """At the very write that makes the revision the current one, everything is there still."""
    done(deploy(FIRST))
    there: list[set[str]] = []
    current: list[int] = []

    def look(_watch: Watch) -> None:
        there.append(dropped(namespace))
        current.append(namespace.head("small")["current"]["revision"])

    watch = Watch(Point(side=side, writes=("deploy commit: PUT head",)), look)
    run = watched(replace(scenario("upgrade"), command=deploy(SECOND)), kubeconfig, namespace, watch)
    assert not run.result.get("failed"), f"{run.message}\n{run.told}"
    assert there == [set(DROPPED)]
    assert current == [{"before": 1, "after": 2}[side]]
    tidying = watch.answered[watch.answered.index("deploy commit: PUT head") + 1 :]
    assert sorted(tidying[:-1]) == [
        "deploy tidy: DELETE networkpolicies/small",
        "deploy tidy: DELETE poddisruptionbudgets/small",
    ]
    assert tidying[-1] == "deploy done: PUT head"
    assert dropped(namespace) == set()


@pytest.fixture
def bound(namespace: Namespace, proxy: Proxy, tmp_path: Path) -> Account:
    """May do everything but delete NetworkPolicies."""
    rules = copy.deepcopy(written_role()["rules"])
    (of_policies,) = (rule for rule in rules if rule["resources"] == ["networkpolicies"])
    of_policies["verbs"].remove("delete")
    return Account(namespace, rules, proxy, tmp_path)


def test_what_cannot_be_deleted_waits_for_the_next_run(namespace: Namespace, bound: Account, done: Does) -> None:
    done(deploy(FIRST))
    upgraded = deploy(SECOND).run(bound.kubeconfig, namespace.name)
    assert not upgraded.result.get("failed"), f"{upgraded.message}\n{upgraded.told}"
    complaint = (
        f"NetworkPolicy/small could not be deleted: The account 'system:serviceaccount:{namespace.name}:deployer' "
        f"cannot delete resource 'networkpolicies' of API group 'networking.k8s.io' in namespace '{namespace.name}'"
    )
    assert complaints(upgraded) == [complaint]
    assert upgraded.result["release"]["verified"] is True
    assert dropped(namespace) == {"NetworkPolicy/small"}
    assert inventory(namespace) == KEPT | {"NetworkPolicy/small": True}
    assert namespace.head("small")["operation"] is None
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert bound.refused == {f"DELETE {hands.path(namespace, POLICIES, 'small')}"}

    pods = {pod["metadata"]["uid"] for pod in namespace.pods()}
    foreseen = done(replace(deploy(SECOND), check_mode=True))
    assert (foreseen.result["changed"], foreseen.result["actions"]["pruned"]) == (True, ["NetworkPolicy/small"])
    again = done(deploy(SECOND))
    assert (again.result["changed"], again.result["actions"]["pruned"]) == (True, ["NetworkPolicy/small"])
    assert complaints(again) == []
    assert dropped(namespace) == set()
    assert inventory(namespace) == KEPT
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert {pod["metadata"]["uid"] for pod in namespace.pods()} == pods
    assert done(deploy(SECOND)).result["changed"] is False


def test_what_could_not_be_deleted_is_not_told_of_as_if_it_were_gone(
    namespace: Namespace, bound: Account, done: Does
) -> None:
    done(deploy(FIRST))
    upgraded = deploy(SECOND).run(bound.kubeconfig, namespace.name)
    assert upgraded.result["actions"]["pruned"] == ["PodDisruptionBudget/small"]
    assert "NetworkPolicy/small" not in {diff["before_header"] for diff in upgraded.result["diff"]}


def test_what_could_not_be_deleted_may_be_wanted_again(namespace: Namespace, bound: Account, done: Does) -> None:
    done(deploy(FIRST))
    policy = namespace.get(POLICIES, "small")["metadata"]["uid"]
    deploy(SECOND).run(bound.kubeconfig, namespace.name).finish()
    assert inventory(namespace) == KEPT | {"NetworkPolicy/small": True}
    wanted = done(deploy(replace(SECOND, parts=("config", "policy"))))
    assert wanted.result["actions"]["pruned"] == []
    assert namespace.get(POLICIES, "small")["metadata"]["uid"] == policy
    assert inventory(namespace) == KEPT | {"NetworkPolicy/small": False}


def test_what_another_release_has_taken_stays(namespace: Namespace, done: Does) -> None:
    done(deploy(FIRST))
    hands.patch(namespace, POLICIES, {"metadata": {"labels": {"vllm.ai-aas/release": "other"}}})
    done(deploy(SECOND))
    assert dropped(namespace) == {"NetworkPolicy/small"}
    assert inventory(namespace) == KEPT
    assert done(deploy(SECOND)).result["changed"] is False


def test_what_somebody_has_made_anew_stays(namespace: Namespace, done: Does) -> None:
    """It has the name of what the release had, and is not the release's."""
    done(deploy(FIRST))
    spec = namespace.get(POLICIES, "small")["spec"]
    hands.delete(namespace, POLICIES)
    hands.create(namespace, POLICIES, {"metadata": {"name": "small"}, "spec": spec})
    done(deploy(SECOND))
    assert dropped(namespace) == {"NetworkPolicy/small"}
    assert inventory(namespace) == KEPT
