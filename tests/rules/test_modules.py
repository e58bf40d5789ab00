# SPDX-License-Identifier: GPL-3.0-or-later
"""A module, its action and the action group belong together. (That a module's documentation says what its argument spec
says is checked by ansible-test's validate-modules, in `make sanity`.)"""

from __future__ import annotations

import importlib
import runpy
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from ansible_collections.ai_aas.vllm.plugins.module_utils import as_module
from ansible_collections.ai_aas.vllm.tests.rules.checkout import ROOT, below, text

COLLECTION = "ai_aas.vllm"
PACKAGE = "ansible_collections.ai_aas.vllm"


def names(kind: str) -> set[str]:
    return {path.stem for path in below("plugins", kind) if path.suffix == ".py"}


def unequal(**named: Iterable[str]) -> list[str]:
    """One sentence for each name that is in some of the sets and not in others."""
    sets = {where: set(names) for where, names in named.items()}
    return [
        f"{name} is missing in {where}"
        for name in sorted(set().union(*sets.values()))
        for where, there in sets.items()
        if name not in there
    ]


def test_every_module_has_its_action_and_is_in_the_group() -> None:
    runtime = yaml.safe_load(text(next(path for path in below("meta") if path.name == "runtime.yml")))
    group = runtime["action_groups"]["vllm"]
    assert unequal(modules=names("modules"), actions=names("action"), action_group=group) == []


@pytest.mark.parametrize("name", sorted(names("modules")))
def test_module_and_action_do_the_same_with_the_same_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    action = importlib.import_module(f"{PACKAGE}.plugins.action.{name}").ActionModule
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(as_module, "run", lambda *arguments: calls.append(arguments))
    runpy.run_path(str(ROOT / "plugins" / "modules" / f"{name}.py"), run_name="__main__")
    assert calls == [(action.OPERATION, action.OPTIONS)]
    assert f"{COLLECTION}.{name}" == action.MODULE


def test_a_module_without_action_is_found() -> None:
    assert unequal(modules=["a", "b"], actions=["a"], action_group=["a", "b"]) == ["b is missing in actions"]
    assert unequal(modules=["a"], actions=["a"], action_group=[]) == ["a is missing in action_group"]
