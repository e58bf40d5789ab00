# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a server away."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import REMOVE, Run, deploy, play

CACHE = {"vllm_deploy_cache_enabled": True, "vllm_deploy_cache_size": "1Mi"}
KINDS = """
    serviceaccounts services apps/v1/deployments networking.k8s.io/v1/networkpolicies policy/v1/poddisruptionbudgets
    monitoring.coreos.com/v1/servicemonitors monitoring.coreos.com/v1/prometheusrules
""".split()


def remove(namespace: str, *options: str, **variables: object) -> Run:
    return play(REMOVE, *options, variables={"vllm_deploy_namespace": namespace} | variables)


def test_everything_goes_but_data(namespace: Namespace) -> None:
    done = deploy(namespace.name, variables=CACHE)
    assert done.succeeded, done.told
    assert all("one-test" in namespace.names(kind) for kind in KINDS)

    gone = remove(namespace.name, "--limit", "one", **CACHE)
    assert gone.succeeded, gone.told
    assert gone.result()["changed"]
    assert gone.result()["actions"]["kept"] == ["PersistentVolumeClaim/one-test-cache"]
    assert gone.progress[-1].text == (
        "[one-test] removed; kept, since they hold data: PersistentVolumeClaim/one-test-cache"
    )
    assert namespace.list("pods") == [], "it did not wait for the pods"
    assert not any("one-test" in namespace.names(kind) for kind in KINDS)
    assert namespace.names("configmaps") <= {"kube-root-ca.crt"}
    assert namespace.names("persistentvolumeclaims") == {"one-test-cache"}

    again = remove(namespace.name, "--limit", "one", **CACHE)
    assert again.succeeded, again.told
    assert " changed=0 " in again.stdout

    back = deploy(namespace.name, variables=CACHE)
    assert back.succeeded, back.told
    assert namespace.history() == [(1, "current", True)]


def test_history_may_stay(namespace: Namespace) -> None:
    assert deploy(namespace.name).succeeded
    gone = remove(namespace.name, "-e", "vllm_hosts=one", vllm_deploy_keep_history=True)
    assert gone.succeeded, gone.told
    assert namespace.history() == [(1, "removed", True)]
    assert "one-test" not in namespace.names("apps/v1/deployments")
    again = remove(namespace.name, "-e", "vllm_hosts=one", vllm_deploy_keep_history=True)
    assert " changed=0 " in again.stdout, again.told
    back = deploy(namespace.name)
    assert back.succeeded, back.told
    assert namespace.history() == [(2, "current", True), (1, "removed", True)]


def test_nobody_removes_a_whole_inventory_by_chance(namespace: Namespace) -> None:
    refused = remove(namespace.name)
    assert not refused.succeeded
    (failure,) = [each["result"]["msg"] for each in refused.results if each["status"] == "failed"]
    assert failure == (
        "Nothing says which servers to remove. The playbook would take all 2 of the inventory away at once. "
        "Name them: --limit one, or -e vllm_hosts=one."
    )
