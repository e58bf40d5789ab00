# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences below a table."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.filter.notes import FilterModule, notes

WAYS = ["problem.message", "problem.hint"]


def test_who_has_nothing_to_say_is_left_out() -> None:
    rows = [{"name": "a", "problem": None}, {"name": "b", "problem": {"message": "It is ill.", "hint": "Cure it."}}, {}]
    assert notes(rows, "name", WAYS) == ["", "b: It is ill. Cure it."]
    assert notes(rows[:1], "name", WAYS) == []


def test_a_sentence_without_advice() -> None:
    assert notes([{"name": "a", "problem": {"message": "It loads.", "hint": ""}}], "name", WAYS) == ["", "a: It loads."]


def test_lines_are_broken_and_nothing_is_lost() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    lines = notes([{"name": "a", "problem": {"message": words}}], "name", WAYS, width=40)
    assert max(len(line) for line in lines) <= 40
    assert " ".join(" ".join(lines).split()) == f"a: {words}"


def test_it_is_a_filter() -> None:
    assert FilterModule().filters() == {"notes": notes}
