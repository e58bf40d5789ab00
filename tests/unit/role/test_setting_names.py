# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a rule wants changed, its message names the variable of the role that does it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import name_of
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import CHECKOUT, role_file, specified

UTILS = CHECKOUT / "plugins" / "module_utils"
RULES = (
    "release/definition.py",
    "release/lock.py",
    "release/room.py",
    "release/rules.py",
    "release/strategy.py",
    "serving/memory.py",
    "serving/rules.py",
    "operations/preflight.py",
    "operations/release.py",
)
# Placeholders in the names of settings, and what may stand there.
KINDS = {"resource": ("cpu", "memory"), "sort": ("request", "limit"), "flag": ("--swap-space",)}
NAMES = role_file("vars/main/setting_names.yml")["__vllm_deploy_setting_names"]


def settings(path: Path) -> Iterator[str]:
    """What stands as the setting of a finding in a file: the sixth word of a finding, or the fifth of `_error`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("_error", "_warning") and len(node.args) > 4:
                yield from texts(node.args[4])
            yield from (text for word in node.keywords if word.arg == "setting" for text in texts(word.value))
        if isinstance(node, ast.FunctionDef) and node.name in ("_culprit", "_setting"):
            for value in ast.walk(node):
                if isinstance(value, ast.Return) and value.value:
                    yield from texts(value.value)
                if isinstance(value, ast.Dict):
                    yield from (text for one in value.values for text in texts(one))


def texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.JoinedStr):
        yield from filled(node.values)


def filled(parts: list[ast.expr]) -> Iterator[str]:
    """Every text that an f-string may give."""
    if not parts:
        yield ""
        return
    first, *rest = parts
    if isinstance(first, ast.Constant):
        starts: tuple[str, ...] = (str(first.value),)
    else:
        (word,) = {name.id for name in ast.walk(first) if isinstance(name, ast.Name)} & KINDS.keys()
        starts = KINDS[word]
    yield from (start + end for start in starts for end in filled(rest))


@pytest.mark.parametrize("file", RULES)
def test_every_setting_is_a_variable(file: str) -> None:
    found = set(settings(UTILS / file))
    assert found, "a file of rules that want nothing changed"
    assert {setting for setting in found if not name_of(setting, NAMES)} == set()


def test_every_name_is_a_variable_of_the_role() -> None:
    assert set(NAMES.values()) - set(specified()) == set()


def test_a_flag_without_a_variable_of_its_own_is_an_extra_argument() -> None:
    assert name_of("--swap-space", NAMES) == "vllm_deploy_extra_args"
    assert name_of("--max-model-len", NAMES) == "vllm_deploy_max_model_len"
    assert name_of("probes", NAMES) == ""
    assert name_of("--swap-space", {}) == ""
