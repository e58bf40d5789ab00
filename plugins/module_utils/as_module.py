# SPDX-License-Identifier: GPL-3.0-or-later
"""An operation as an Ansible module: what happens when the connection of a task is not local."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import (
    Caller,
    Operation,
    perform,
    unforeseen,
)


def run(operation: Operation, spec: dict[str, Any]) -> None:
    """Carries it out and ends the process. Lines for a person come back as `progress`, since a module cannot speak."""
    module = AnsibleModule(supports_check_mode=True, **spec)
    progress: list[str] = []
    # The controller knows who is behind this task, and sends it along as provenance.
    caller = Caller(check_mode=module.check_mode, console=progress.append, environ=os.environ, by={})
    try:
        result = perform(operation, module.params, caller) | {"progress": progress}
    except Exception as error:  # noqa: BLE001 - nobody foresaw it: a sentence for all, a traceback for -vvv
        module.fail_json(msg=unforeseen(error), progress=progress)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
