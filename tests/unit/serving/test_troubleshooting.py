# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written for operators about causes: every cause is there, and every variable exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import doom
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes import cluster
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.diagnosis import LOG, MESSAGES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/troubleshooting.md").read_text()
TABLES = PAGE.partition("## All causes")[2]
ENDS = (*cluster.EXITS.values(), cluster.OUT_OF_MEMORY, cluster.NODE_LOST, cluster.STARTUP_TOO_SLOW)


ENGINE = [(ROOT / f"plugins/module_utils/release/{name}.py").read_text() for name in ("doom", "overdue")]


def found_by_the_engine() -> set[str]:
    """The causes that it names without knowing vLLM."""
    nodes = (node for source in ENGINE for node in ast.walk(ast.parse(source)))
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {word for word in words if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", word)} - set(doom.VERDICTS)


def test_every_cause_is_in_the_tables() -> None:
    explained = re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`[^|]+) \|", TABLES, re.MULTILINE)))
    known = {row.id for row in (*LOG, *MESSAGES, *ENDS)}
    engine = found_by_the_engine()
    assert {"pod_not_ending", "quota_exceeded", "readiness_failed", "image_never_pulled"} <= engine
    assert sorted((known | engine) - set(explained)) == []
    assert sorted(explained) == sorted(set(explained))


def test_every_variable_exists() -> None:
    defaults = yaml.safe_load((ROOT / "roles/vllm_deploy/defaults/main.yml").read_text())
    assert sorted(set(re.findall(r"vllm_deploy_\w+", PAGE)) - set(defaults)) == []
