# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the result of every task to a file, one JSON document a line, and leaves the terminal as a user has it."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: results
type: notification
short_description: Results of all tasks in a file
description:
  - Writes the result of every task to the file that the environment variable TEST_RESULTS names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible ships no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002 - Ansible's signature
        self._write("failed", result)

    @staticmethod
    def _write(status: str, result: Any) -> None:
        line = {"host": result.host.name, "action": result.task.action, "status": status, "result": result.result}
        with open(os.environ["TEST_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")
