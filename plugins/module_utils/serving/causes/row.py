# SPDX-License-Identifier: GPL-3.0-or-later
"""One row of the tables of causes. The first row that matches wins, so their order says what stands behind what.

The texts are those of vLLM 0.8 to 0.33, of the libraries below it, and of Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`signs`: regular expression; it sees the lines of a log that diagnosis.evidence leaves. In `sentence`, `cure` and
    `setting`, {name} is a named group of `signs` or `facts`, and a part in [square brackets] is left out where the text
    does not have it. `transient` as in Cause. `serving`: it may also strike a server that has begun to serve; one that
    has not this mark was overcome by then."""

    id: str
    signs: str = ""
    sentence: str
    cure: str
    setting: str = ""
    facts: tuple[str, ...] = ()
    transient: bool = False
    serving: bool = False
