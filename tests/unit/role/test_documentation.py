# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables stand in three places, which have to agree."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import ROLE, role_file, specified


def cell(default: Any) -> str:
    """A default as the README writes it."""
    if default is None:
        return "unset"
    text = default if isinstance(default, str) else json.dumps(default)
    return f"`{text}`" if text else "empty"


def test_defaults_are_those_of_the_specification_in_the_same_order() -> None:
    assert list(role_file("defaults/main.yml").items()) == [
        (name, option["default"]) for name, option in specified().items()
    ]


def test_the_readme_has_the_same_variables_defaults_and_descriptions_in_the_same_order() -> None:
    text = (ROLE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(vllm_deploy_\w+)` \| (.*?) (?<!\\)\| (.*) \|$", text, re.MULTILINE)
    found = [[part.replace(r"\|", "|") for part in row] for row in rows]
    assert found == [[name, cell(option["default"]), option["description"]] for name, option in specified().items()]


@pytest.mark.parametrize("name", specified())
def test_every_variable_is_explained_where_it_is_set(name: str) -> None:
    lines = (ROLE / "defaults" / "main.yml").read_text(encoding="utf-8").splitlines()
    (place,) = (number for number, line in enumerate(lines) if line.startswith(f"{name}:"))
    assert lines[place - 1].startswith("# ")
