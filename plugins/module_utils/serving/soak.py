# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small probes, and whether they are good enough. Pure: nobody is asked here.

Our own probes, since a server that nobody uses has no errors and no latency to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check

# So many at least, also where nothing is to be waited for: one slow answer is no percentile.
FEWEST = 5
PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`seconds`: how long probes are sent. `p95`: seconds, `error_ratio`: 0 to 1; None for no bound."""

    seconds: float = 0
    p95: float | None = None
    error_ratio: float | None = None

    @property
    def wanted(self) -> bool:
        return self.seconds > 0 or self.p95 is not None or self.error_ratio is not None

    @property
    def pause(self) -> float:
        """Seconds from the beginning of one probe to that of the next."""
        return min(PAUSE, self.seconds / FEWEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One probe: how long it took, and what was wrong with its answer; `mute` when there was none."""

    seconds: float
    wrong: str = ""
    mute: bool = False


def over(samples: Sequence[Sample], elapsed: float, bounds: Bounds) -> bool:
    """True when the time is over and there are enough of them. Of a server that does not answer there are enough: each
    of them may take long."""
    if not samples or elapsed < bounds.seconds:
        return False
    return len(samples) >= FEWEST or samples[-1].mute


def p95(samples: Sequence[Sample]) -> float:
    """The time within which 95 % of the probes were over (nearest rank), in seconds."""
    ordered = sorted(sample.seconds for sample in samples)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def judged(samples: Sequence[Sample], elapsed: float, bounds: Bounds) -> Check:
    """Of at least one probe. A server that did not answer the last one does not serve, whatever the bounds are."""
    errors = [sample for sample in samples if sample.wrong]
    ratio, slow = len(errors) / len(samples), p95(samples)
    too_many = bounds.error_ratio is not None and ratio > bounds.error_ratio
    too_slow = bounds.p95 is not None and slow > bounds.p95
    told = [f"{len(errors)} of {len(samples)} probes failed" if errors else f"{len(samples)} probes answered"]
    if too_many:
        told.append(f"at most {bounds.error_ratio:.2%} may")
    told.append(f"P95 {slow:.2f} s")
    if too_slow:
        told.append(f"more than {bounds.p95:g} s")
    if errors:
        told.append(errors[-1].wrong)
    passed = not (too_many or too_slow or samples[-1].wrong)
    return Check(name="soak", passed=passed, detail=", ".join(told), seconds=round(elapsed, 3))
