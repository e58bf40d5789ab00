# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that carries out its operation inside ansible-playbook.

A module costs a third of a second of packing, unpacking and importing for each task, and cannot speak while it works.
With a local connection neither is needed: the operation runs in the worker process. On any other connection
(`delegate_to` a bastion) the module of the same name does it over there."""

from __future__ import annotations

import gc
import getpass
import json
import os
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.utils.display import Display
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import (
    Caller,
    Operation,
    perform,
    unforeseen,
)
from ansible_collections.ai_aas.vllm.plugins.plugin_utils.rendering import RenderingAction

display = Display()
LOCAL = ("local", "ansible.builtin.local")
AWX = ("user_name", "job_id", "job_template_name", "project_revision")


class InProcessAction(RenderingAction):
    """Subclasses say which: `MODULE` (its full name), `OPTIONS` (see options.py) and `OPERATION`."""

    MODULE: str
    OPTIONS: dict[str, Any]
    OPERATION: Operation

    def __init_subclass__(cls) -> None:
        # ansible-playbook imports a plugin and then forks a worker for each task and host. What is there by now stays:
        # no garbage collection, here or in a worker, need visit it (and thereby copy the memory it lies in) again.
        gc.freeze()

    _supports_async = True  # as far as ansible-core is concerned: refused below, with a reason

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.async_val:
            raise AnsibleActionFail(
                f"{self.MODULE} does not run in the background. It ends with the playbook that started it, so that "
                "nothing changes a server unseen. Leave async out; hosts are worked on side by side without it."
            )
        arguments = self._with_definition(task_vars)
        params, secrets = self._validated(arguments)
        if self._connection.transport in LOCAL:
            outcome = self._in_process(params, task_vars)
        else:
            if "provenance" in params:
                arguments["provenance"] = provenance(task_vars) | params["provenance"]
            outcome = self._execute_module(module_name=self.MODULE, module_args=arguments, task_vars=task_vars)
            for line in outcome.pop("progress", []):
                self._tell(params, line)
        result.update(remove_values(outcome, secrets))
        return result

    def _in_process(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        with self._environment():
            caller = Caller(
                check_mode=self._task.check_mode,
                console=lambda line: self._tell(params, line),
                environ=os.environ,
                by=provenance(task_vars),
                parent=os.getppid(),
            )
            try:
                outcome = perform(type(self).OPERATION, params, caller)
            except Exception as error:  # noqa: BLE001 - nobody foresaw it: a sentence for all, a traceback for -vvv
                self._warn(display.vvv, traceback.format_exc())
                outcome = {"failed": True, "msg": unforeseen(error)}
        for warning in outcome.pop("warnings", []):
            self._warn(display.warning, warning)
        return outcome

    @contextmanager
    def _environment(self) -> Iterator[None]:
        """The task's `environment`, for us and for the credential plugins that we start."""
        given: dict[str, str] = {}
        self._compute_environment_string(given)
        before = dict(os.environ)
        os.environ.update(given)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def _validated(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        options = dict(self.OPTIONS)
        validator = ArgumentSpecValidator(options.pop("argument_spec"), **options)
        # Ansible tags its strings and numbers; yaml.safe_dump and type checks want plain ones. YAML makes dates of what
        # looks like one, and Kubernetes knows none.
        validated = validator.validate(json.loads(json.dumps(arguments, default=str)))
        if validated.error_messages:
            # Its own message for these lists every option there is.
            wrong = [error.msg for error in validated.errors.errors if not isinstance(error, UnsupportedError)]
            unknown = sorted(
                ".".join(name) if isinstance(name, tuple) else name for name in validated.unsupported_parameters
            )
            wrong += [f"there is no option {', '.join(unknown)}"] if unknown else []
            raise AnsibleActionFail(
                f"The options of {self.MODULE} are not valid. {'; '.join(wrong)[:1].upper()}{'; '.join(wrong)[1:]}. "
                f"Correct them; ansible-doc {self.MODULE} tells what they are."
            )
        # The one place where Ansible collects them; AnsibleModule reads it in the same way.
        return validated.validated_parameters, validated._no_log_values  # noqa: SLF001

    def _with_definition(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments with `template` rendered into `definition`, which only the controller can do."""
        arguments = dict(self._task.args)
        paths = arguments.pop("template", None)
        if paths is None:
            return arguments
        if "definition" in arguments:
            raise AnsibleActionFail("Both template and definition are given. They exclude each other. Leave one out.")
        paths = [paths] if isinstance(paths, str) else paths
        arguments["definition"] = self._objects(paths, task_vars)
        return arguments

    def _tell(self, params: dict[str, Any], line: str) -> None:
        # stderr: on stdout it would break callbacks that print JSON, and hang the play behind a pipe that was closed.
        if not self._task.no_log:
            about = params.get("name") or params.get("namespace") or params["url"]
            display.display(f"[{about}] {line}", stderr=True)

    def _warn(self, say: Any, text: str) -> None:
        if not self._task.no_log:
            say(text)


def provenance(task_vars: dict[str, Any]) -> dict[str, str]:
    """Who runs this: the person (under AWX theirs, not that of its container) and the host, the play and the inventory,
    and AWX's job where there is one (it hands these over as extra variables)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in many containers
        user = str(os.getuid())
    known = {
        "user": task_vars.get("awx_user_name") or user,
        "host": socket.gethostname(),
        "play": task_vars.get("ansible_play_name"),
        "inventory": task_vars.get("inventory_file") or task_vars.get("inventory_dir"),
    }
    known |= {f"awx_{name}": task_vars.get(f"awx_{name}") for name in AWX}
    return {key: str(value) for key, value in known.items() if value}
