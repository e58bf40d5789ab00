# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say about some rows of a table, below it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.filter.table import value_at

DOCUMENTATION = r"""
name: notes
short_description: Sentences below a table
version_added: 0.1.0
author: ai-aas maintainers (@ai-aas)
description:
  - Turns a list of results into paragraphs, one for each result that has something to say, for
    C(ansible.builtin.debug). Nothing is shortened; lines are broken between words.
  - An empty line stands before each. Nothing to say gives no lines at all.
positional: title, texts
options:
  _input:
    description: The rows.
    type: list
    elements: raw
    required: true
  title:
    description: The way to the word that a paragraph begins with, as in P(ai_aas.vllm.table#filter).
    type: str
    required: true
  texts:
    description: The ways to its sentences.
    type: list
    elements: str
    required: true
  width:
    description: Characters of the longest line.
    type: int
    default: 108
"""

EXAMPLES = r"""
- name: Show what is wrong with the releases of a namespace
  ansible.builtin.debug:
    msg: "{{ seen.releases | ai_aas.vllm.notes('name', ['problem.message', 'problem.hint']) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def notes(rows: Sequence[Any], title: str, texts: Sequence[str], width: int = 108) -> list[str]:
    lines: list[str] = []
    for row in rows:
        said = " ".join(str(text) for way in texts if (text := value_at(row, way)))
        if said:
            wrapped = textwrap.wrap(f"{value_at(row, title)}: {said}", width, subsequent_indent="    ")
            lines += ["", *wrapped]
    return lines


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"notes": notes}
