# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts with the cause that they must be read as; text files beside this one, whose heads say how they are written."""

from __future__ import annotations

from pathlib import Path


def read(name: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """(cause, text, what must be said of it), in the order of the file."""
    samples = []
    for block in Path(__file__).with_name(name).read_text().split("\n== ")[1:]:
        cause_id, _unused, rest = block.strip().partition("\n")
        text, _unused, parts = rest.partition("\n-> ")
        samples.append((cause_id, text, tuple(part for part in parts.split(" | ") if part)))
    return samples
