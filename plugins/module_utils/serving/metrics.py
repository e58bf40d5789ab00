# SPDX-License-Identifier: GPL-3.0-or-later
"""What vLLM counts, out of the text of /metrics; and whether it went on. Pure: nobody is asked here.

The names are those of vllm/v1/metrics/loggers.py, the same since 0.8."""

from __future__ import annotations

import re
from dataclasses import dataclass

# name{labels} value: labels may hold anything, in quotes.
SAMPLE = re.compile(r"^vllm:(?P<name>\w+)(?:\{.*\})? (?P<value>\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Tokens that went in and came out since the start; requests that wait and that are worked on now."""

    prompt: float
    generated: float
    waiting: float
    running: float


def counters(text: str) -> Counters | None:
    """The sums over all engines; None where vLLM keeps no counters (--disable-log-stats)."""
    sums: dict[str, float] = {}
    for sample in SAMPLE.finditer(text):
        sums[sample["name"]] = sums.get(sample["name"], 0.0) + float(sample["value"])
    if "generation_tokens_total" not in sums:
        return None
    return Counters(
        prompt=sums.get("prompt_tokens_total", 0.0),
        generated=sums["generation_tokens_total"],
        waiting=sums.get("num_requests_waiting", 0.0),
        running=sums.get("num_requests_running", 0.0),
    )


def stalled(before: Counters, after: Counters, *, prompt: int, generated: int) -> str:
    """What does not go on between two looks, with a request of so many tokens between them; empty if nothing is
    wrong. Others may have asked, too, so that more is no mistake."""
    for what, rose, wanted in (
        ("tokens read", after.prompt - before.prompt, prompt),
        ("tokens generated", after.generated - before.generated, generated),
    ):
        if rose < wanted:
            return f"its count of {what} rose by {rose:.0f}, not {wanted}"
    if after.waiting and not after.running:
        return f"its queue is stuck: {after.waiting:.0f} requests wait and none is worked on"
    return ""
