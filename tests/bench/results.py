# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured: every single value, by row of the table and contestant."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import nan
from statistics import median

Value = float | str


@dataclass(frozen=True, slots=True)
class Results:
    values: dict[str, dict[str, list[Value]]] = field(default_factory=dict)

    def add(self, row: str, contestant: str, value: Value) -> None:
        """`row` begins with its case, "first install: whole command, s", and ends with the unit, if there is one."""
        self.values.setdefault(row, {}).setdefault(contestant, []).append(value)

    def median(self, row: str, contestant: str) -> float:
        """Of numbers; infinite where one of the values is a word, as "never" is; nan where there are none."""
        values = self.values.get(row, {}).get(contestant)
        if not values:
            return nan
        numbers = [value for value in values if isinstance(value, (int, float))]
        return median(numbers) if len(numbers) == len(values) else float("inf")

    def cell(self, row: str, contestant: str) -> str:
        """Median and range of numbers; words with how often each was seen, if not always."""
        values = self.values[row].get(contestant)
        if not values:
            return ""
        numbers = sorted(value for value in values if isinstance(value, (int, float)))
        if len(numbers) < len(values):
            counted = Counter(value if isinstance(value, str) else f"{value:.1f}" for value in values)
            often = [word if len(counted) == 1 else f"{word} ({count} times)" for word, count in counted.items()]
            return ", ".join(often)
        middle = median(numbers)
        if all(isinstance(number, int) for number in numbers):
            return f"{middle:g}"
        if numbers[0] == numbers[-1]:
            return f"{middle:.2f}"
        return f"{middle:.2f} ({numbers[0]:.2f}-{numbers[-1]:.2f})"
