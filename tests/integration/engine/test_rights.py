# SPDX-License-Identifier: GPL-3.0-or-later
"""The Role of the README is enough for every operation, and holds nothing that none of them needs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.account import Account, written_role
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import (
    deploy,
    drift,
    preflight,
    remove,
    rollback,
)
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import play
from ansible_collections.ai_aas.vllm.tests.integration.scarcity import devices

PLAYBOOKS = "deploy status history verify rollback remove".split()
SERVER = Server(replicas=1, parts=("config", "policy", "budget", "account", "role", "binding", "data"))
UPGRADE = replace(SERVER, env={"LANGUAGE": "en"}, parts=())
BROKEN = replace(SERVER, env={"STAND_IN_CRASH_EXIT_CODE": "1"})
# Somebody may have told it to: the pod's events are looked at.
ENDED = replace(SERVER, env={"STAND_IN_CRASH_EXIT_CODE": "0"})
KEY = "llama-2-7b-api-key"


@pytest.fixture
def account(namespace: Namespace, proxy: Proxy, tmp_path: Path) -> Account:
    return Account(namespace, written_role()["rules"], proxy, tmp_path)


PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v\w+/namespaces/[^/]+/(?P<kind>\w+)(?P<name>/[^/]+)?(?:/(?P<part>\w+))?"
)


def used(request: Request) -> set[tuple[str, str, str]]:
    """(group, resource, verb) that a request needs."""
    found = PATH.fullmatch(request.path)
    assert found, request.path
    resource = f"{found['kind']}/{found['part']}" if found["part"] else found["kind"]
    verbs = {
        "GET": {"get"} if found["name"] else {"list"},
        "POST": {"create"},
        "PUT": {"update"},
        "PATCH": {"patch", "create"},  # server-side apply makes what is not there
        "DELETE": {"delete"},
    }[request.method]
    verbs = {"get", "create"} if found["part"] == "portforward" else verbs
    return {(found["group"] or "", resource, verb) for verb in verbs}


def test_it_is_enough_and_nothing_in_it_is_idle(account: Account, namespace: Namespace, cluster: Cluster) -> None:
    namespace.create_secret(KEY, api_key="sk-secret")
    objects = SERVER.objects()
    (container,) = objects[-1]["spec"]["template"]["spec"]["containers"]
    container["env"].append({"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": KEY, "key": "api-key"}}})
    account.does(deploy(SERVER, definition=objects))
    account.does(replace(deploy(UPGRADE), check_mode=True))
    account.does(deploy(UPGRADE))
    account.does(deploy(BROKEN), fails=True)
    account.does(deploy(ENDED), fails=True)
    account.does(rollback(revision=1))
    drift(namespace)
    hands.patch(namespace, "persistentvolumeclaims", {"metadata": {"labels": {"vllm.ai-aas/release": None}}})
    account.does(deploy(SERVER, definition=objects))
    with devices(cluster, 1) as only:
        scarce = Server(replicas=1, parts=(), devices={only: 1})
        account.does(deploy(scarce))
        account.does(deploy(replace(scarce, env={"LANGUAGE": "en"})))
        account.does(remove())
    settings = {
        "vllm_deploy_namespace": namespace.name,
        "vllm_deploy_cache_enabled": True,
        "vllm_deploy_cache_size": "1Mi",
    }
    for number, playbook in enumerate(("deploy", "deploy", *PLAYBOOKS[1:])):
        changing = {"vllm_deploy_service_annotations": {"number": str(min(number, 1))}}
        run = play(
            f"ai_aas.vllm.{playbook}",
            "--limit",
            "one",
            variables=settings | changing,
            environment={"K8S_AUTH_KUBECONFIG": str(account.kubeconfig)},
        )
        assert run.succeeded, run.told
    assert account.refused == set()

    granted = {
        (group, resource, verb)
        for rule in written_role()["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    needed = {right for request in account.proxy.requests for right in used(request)}
    assert granted - needed == set(), "never used"


def test_without_what_is_optional(namespace: Namespace, proxy: Proxy, tmp_path: Path) -> None:
    optional = (
        {"resources": ["pods"], "verbs": ["create"]},
        {"resources": ["endpointslices"]},
        {"resources": ["events"]},
        {"resources": ["secrets"], "verbs": ["get"]},
    )
    rules = [rule for rule in written_role()["rules"] if not any(each.items() <= rule.items() for each in optional)]
    account = Account(namespace, rules, proxy, tmp_path)
    account.does(deploy(SERVER))
    account.does(deploy(ENDED), fails=True)
    account.does(remove())
    assert account.refused == {
        f"POST /api/v1/namespaces/{namespace.name}/pods",
        f"GET /api/v1/namespaces/{namespace.name}/events",
        f"GET /apis/discovery.k8s.io/v1/namespaces/{namespace.name}/endpointslices",
    }


def test_a_preflight_does_not_need_to_see_the_nodes(account: Account, namespace: Namespace) -> None:
    run = preflight(SERVER).run(account.kubeconfig, namespace.name)
    assert not run.result.get("failed"), run.message
    (unknown,) = (one for one in run.result["findings"] if one["rule"] == "nodes-unknown")
    assert "nodes" in unknown["why"]
    assert account.refused <= {"GET /api/v1/nodes", "GET /api/v1/pods"}


def test_a_right_that_is_missing_is_named(namespace: Namespace, proxy: Proxy, tmp_path: Path) -> None:
    rules = [rule for rule in written_role()["rules"] if rule["resources"] != ["pods/portforward"]]
    account = Account(namespace, rules, proxy, tmp_path)
    run = deploy(SERVER).run(account.kubeconfig, namespace.name)
    assert run.result["failed"]
    assert "pods/portforward" in run.message
