# SPDX-License-Identifier: GPL-3.0-or-later
"""The table, as Markdown for people and as JSON with every single value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench import fleet, preflight, single, unchanged
from ansible_collections.ai_aas.vllm.tests.bench.results import Results

# Seconds that a look at the cluster may take beyond what Ansible and the client library take.
OUR_SHARE = 0.3
SHARE_OF_HELM = 0.25
BAD_TAG_SECONDS = 12
PREFLIGHT_CPU = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`found` and `bound` in seconds; nan if it was not measured."""

    what: str
    found: float
    bound: float

    @property
    def met(self) -> bool:
        return self.found <= self.bound

    def __str__(self) -> str:
        if isnan(self.found) or isnan(self.bound):
            return f"not measured: {self.what}"
        return f"**{'met' if self.met else 'MISSED'}**: {self.what}: {self.found:.2f} s, at most {self.bound:.2f} s"


def goals(results: Results, ours: str, helm: str) -> list[Goal]:
    """For the playbook that users run, and for information for the module alone."""

    def found(row: str) -> float:
        return results.median(row, ours)

    look = found(unchanged.FLOOR) + found(unchanged.IMPORT) - found(unchanged.PYTHON) + OUR_SHARE
    quarter = SHARE_OF_HELM * results.median(fleet.WALL, helm)
    one = f"one unchanged server within the floor, the import of `kubernetes` and {OUR_SHARE} s"
    many = f"{len(fleet.TWENTY)} unchanged servers in a quarter of Helm's time, one by one"
    bad = "after a bad tag the old state is whole again"
    return [
        Goal(what=one, found=found(unchanged.WALL), bound=look),
        Goal(what=f"{one}, the module without the role", found=found(unchanged.MODULE), bound=look),
        Goal(what=many, found=found(fleet.WALL), bound=quarter),
        Goal(what=f"{many}, the module without the role", found=found(fleet.MODULE), bound=quarter),
        Goal(what=f"{preflight.CASE}, processor time", found=found(preflight.CPU_ALONE), bound=PREFLIGHT_CPU),
        Goal(what=bad, found=found(single.WHOLE.format("bad tag")), bound=BAD_TAG_SECONDS),
    ]


def write(folder: Path, results: Results, names: Sequence[str], about: Mapping[str, str]) -> str:
    """`names`: the contestants, ours and Helm first. Returns the Markdown."""
    checked = goals(results, *names[:2])
    text = _markdown(results, names, checked, about)
    (folder / "bench.md").write_text(text)
    judged = [{"goal": str(goal), "met": goal.met} for goal in checked]
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
