# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible makes of the role, without a play: its own loader, its own templating."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager
from ansible_collections.ai_aas.vllm.plugins.lookup.refusals import LookupModule
from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.plugins.plugin_utils.rendering import RenderingAction

CHECKOUT = Path(__file__).parents[3]
ROLE = CHECKOUT / "roles" / "vllm_deploy"
FIXED = {"inventory_hostname": "llama-2-7b", "ansible_inventory_sources": ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """`task`: options of the one task, as its module understands them. `objects`: what its templates render to."""

    task: dict[str, Any]
    objects: list[dict[str, Any]]

    def one(self, kind: str) -> dict[str, Any]:
        (found,) = (each for each in self.objects if each["kind"] == kind)
        return found

    def pod(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    def container(self) -> dict[str, Any]:
        (found,) = self.pod()["containers"]
        return found


def specified() -> dict[str, dict[str, Any]]:
    """The role's variables, by name."""
    return role_file("meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def render(**variables: Any) -> Rendering:
    """The role on one host, with variables as `-e` gives them. Not to be changed: who asks again gets the same."""
    return _rendered(json.dumps(variables))


def refusals(entry_point: str = "main", **variables: Any) -> list[str]:
    """Why the role refuses these variables."""
    templar = templar_of(FIXED | variables)
    return LookupModule(templar=templar).run([entry_point], templar.available_variables)


def evaluate(expression: str, **variables: Any) -> Any:
    """An expression over the role's variables, internal ones included."""
    return templar_of(FIXED | variables).template(trust_as_template("{{ " + expression + " }}"))


def inventory(name: str, host: str) -> dict[str, Any]:
    """The variables that one of the shipped inventories gives a host."""
    hosts = InventoryManager(loader=loader(), sources=[str(CHECKOUT / "inventories" / name)])
    found = hosts.get_host(host)
    assert found is not None, f"{name} has no host {host}"
    known = VariableManager(loader=loader(), inventory=hosts).get_vars(host=found)
    return {key: value for key, value in known.items() if key in FIXED or key.startswith("vllm_")}


@cache
def loader() -> DataLoader:
    return DataLoader()


@cache
def role_file(name: str) -> Any:
    return loader().load_from_file(str(ROLE / name), trusted_as_template=True)


def role_vars() -> dict[str, Any]:
    """All files of vars/main, as Ansible loads them."""
    files = sorted((ROLE / "vars" / "main").iterdir())
    return {name: value for file in files for name, value in role_file(f"vars/main/{file.name}").items()}


def templar_of(variables: dict[str, Any]) -> Templar:
    layers = role_file("defaults/main.yml"), variables, role_vars(), {"role_path": str(ROLE)}
    return Templar(loader=loader(), variables={name: value for layer in layers for name, value in layer.items()})


@cache
def _rendered(variables: str) -> Rendering:
    templar = templar_of(FIXED | json.loads(variables))
    task = templar.template(role_file("tasks/main.yml")[-1]["ai_aas.vllm.vllm_release"])
    understood = ArgumentSpecValidator(**options.RELEASE).validate(json.loads(json.dumps(task)))
    assert not understood.error_messages, understood.error_messages
    return Rendering(task=understood.validated_parameters, objects=objects(templar, task["template"]))


def objects(templar: Templar, templates: list[str]) -> list[dict[str, Any]]:
    """What the action makes of the role's templates."""
    task = SimpleNamespace(args={"template": templates}, get_search_path=lambda: [str(ROLE)])
    action = _Renders(task, None, None, loader(), templar)
    return [body for body in action.run(task_vars=templar.available_variables)["objects"] if body]


class _Renders(RenderingAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002 - its base class has it
        return {"objects": self._objects(self._task.args["template"], task_vars or {})}
