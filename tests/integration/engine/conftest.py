# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine without Ansible around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace


@pytest.fixture
def run(kubeconfig: Path, namespace: Namespace) -> Callable[[Command], Run]:
    """Carries a command out in the test's namespace."""
    return lambda command: command.run(kubeconfig, namespace.name)


@pytest.fixture
def done(run: Callable[[Command], Run]) -> Callable[[Command], Run]:
    """The same for commands that have to succeed."""

    def carried_out(command: Command) -> Run:
        finished = run(command)
        assert not finished.result.get("failed"), f"{finished.message}\n{finished.told}"
        return finished

    return carried_out
