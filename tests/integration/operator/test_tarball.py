# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it is published: built, installed into an empty directory, and used from there."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT

PATIENCE = 120


class Installed:
    """A home and a collections directory with nothing in them but what a user installs."""

    def __init__(self, folder: Path) -> None:
        self.collections = folder / "collections"
        self.root = self.collections / "ansible_collections" / "ai_aas" / "vllm"
        (folder / "home").mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
        self.environment = kept | {"HOME": str(folder / "home"), "ANSIBLE_COLLECTIONS_PATH": str(self.collections)}
        self.environment |= {"ANSIBLE_NOCOLOR": "1", "PAGER": "cat"}
        self.folder = folder

    def run(self, *command: str, succeeds: bool = True, **environment: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done.stdout

    def documentation(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("ansible-doc", "--json", "-t", kind, name))
        assert list(found) == [name]
        return dict(found[name])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("user")
    build = ["ansible-galaxy", "collection", "build", "--output-path", str(folder)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True, timeout=PATIENCE)
    (tarball,) = folder.glob("ai_aas-vllm-*.tar.gz")
    installed = Installed(folder)
    options = ["--offline", "--no-deps", "-p", str(installed.collections)]
    installed.run("ansible-galaxy", "collection", "install", str(tarball), *options)
    (installed.collections / "ansible_collections" / "kubernetes").mkdir()
    (core,) = (Path(part) for part in [os.environ["ANSIBLE_COLLECTIONS_PATH"]])
    link = installed.collections / "ansible_collections" / "kubernetes" / "core"
    link.symlink_to(core.resolve() / "ansible_collections" / "kubernetes" / "core")
    return installed


def test_the_example_inventory_runs(installed: Installed, namespace: Namespace, proxy: Proxy) -> None:
    inventory = str(installed.root / "inventories" / "development")
    placed = ("-i", inventory, "-e", f"vllm_deploy_namespace={namespace.name}")
    through = {"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)}
    told = installed.run("ansible-playbook", "ai_aas.vllm.deploy", "--check", "--diff", *placed, **through)
    assert "+kind: Deployment" in told
    assert "failed=0" in told
    assert proxy.writes() == []
    told = installed.run("ansible-playbook", "ai_aas.vllm.status", *placed, **through)
    assert "llama-2-7b   development  not deployed" in told


def test_every_module_is_documented(installed: Installed) -> None:
    names = [path.stem for path in (installed.root / "plugins" / "modules").glob("vllm_*.py")]
    assert len(names) >= 4
    for name in names:
        page = installed.documentation("module", f"ai_aas.vllm.{name}")
        assert page["doc"]["short_description"]
        assert page["doc"]["attributes"].keys() >= {"check_mode", "diff_mode", "idempotent", "async", "action_group"}
        assert page["return"]
        examples = yaml.safe_load(page["examples"])
        assert all(f"ai_aas.vllm.{name}" in task or "ansible.builtin.debug" in task for task in examples), examples


def test_the_role_and_the_filter_are_documented(installed: Installed) -> None:
    role = installed.documentation("role", "ai_aas.vllm.vllm_deploy")
    tasks = {path.stem for path in (installed.root / "roles" / "vllm_deploy" / "tasks").glob("*.yml")}
    assert role["entry_points"].keys() == tasks - {"read", "refuse"}
    assert installed.documentation("filter", "ai_aas.vllm.table")["doc"]["short_description"]


def test_an_execution_environment_is_told_what_it_needs(installed: Installed) -> None:
    needs = yaml.safe_load((installed.root / "meta" / "execution-environment.yml").read_text())
    listed = (installed.root / needs["dependencies"]["python"]).read_text()
    assert "kubernetes>=31" in listed
    assert "websocket-client" in listed


def test_nothing_of_the_workshop_is_in_it(installed: Installed) -> None:
    top = {path.name for path in installed.root.iterdir()}
    assert not top & {"tests", "molecule", "Makefile", "demo", ".ci", ".cache", ".venv", "pyproject.toml"}
