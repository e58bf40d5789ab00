# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written for operators about causes: every cause is there, and every variable exists."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes import cluster
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.diagnosis import LOG

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/troubleshooting.md").read_text()
TABLES = PAGE.partition("## All causes")[2]
ENDS = (*cluster.EXITS.values(), cluster.OUT_OF_MEMORY, cluster.NODE_LOST, cluster.STARTUP_TOO_SLOW)


def test_every_cause_is_in_the_tables() -> None:
    explained = re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`[^|]+) \|", TABLES, re.MULTILINE)))
    assert sorted({row.id for row in (*LOG, *cluster.EVENTS, *ENDS)} - set(explained)) == []
    assert sorted(explained) == sorted(set(explained))


def test_every_variable_exists() -> None:
    defaults = yaml.safe_load((ROOT / "roles/vllm_deploy/defaults/main.yml").read_text())
    assert sorted(set(re.findall(r"vllm_deploy_\w+", PAGE)) - set(defaults)) == []
