# SPDX-License-Identifier: GPL-3.0-or-later
"""The table, as Markdown for people and as JSON with every single value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench import fleet, single, unchanged
from ansible_collections.ai_aas.vllm.tests.bench.results import Results

# Seconds that a look at the cluster may take beyond what Ansible and the client library take.
OUR_SHARE = 0.3
SHARE_OF_HELM = 0.25
BAD_TAG_SECONDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`found` and `bound` in seconds."""

    what: str
    found: float
    bound: float

    @property
    def met(self) -> bool:
        return self.found <= self.bound

    def __str__(self) -> str:
        return f"**{'met' if self.met else 'MISSED'}**: {self.what}: {self.found:.2f} s, at most {self.bound:.2f} s"


def goals(results: Results, ours: str, helm: str) -> list[Goal]:
    floor, start, library = (results.median(row, ours) for row in (unchanged.FLOOR, unchanged.PYTHON, unchanged.IMPORT))
    number = len(fleet.TWENTY)
    return [
        Goal(
            what=f"one unchanged server within the floor, the import of `kubernetes` and {OUR_SHARE} s",
            found=results.median(unchanged.WALL, ours),
            bound=floor + library - start + OUR_SHARE,
        ),
        Goal(
            what=f"{number} unchanged servers in a quarter of Helm's time, one by one",
            found=results.median(fleet.WALL.format(number), ours),
            bound=SHARE_OF_HELM * results.median(fleet.WALL.format(number), helm),
        ),
        Goal(
            what="after a bad tag the old state is whole again",
            found=results.median(single.WHOLE.format("bad tag"), ours),
            bound=BAD_TAG_SECONDS,
        ),
    ]


def write(
    folder: Path, results: Results, names: Sequence[str], checked: Sequence[Goal], about: Mapping[str, str]
) -> str:
    """`names`: the contestants, ours first. Returns the Markdown."""
    text = _markdown(results, names, checked, about)
    (folder / "bench.md").write_text(text)
    judged = [{"goal": goal.what, "found": goal.found, "bound": goal.bound, "met": goal.met} for goal in checked]
    document = {"about": about, "goals": judged, "values": results.values}
    (folder / "bench.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return text


def _markdown(results: Results, names: Sequence[str], checked: Sequence[Goal], about: Mapping[str, str]) -> str:
    lines = [f"# {' beside '.join((names[0], ' and '.join(names[1:])))}", ""]
    lines += [f"{key}: {value}  " for key, value in about.items()]
    lines += ["", f"| median (range) | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [
        f"| {row} | {' | '.join(results.cell(row, name).replace('|', '/') for name in names)} |"
        for row in results.values
    ]
    return "\n".join([*lines, "", *(f"- {goal}" for goal in checked), ""])
