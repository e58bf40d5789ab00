# SPDX-License-Identifier: GPL-3.0-or-later
"""A table that a person can read in a terminal, out of a list of results."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: table
short_description: Lines of a table
version_added: 0.1.0
author: ai-aas maintainers (@ai-aas)
description:
  - Turns a list of results into the lines of a table, for C(ansible.builtin.debug).
  - Columns are as wide as they need to be. Where that is too wide, the widest cells are shortened. Names lose their
    beginning, since an image is told apart by its tag; prose loses its end.
  - Times lose their seconds, V(true) and V(false) become C(yes) and C(no), what is missing becomes C(-).
positional: columns
options:
  _input:
    description: The rows.
    type: list
    elements: raw
    required: true
  columns:
    description:
      - The way to the value of each column in a row, by the column's heading. Keys are joined by dots, list items are
        named by their number.
    type: dict
    required: true
  width:
    description: Characters of the longest line.
    type: int
    default: 108
  wrap:
    description: Let the last column go on in the next line, instead of shortening it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the releases of a namespace
  ansible.builtin.debug:
    msg: "{{ seen.releases | ai_aas.vllm.table({'RELEASE': 'name', 'REVISION': 'summary', 'PODS': 'pods.summary'}) }}"
"""

RETURN = r"""
_value:
  description: The lines, headings first.
  type: list
  elements: str
"""

GAP = "  "
NOTHING = "-"
# A column is not made narrower than this.
NARROWEST = 8
RIGID = re.compile(r"^(?:[\d :/.-]*|[a-z_]+)$")
TIME = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ$")


def table(rows: Sequence[Any], columns: Mapping[str, str], width: int = 108, wrap: bool = False) -> list[str]:
    headings = list(columns)
    cells = [headings] + [[_text(value_at(row, way)) for way in columns.values()] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(headings))]
    # Half a time, a number or a word that stands in a list of words is worth nothing.
    soft = [place for place in range(len(headings)) if not all(RIGID.match(line[place]) for line in cells[1:])]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width and any(widths[place] > NARROWEST for place in soft):
        widths[max(soft, key=lambda place: widths[place])] -= 1
    if wrap:
        cells = [part for line in cells for part in _wrapped(line, widths[-1])]
    lines = [[_short(text, size).ljust(size) for text, size in zip(line, widths, strict=True)] for line in cells]
    return [GAP.join(line).rstrip() for line in lines]


def _wrapped(line: list[str], size: int) -> list[list[str]]:
    """The line, and below it what of its last cell does not fit."""
    first, *more = textwrap.wrap(line[-1], size, break_on_hyphens=False) or [NOTHING]
    return [[*line[:-1], first], *([*[""] * (len(line) - 1), part] for part in more)]


def value_at(row: Any, way: str) -> Any:
    """What a way of keys and numbers, joined by dots, leads to; None where there is nothing."""
    for key in way.split("."):
        if isinstance(row, Mapping):
            row = row.get(key)
        elif isinstance(row, Sequence) and not isinstance(row, str) and key.isdecimal() and int(key) < len(row):
            row = row[int(key)]
        else:
            return None
    return row


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(str(NOTHING if value is None else value).split()) or NOTHING
    return TIME.sub(r"\1 \2", text)


def _short(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    return text[: size - 1].rstrip() + "…" if " " in text else "…" + text[len(text) - size + 1 :]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"table": table}
