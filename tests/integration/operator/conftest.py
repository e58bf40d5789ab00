# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.operator.bastion import Bastion
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import Project
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture(scope="session")
def bastion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bastion]:
    with Bastion(tmp_path_factory.mktemp("ssh")) as bastion:
        yield bastion


@pytest.fixture(scope="session")
def older() -> dict[str, str]:
    """The environment in which ansible-playbook is the oldest one that has to do."""
    programs = CHECKOUT / ".cache" / "older" / "bin"
    assert (programs / "ansible-playbook").exists(), "The oldest ansible-core is missing. Make it with `make older`."
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
