# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable, another value, and everything that this changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    variable: str
    value: Any
    changes: Mapping[str, Any]
    """New value by path, as in paths.py; None where the path is gone."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Other variables that have to be set for this one to matter."""
    chart: str = ""
    """The chart's name of the parameter."""

    @property
    def name(self) -> str:
        return f"vllm_deploy_{self.variable}"

    @property
    def before(self) -> dict[str, Any]:
        return {f"vllm_deploy_{variable}": value for variable, value in self.given.items()}

    @property
    def after(self) -> dict[str, Any]:
        return self.before | {self.name: self.value}


def row(variable: str, value: Any, changes: Mapping[str, Any], *, chart: str = "", **given: Any) -> Row:
    return Row(variable=variable, value=value, changes=changes, given=given, chart=chart)
