# SPDX-License-Identifier: GPL-3.0-or-later
"""Results to the lines of a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.filter.table import FilterModule, table


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    rows = [{"name": "a", "count": 1}, {"name": "longer", "count": 20}]
    assert table(rows, {"NAME": "name", "N": "count"}) == [
        "NAME    N",
        "a       1",
        "longer  20",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (0.25, "0.25"),
        ("two\n lines", "two lines"),
        ("2026-11-23T18:02:06Z", "2026-11-23 18:02"),
        ("since 2026-11-23T18:02:06Z", "since 2026-11-23T18:02:06Z"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert table([{"x": value}], {"X": "x"})[1] == text


@pytest.mark.parametrize(
    ("way", "text"),
    [("a.b", "1"), ("a.c", "-"), ("a.b.c", "-"), ("list.1.x", "2"), ("list.9.x", "-"), ("list.x", "-"), ("z", "-")],
)
def test_ways_into_a_row(way: str, text: str) -> None:
    row = {"a": {"b": 1}, "list": [{"x": 1}, {"x": 2}]}
    assert table([row], {"X": way})[1] == text


def test_a_row_may_be_a_list() -> None:
    assert table([["pod", {"check": "ready"}]], {"POD": "0", "CHECK": "1.check"}) == ["POD  CHECK", "pod  ready"]


def test_what_is_too_wide_is_cut_where_it_tells_least() -> None:
    row = {"image": "registry.example/team/server:v1.2.3", "why": "the weights were moved to another bucket", "n": 7}
    lines = table([row], {"IMAGE": "image", "WHY": "why", "N": "n"}, width=44)
    assert lines == [
        "IMAGE                WHY                   N",
        "…team/server:v1.2.3  the weights were mo…  7",
    ]
    assert {len(line) for line in lines} == {44}


def test_no_column_is_cut_to_nothing() -> None:
    (heading, line) = table([{"x": "X" * 50}], {"X": "x"}, width=3)
    assert (heading, line) == ("X", "…XXXXXXX")


def test_without_rows_there_are_headings() -> None:
    assert table([], {"NAME": "name", "N": "count"}) == ["NAME  N"]


def test_ansible_finds_it() -> None:
    assert FilterModule().filters() == {"table": table}


def test_the_last_column_may_go_on_in_the_next_line() -> None:
    rows = [{"name": "a", "text": "one two three four five"}, {"name": "b", "text": "six"}]
    assert table(rows, {"NAME": "name", "TEXT": "text"}, width=19, wrap=True) == [
        "NAME  TEXT",
        "a     one two three",
        "      four five",
        "b     six",
    ]
