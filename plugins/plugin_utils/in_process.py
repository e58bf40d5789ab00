# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that carries out its operation inside ansible-playbook.

A module costs a third of a second of packing, unpacking and importing for each task, and cannot speak while it works.
With a local connection neither is needed: the operation runs in the worker process. On any other connection
(`delegate_to` a bastion) the module of the same name does it over there."""

from __future__ import annotations

import getpass
import json
import os
import socket
import traceback
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller, Operation, perform

display = Display()
LOCAL = ("local", "ansible.builtin.local")
AWX = ("user_name", "job_id", "job_template_name", "project_revision")


class InProcessAction(ActionBase):
    """Subclasses say which: `MODULE` (its full name), `OPTIONS` (see options.py) and `OPERATION`."""

    MODULE: str
    OPTIONS: dict[str, Any]
    OPERATION: Operation

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._with_definition(task_vars)
        if self._connection.transport not in LOCAL:
            arguments["provenance"] = provenance(task_vars) | (arguments.get("provenance") or {})
            result.update(self._execute_module(module_name=self.MODULE, module_args=arguments, task_vars=task_vars))
            for line in result.pop("progress", []):
                self._tell(arguments, line)
            return result
        params, secrets = self._validated(arguments)
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        os.environ.update(environment)  # this worker lives for one task
        caller = Caller(
            check_mode=self._task.check_mode,
            console=lambda line: self._tell(params, line),
            environ=os.environ,
            by=provenance(task_vars),
        )
        try:
            outcome = perform(type(self).OPERATION, params, caller)
        except Exception as error:  # noqa: BLE001 - whatever nobody foresaw: a sentence for the user, a traceback for -vvv
            display.vvv(traceback.format_exc())
            outcome = {"failed": True, "msg": unforeseen(error)}
        for warning in outcome.pop("warnings", []):
            display.warning(warning)
        result.update(remove_values(outcome, secrets))
        return result

    def _validated(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        options = dict(self.OPTIONS)
        validator = ArgumentSpecValidator(options.pop("argument_spec"), **options)
        # Ansible tags its strings and numbers; yaml.safe_dump and type checks want plain ones.
        validated = validator.validate(json.loads(json.dumps(arguments)))
        if validated.error_messages:
            raise AnsibleActionFail(f"The task's options are not valid. {'; '.join(validated.error_messages)}.")
        # The one place where Ansible collects them; AnsibleModule reads it in the same way.
        return validated.validated_parameters, validated._no_log_values  # noqa: SLF001

    def _with_definition(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments with `template` rendered into `definition`, which only the controller can do."""
        arguments = dict(self._task.args)
        templates = arguments.pop("template", None)
        if templates is None:
            return arguments
        if "definition" in arguments:
            raise AnsibleActionFail("Both template and definition are given. They exclude each other. Leave one out.")
        paths = [templates] if isinstance(templates, str) else templates
        arguments["definition"] = [body for path in paths for body in self._rendered(path, task_vars)]
        return arguments

    def _rendered(self, path: str, task_vars: dict[str, Any]) -> list[Any]:
        try:
            source = self._find_needle("templates", path)
            text = trust_as_template(self._loader.get_text_file_contents(source))
        except AnsibleError as error:
            raise AnsibleActionFail(f"The template {path} cannot be read. {error}") from error
        directories = [os.path.dirname(source), *self._loader_path(task_vars)]
        templar = self._templar.copy_with_new_env(searchpath=directories, available_variables=task_vars)
        try:
            rendered = templar.template(text, escape_backslashes=False)
        except AnsibleError as error:
            raise AnsibleActionFail(f"The template {path} cannot be rendered. {error}") from error
        try:
            return list(yaml.safe_load_all(str(rendered or "")))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1} of what it renders to" if mark else ""
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise AnsibleActionFail(
                f"The template {path} does not render to YAML. {problem}{where}. Correct the template."
            ) from error

    def _loader_path(self, task_vars: dict[str, Any]) -> list[str]:
        return [os.path.join(base, "templates") for base in task_vars.get("ansible_search_path", [])]

    def _tell(self, params: dict[str, Any], line: str) -> None:
        # stderr: on stdout it would break callbacks that print JSON, and hang the play behind a pipe that was closed.
        if not self._task.no_log:
            display.display(f"[{params['name']}] {line}", stderr=True)


def provenance(task_vars: dict[str, Any]) -> dict[str, str]:
    """Who runs this: the person and the host, the play and the inventory, and AWX's job where there is one (it hands
    these over as extra variables)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in many containers
        user = str(os.getuid())
    known = {
        "user": user,
        "host": socket.gethostname(),
        "play": task_vars.get("ansible_play_name"),
        "inventory": task_vars.get("inventory_file") or task_vars.get("inventory_dir"),
    }
    known |= {f"awx_{name}": task_vars.get(f"awx_{name}") for name in AWX}
    return {key: str(value) for key, value in known.items() if value}


def unforeseen(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {error}. This is a defect of ai_aas.vllm, or something it did not foresee. "
        "Run it again with -vvv and report what it prints."
    )
