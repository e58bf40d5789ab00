# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jinja2 import Environment


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Ansible compiles a template each time it meets it, which would be two thirds of the time these tests take."""
    compile_template, compiled = Environment.compile, {}

    def compile_once(self: Environment, source: Any, *settings: Any) -> Any:
        key = (str(source), settings)
        if key not in compiled:
            compiled[key] = compile_template(self, source, *settings)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        yield
