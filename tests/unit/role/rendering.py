# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible makes of the role, without running a play: its own loader, its own templating, its own argument check."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

CHECKOUT = Path(__file__).parents[3]
ROLE = CHECKOUT / "roles" / "vllm_deploy"
HOST = "llama-2-7b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    refusals: list[str]
    """Messages of the argument check and of tasks/refuse.yml; nothing else is filled in where there are any."""
    task: dict[str, Any]
    """Arguments of the one task."""
    objects: list[dict[str, Any]]
    """Kubernetes objects of its templates, in their order."""

    def one(self, kind: str) -> dict[str, Any]:
        (found,) = (each for each in self.objects if each["kind"] == kind)
        return found

    def container(self) -> dict[str, Any]:
        (found,) = self.one("Deployment")["spec"]["template"]["spec"]["containers"]
        return found


@cache
def loader() -> DataLoader:
    init_plugin_loader([])
    return DataLoader()


@cache
def role_file(name: str) -> Any:
    return loader().load_from_file(str(ROLE / name), trusted_as_template=True)


def render(**variables: Any) -> Rendering:
    """The role on one host, with variables as `-e` gives them."""
    return _render({"inventory_hostname": HOST, "ansible_inventory_sources": ()} | variables)


def render_inventory(name: str, host: str, **variables: Any) -> Rendering:
    """The role on a host of one of the shipped inventories."""
    inventory = InventoryManager(loader=loader(), sources=[str(CHECKOUT / "inventories" / name)])
    manager = VariableManager(loader=loader(), inventory=inventory)
    found = inventory.get_host(host)
    assert found is not None, f"{name} has no host {host}"
    return _render(manager.get_vars(host=found) | variables)


def _render(variables: dict[str, Any]) -> Rendering:
    known = {**role_file("defaults/main.yml"), **variables, **role_file("vars/main.yml"), "role_path": str(ROLE)}
    templar = Templar(loader=loader(), variables=known)
    refusals = _misfits(templar, known) or _refusals(templar)
    if refusals:
        return Rendering(refusals=refusals, task={}, objects=[])
    task = templar.template(role_file("tasks/main.yml")[-1]["ai_aas.vllm.vllm_release"])
    texts = [(ROLE / "templates" / name).read_text(encoding="utf-8") for name in task["template"]]
    rendered = [templar.template(trust_as_template(text), escape_backslashes=False) for text in texts]
    objects = [each for text in rendered for each in yaml.safe_load_all(text or "") if each]
    return Rendering(refusals=[], task=task, objects=objects)


def _misfits(templar: Templar, known: dict[str, Any]) -> list[str]:
    options = role_file("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    given = templar.template({name: known[name] for name in options if name in known})
    return ArgumentSpecValidator(templar.template(options)).validate(given, validate_role_argument_spec=True).error_messages


def _refusals(templar: Templar) -> list[str]:
    """Messages of those assertions that fail. Ansible fills in the message of every one, also where it holds."""
    asserts = [task["ansible.builtin.assert"] for task in role_file("tasks/refuse.yml")]
    judged = [(templar.evaluate_conditional(each["that"]), templar.template(each["fail_msg"])) for each in asserts]
    return [message for holds, message in judged if not holds]
