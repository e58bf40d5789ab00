# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is said to have made a revision."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.plugin_utils.in_process import provenance, unforeseen

HERE = {"host": socket.gethostname()}
AWX = {
    "awx_user_name": "ann",
    "awx_job_id": 42,
    "awx_job_template_name": "Deploy",
    "awx_project_revision": "3aba440",
    "awx_schedule_id": 1,
}


@pytest.mark.parametrize(
    ("task_vars", "known"),
    [
        ({}, {}),
        (
            {"ansible_play_name": "Deploy vLLM servers", "inventory_file": "/i/hosts.yml", "inventory_dir": "/i"},
            {"play": "Deploy vLLM servers", "inventory": "/i/hosts.yml"},
        ),
        ({"inventory_file": None, "inventory_dir": "/i"}, {"inventory": "/i"}),
        (
            AWX,
            {
                "awx_user_name": "ann",
                "awx_job_id": "42",
                "awx_job_template_name": "Deploy",
                "awx_project_revision": "3aba440",
            },
        ),
        ({"awx_user_name": ""}, {}),
    ],
)
def test_provenance(monkeypatch: pytest.MonkeyPatch, task_vars: dict[str, Any], known: dict[str, str]) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert provenance(task_vars) == HERE | {"user": "ann"} | known


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert provenance({})["user"] == str(os.getuid())


def test_what_nobody_has_foreseen_is_a_sentence_without_a_traceback() -> None:
    assert unforeseen(KeyError("spec")) == (
        "KeyError: 'spec'. This is a defect of ai_aas.vllm, or something it did not foresee. "
        "Run it again with -vvv and report what it prints."
    )
