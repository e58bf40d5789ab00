# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the playbooks would work on, seen by ansible-playbook itself. A misspelt variable ends them before they need a
cluster."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import CHECKOUT

BOTH = {"llama-2-7b", "llama-2-70b"}
MISSPELT = ("-e", "vllm_deploy_replcas=3")


def play(*arguments: str) -> str:
    """What a playbook on the development inventory prints. It has to fail."""
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventories/development", *arguments]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 2, run.stdout + run.stderr
    return " ".join((run.stdout + run.stderr).split())


def reached(printed: str) -> set[str]:
    """The hosts that came as far as the refusal of the misspelt variable."""
    return set(re.findall(r"fatal: \[([^]]+)\]: FAILED! => changed: false msg: The role vllm_deploy has no", printed))


@pytest.mark.parametrize("playbook", ["ai_aas.vllm.remove", "playbooks/remove.yml"])
def test_remove_wants_to_be_told_what(playbook: str) -> None:
    printed = play(playbook, *MISSPELT)
    assert "Nothing says which servers to remove." in printed
    assert reached(printed) == set()


@pytest.mark.parametrize("told", [("--limit", "llama-2-70b"), ("-e", "vllm_hosts=llama-2-70b")])
@pytest.mark.parametrize("playbook", ["ai_aas.vllm.remove", "playbooks/deploy.yml"])
def test_who_is_told_takes_what_is_named(playbook: str, told: tuple[str, str]) -> None:
    assert reached(play(playbook, *told, *MISSPELT)) == {"llama-2-70b"}


@pytest.mark.parametrize(
    ("serial", "first"),
    [((), {"llama-2-7b"}), (("-e", "vllm_serial=100%"), BOTH), (("-e", '{"vllm_serial": [2]}'), BOTH)],
)
def test_one_server_goes_first_and_stops_the_rest_when_it_fails(serial: tuple[str, ...], first: set[str]) -> None:
    assert reached(play("ai_aas.vllm.deploy", *serial, *MISSPELT)) == first
