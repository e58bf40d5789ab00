# SPDX-License-Identifier: GPL-3.0-or-later
"""A small project of a user's own: one play with the tasks that a test needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.ai_aas.vllm.tests.integration.playbook import Run, play

HERE = Path(__file__).parent
SERVER = "server.yml.j2"
RELEASE, ROLLBACK, INFO, HEALTH, PREFLIGHT = (
    f"ai_aas.vllm.vllm_{name}" for name in ("release", "rollback", "release_info", "health", "preflight")
)

# What tests use where a secret is wanted.
SECRETS = ("secret-token", "secret\ntoken", ":secret@")

Task = dict[str, Any]


class Project:
    """A directory with a playbook, templates and an inventory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "templates").mkdir()
        shutil.copy(HERE / SERVER, folder / "templates")
        self.inventory: dict[str, Any] = {"all": {"hosts": {"here": {"ansible_connection": "local"}}}}

    def template(self, name: str, text: str) -> Path:
        path = self.folder / "templates" / name
        path.write_text(text)
        return path

    def write(self, *tasks: Task, **play_keywords: Any) -> Path:
        """A playbook with these tasks for all hosts."""
        content = {"hosts": "all", "gather_facts": False, "tasks": list(tasks)} | play_keywords
        (self.folder / "hosts.yml").write_text(json.dumps(self.inventory))
        path = self.folder / "playbook.yml"
        path.write_text(yaml.safe_dump([content], sort_keys=False))
        return path

    def run(self, *tasks: Task, options: tuple[str, ...] = (), environment: Mapping[str, str] | None = None) -> Run:
        return self.play(self.write(*tasks), *options, environment=environment)

    def play(self, playbook: Path, *options: str, **settings: Any) -> Run:
        return play(playbook, *options, inventory=self.folder / "hosts.yml", **settings)

    def message(self, task: Task, environment: Mapping[str, str] | None = None) -> str:
        """What a task that must fail says. Nothing that is printed shows a traceback or a secret."""
        run = self.run(task, environment=environment)
        assert not run.succeeded, run.told
        assert "Traceback" not in run.told
        assert not any(secret in run.told for secret in SECRETS), run.told
        (result,) = [each["result"] for each in run.results if each["status"] == "failed"]
        return str(result["msg"])


def release(namespace: str, **options: Any) -> Task:
    """Options that are None are left out."""
    wanted = {"name": "small", "namespace": namespace, "template": [SERVER]} | options
    return {RELEASE: {name: value for name, value in wanted.items() if value is not None}}


def info(namespace: str, **options: Any) -> Task:
    return {INFO: {"namespace": namespace} | options}


def health(namespace: str, **options: Any) -> Task:
    return {HEALTH: {"name": "small", "namespace": namespace} | options}


def preflight(namespace: str, **options: Any) -> Task:
    return {PREFLIGHT: {"name": "small", "namespace": namespace, "template": [SERVER]} | options}
