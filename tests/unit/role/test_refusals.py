# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role refuses before it touches anything."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import CHECKOUT, evaluate, refusals, specified

INVENTORIES = CHECKOUT / "inventories"


def test_an_unknown_variable_is_refused_by_name() -> None:
    (refusal,) = refusals(vllm_deploy_replcas=3, vllm_deploy_gpu=2)
    assert refusal.startswith("The role vllm_deploy has no variable vllm_deploy_gpu, vllm_deploy_replcas.")


def test_variables_of_others_are_none_of_its_business() -> None:
    assert refusals(vllm_hosts="all", vllm_serial="100%", replicas=3) == []


def test_the_role_knows_every_variable_of_its_specification() -> None:
    assert evaluate("__vllm_deploy_types") == {name: option["type"] for name, option in specified().items()}


def test_two_environments_in_one_run_are_refused() -> None:
    development, production = (str(INVENTORIES / name) for name in ("development", "production"))
    (refusal,) = refusals(ansible_inventory_sources=(development, f"{production}/hosts.yml"))
    assert refusal.startswith(f"This run mixes {development}/group_vars/vllm.yml and {production}/group_vars/vllm.yml.")


def test_the_directory_above_them_is_refused() -> None:
    (refusal,) = refusals(ansible_inventory_sources=(str(INVENTORIES),))
    assert refusal.startswith(f"This run mixes {INVENTORIES}/development/group_vars/vllm.yml and ")


def test_an_environment_beside_another_inventory_is_not() -> None:
    sources = (str(INVENTORIES / "production" / "hosts.yml"), str(INVENTORIES / "production"), "/etc/ansible/hosts")
    assert refusals(ansible_inventory_sources=sources) == []


def test_a_source_with_a_misspelt_key_does_not_open_a_whole_namespace() -> None:
    source = {"namespace": "api", "labels": {"app": "router"}}
    (refusal,) = refusals(vllm_deploy_network_policy_allowed_sources=[source])
    assert "labels" in refusal
    assert refusals(vllm_deploy_network_policy_allowed_sources=[{"pod_labels": {"app": "router"}}])
