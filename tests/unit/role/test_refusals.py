# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role refuses before it touches anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.template import trust_as_template as template
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import CHECKOUT, refusals

INVENTORIES = CHECKOUT / "inventories"


def test_an_unknown_variable_is_refused_by_name() -> None:
    (refusal,) = refusals(vllm_deploy_replcas=3, vllm_deploy_pipeline=2)
    assert refusal.startswith(
        "The role vllm_deploy has no variable vllm_deploy_pipeline, vllm_deploy_replcas (is it vllm_deploy_replicas?). "
    )


def test_variables_of_others_are_none_of_its_business() -> None:
    assert refusals(vllm_hosts="all", vllm_serial="100%", replicas=3) == []


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


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        (
            {"vllm_deploy_replicas": "two"},
            "Argument 'vllm_deploy_replicas' is of type str and",
        ),
        ({"vllm_deploy_on_failure": "retry"}, "Value of vllm_deploy_on_failure must be one of: rollback, hold, stop"),
        ({"vllm_deploy_image_tag": template("{{ release.tag }}")}, "vllm_deploy_image_tag: 'release' is undefined"),
        ({"vllm_deploy_extra_args": [template("{{ one }}")]}, "vllm_deploy_extra_args: 'one' is undefined. Correct"),
    ],
)
def test_what_is_not_of_its_type_is_refused(variables: dict[str, object], what: str) -> None:
    (refusal,) = refusals(**variables)
    assert refusal.startswith(f"The variables of the role vllm_deploy are not valid. {what}")
    assert refusal.endswith(". Correct them; the README of the role lists what they are.")


def test_what_cannot_be_worked_out_is_no_wrong_type_besides() -> None:
    (refusal,) = refusals(vllm_deploy_gpus=template("{{ size }}"))
    assert "'size' is undefined" in refusal
    assert "is of type" not in refusal


def test_what_is_omitted_is_not_wrong() -> None:
    assert refusals(vllm_deploy_wait_timeout=template("{{ seconds | default(omit) }}")) == []


def test_who_only_looks_is_not_kept_from_it_by_a_variable_that_does_not_matter() -> None:
    assert refusals(entry_point="status", vllm_deploy_replicas="two") == []
    assert refusals(entry_point="status", vllm_deploy_replcas=2) != []


def test_hosts_on_the_command_line_are_no_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVENTORIES / "development")
    assert refusals(ansible_inventory_sources=("llama-2-7b,", str(INVENTORIES / "production"))) == []


def test_an_inventory_that_kubernetes_has_mounted_is_one(tmp_path: Path) -> None:
    """A ConfigMap's files are links into a directory with a dot."""
    (tmp_path / "..2026_01_01" / "group_vars").mkdir(parents=True)
    (tmp_path / "..2026_01_01" / "group_vars" / "vllm.yml").write_text("vllm_deploy_environment: staging")
    (tmp_path / "group_vars").symlink_to("..2026_01_01/group_vars")
    assert refusals(ansible_inventory_sources=(str(tmp_path),)) == []
