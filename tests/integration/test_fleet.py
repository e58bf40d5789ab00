# SPDX-License-Identifier: GPL-3.0-or-later
"""Several servers in one run."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT, DEPLOY, Run, play

SLOW = [{"name": "STAND_IN_LOAD_SECONDS", "value": "4"}]


def fleet(namespace: str, *options: str, **variables: object) -> Run:
    placed = {"vllm_deploy_namespace": namespace, "vllm_deploy_env": SLOW} | variables
    run = play(DEPLOY, *options, variables=placed)
    assert run.succeeded, run.told
    return run


def first(run: Run, text: str) -> float:
    return min(line.at for line in run.progress if text in line.text)


def test_one_server_first_and_then_the_rest(namespace: Namespace) -> None:
    run = fleet(namespace.name)
    assert first(run, "[one-test] revision 1 verified") < first(run, "[two-test] plan")


def test_two_servers_side_by_side(namespace: Namespace) -> None:
    run = fleet(namespace.name, "-e", "vllm_serial=100%")
    begun = max(first(run, f"[{release}] revision 1: applying") for release in ("one-test", "two-test"))
    over = min(first(run, f"[{release}] revision 1 verified") for release in ("one-test", "two-test"))
    assert begun < over, run.stderr
    assert namespace.names("apps/v1/deployments") == {"one-test", "two-test"}
    for host in ("one", "two"):
        assert run.result(host)["release"] == {
            "name": f"{host}-test",
            "namespace": namespace.name,
            "revision": 1,
            "content": 1,
            "previous_revision": None,
            "state": "present",
            "verified": True,
            "strategy": {"name": "surge", "max_surge": 1, "max_unavailable": 0, "reason": ""},
        }


def test_a_limit_takes_one_and_playbooks_work_as_files(namespace: Namespace) -> None:
    placed = {"vllm_deploy_namespace": namespace.name}
    run = play(CHECKOUT / "playbooks" / "deploy.yml", "--limit", "two", variables=placed)
    assert run.succeeded, run.told
    assert {result["host"] for result in run.results} == {"two"}
    assert namespace.names("apps/v1/deployments") == {"two-test"}
