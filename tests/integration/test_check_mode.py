# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at what a deploy would do leaves no trace."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import Run, deploy

CREATED = {
    "Deployment/one-test",
    "NetworkPolicy/one-test",
    "PodDisruptionBudget/one-test",
    "PrometheusRule/one-test",
    "Service/one-test",
    "ServiceAccount/one-test",
    "ServiceMonitor/one-test",
}


def look(namespace: str, proxy: Proxy, **variables: object) -> Run:
    environment = {"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)}
    return deploy(namespace, "--check", variables=variables, environment=environment)


def test_an_empty_namespace(namespace: Namespace, proxy: Proxy) -> None:
    foreseen = look(namespace.name, proxy)
    assert foreseen.succeeded, foreseen.told
    assert set(foreseen.result()["actions"]["created"]) == CREATED
    assert foreseen.result()["changed"]
    assert foreseen.result()["release"]["revision"] == 1
    assert foreseen.stderr == "[one-test] plan: 7 to create"
    assert proxy.requests, "the cluster was never asked"
    assert proxy.writes() == []
    assert namespace.list("apps/v1/deployments") == []
    assert namespace.names("configmaps") <= {"kube-root-ca.crt"}

    done = deploy(namespace.name)
    assert done.succeeded, done.told
    assert done.result()["actions"] == foreseen.result()["actions"]


def test_a_namespace_that_is_not_there_yet(cluster: Cluster, proxy: Proxy) -> None:
    with cluster.namespace(create=False) as namespace:
        foreseen = look(namespace.name, proxy, vllm_deploy_namespace_create=True)
        assert foreseen.succeeded, foreseen.told
        assert set(foreseen.result()["actions"]["created"]) == CREATED
        notice = f"[one-test] there is no namespace {namespace.name} yet: foreseen without the API server"
        assert foreseen.stderr.splitlines() == [notice, "[one-test] plan: 7 to create"]
        assert proxy.writes() == []
        assert not namespace.exists


def test_a_namespace_that_nobody_may_create(cluster: Cluster, proxy: Proxy) -> None:
    with cluster.namespace(create=False) as namespace:
        refused = look(namespace.name, proxy)
        assert not refused.succeeded
        assert refused.result()["msg"] == (
            f"There is no namespace '{namespace.name}'. A release does not create its namespace unless it is told to. "
            "Create it, correct the name, or let the release create it (vllm_deploy_namespace_create)."
        )
        assert proxy.writes() == []
