# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to render the role's templates. They say themselves, in test_objects.py and others, what they are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.plugin_utils.rendering import needed
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import FIXED, objects, role_vars, templar_of
from jinja2 import Environment


def test_no_expression_is_compiled_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling is what takes the time of a server that is unchanged."""
    compiled: Counter[str] = Counter()
    from_string = Environment.from_string

    def counted(self: Environment, source: Any, *settings: Any) -> Any:
        compiled[str(source)] += 1
        return from_string(self, source, *settings)

    monkeypatch.setattr(Environment, "from_string", counted)
    assert objects(templar_of(FIXED), role_vars()["__vllm_deploy_templates"])
    assert len(compiled) > 30, "the variables that stand behind filters of Ansible are among them"
    assert {source: times for source, times in compiled.items() if times > 1} == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ a | to_json }}", ["a"]),
        ("{{ c }}", ["a", "b", "c"]),
        ("{% if false %}{{ a }}{% endif %}", ["a"]),
        ("{% for a in b %}{{ a }}{% endfor %}", ["a", "b"]),
        ("{% for secret in b %}{{ secret }}{% endfor %}", ["a", "b"]),
        ("{% set secret = 1 %}{{ secret }}", []),
        ("{{ vars['secret'] }}", []),
        ("{{ loop_1 }}", ["loop_2", "loop_1"]),
        ("{{ unclosed", []),
        ("{{ nobody_knows }}", []),
    ],
)
def test_what_a_template_needs(text: str, names: list[str]) -> None:
    """Each behind what it is made of, and nothing else: working a variable out may ask a vault."""
    variables: dict[str, Any] = {
        "a": 1,
        "b": ["{{ a }}"],
        "c": {"key": "{{ b | first }}"},
        "secret": "{{ lookup('pipe', 'ask') }}",
        "loop_1": "{{ loop_2 }}",
        "loop_2": "{{ loop_1 }}",
    }
    assert list(needed([text], variables | {"vars": dict(variables)})) == names
