# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether many probes are good enough."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.soak import Bounds, Sample, judged, over, p95

WRONG = "POST /v1/completions answers 500"
MUTE = "POST /v1/completions: no first token within 30 s"


def samples(*seconds: float) -> list[Sample]:
    return [Sample(seconds=each) for each in seconds]


GOOD, BAD = Sample(seconds=0.1), Sample(seconds=0.1, wrong=WRONG)
SILENT = Sample(seconds=30, wrong=MUTE, mute=True)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.3], 0.3),
        ([0.3, 0.1, 0.2], 0.3),
        ([float(each) for each in range(1, 21)], 19.0),
        ([float(each) for each in range(100, 0, -1)], 95.0),
    ],
)
def test_p95(seconds: list[float], expected: float) -> None:
    assert p95(samples(*seconds)) == expected


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        (Bounds(), False),
        (Bounds(seconds=1), True),
        (Bounds(p95=3), True),
        (Bounds(error_ratio=0), True),
    ],
)
def test_a_soak_is_wanted_where_there_is_a_time_or_a_bound(bounds: Bounds, wanted: bool) -> None:
    assert bounds.wanted is wanted


@pytest.mark.parametrize(("seconds", "pause"), [(0, 0), (1, 0.2), (5, 1), (600, 1)])
def test_the_pause_between_probes(seconds: float, pause: float) -> None:
    assert Bounds(seconds=seconds).pause == pause


@pytest.mark.parametrize(
    ("taken", "elapsed", "finished"),
    [
        ([], 0, False),
        ([GOOD] * 4, 60, False),
        ([GOOD] * 5, 9.9, False),
        ([GOOD] * 5, 10, True),
        ([GOOD] * 2 + [SILENT] * 2, 9.9, False),
        ([GOOD] * 2 + [SILENT], 10, True),
        ([SILENT, GOOD], 10, False),
        ([BAD] * 3, 10, False),
    ],
)
def test_over(taken: list[Sample], elapsed: float, finished: bool) -> None:
    assert over(taken, elapsed, Bounds(seconds=10)) is finished


@pytest.mark.parametrize(
    ("taken", "bounds", "passed", "detail"),
    [
        pytest.param([GOOD] * 5, Bounds(), True, "5 probes answered, P95 0.10 s", id="no bounds"),
        pytest.param(
            [BAD] + [GOOD] * 9, Bounds(), True, f"1 of 10 probes failed, P95 0.10 s, {WRONG}", id="errors, no bound"
        ),
        pytest.param(
            [BAD] + [GOOD] * 9,
            Bounds(error_ratio=0.1),
            True,
            f"1 of 10 probes failed, P95 0.10 s, {WRONG}",
            id="as many errors as may be",
        ),
        pytest.param(
            [BAD] + [GOOD] * 9,
            Bounds(error_ratio=0.001),
            False,
            f"1 of 10 probes failed, at most 0.10% may, P95 0.10 s, {WRONG}",
            id="too many errors",
        ),
        pytest.param(
            samples(*[0.1] * 9, 4), Bounds(p95=3), False, "10 probes answered, P95 4.00 s, more than 3 s", id="slow"
        ),
        pytest.param(samples(*[0.1] * 19, 4), Bounds(p95=3), True, "20 probes answered, P95 0.10 s", id="slow once"),
        pytest.param(samples(*[3.0] * 5), Bounds(p95=3), True, "5 probes answered, P95 3.00 s", id="just in time"),
        pytest.param(
            [GOOD, SILENT, SILENT],
            Bounds(),
            False,
            f"2 of 3 probes failed, P95 30.00 s, {MUTE}",
            id="it has stopped answering",
        ),
    ],
)
def test_judged(taken: list[Sample], bounds: Bounds, passed: bool, detail: str) -> None:
    check = judged(taken, 12.3456, bounds)
    assert (check.name, check.passed, check.detail, check.seconds) == ("soak", passed, detail, 12.346)
