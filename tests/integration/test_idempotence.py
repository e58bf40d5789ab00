# SPDX-License-Identifier: GPL-3.0-or-later
"""The same command again costs a look and changes nothing."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import deploy


def test_a_second_run_changes_nothing_and_writes_nothing(namespace: Namespace, proxy: Proxy) -> None:
    first = deploy(namespace.name)
    assert first.succeeded, first.told
    assert first.result()["changed"]

    second = deploy(namespace.name, environment={"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)})
    assert second.succeeded, second.told
    assert " changed=0 " in second.stdout
    assert second.progress == []
    kinds = {item["kind"] for item in namespace.head()["inventory"]}
    assert len(kinds) >= 5, "a release with so few kinds would prove nothing"
    assert second.result()["requests"] == len(proxy.requests) <= 1 + len(kinds)
    assert proxy.writes() == []
    assert {request.method for request in proxy.requests} == {"GET"}, "not even a dry run"
    assert second.result()["release"] == first.result()["release"]
    assert second.result()["actions"]["unchanged"] == len(first.result()["actions"]["created"])
