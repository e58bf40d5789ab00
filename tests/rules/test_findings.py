# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule about a release is tried: there is a test that knows its name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from ansible_collections.ai_aas.vllm.tests.rules.checkout import below, text

WORDS = {word for path in below("tests") if path.suffix == ".py" for word in re.findall(r"[a-z][a-z0-9-]+", text(path))}


def rules(source: str) -> Iterator[str]:
    """The names of the rules that a file has, as literals."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            named = [word.value for word in node.keywords if word.arg == "rule"]
            first = node.args[:1] if node.func.id in ("_error", "_warning", "_of_error") else []
            yield from (one.value for one in [*named, *first] if isinstance(one, ast.Constant))


ALL = sorted({name for path in below("plugins", "module_utils") if path.suffix == ".py" for name in rules(text(path))})


@pytest.mark.parametrize("name", ALL)
def test_every_rule_is_tried(name: str) -> None:
    tried = name in WORDS
    assert tried


def test_there_are_rules() -> None:
    assert {"strategy-half", "too-large", "parallelism", "secret"} <= set(ALL)
