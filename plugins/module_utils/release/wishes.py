# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller wants of a release, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import (
    Answers,
    Console,
    Explain,
    Object,
    Subject,
    Verification,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Plan

# Asks one ready pod of a Deployment whether it serves.
Verify: TypeAlias = Callable[[Object, Object], Answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds. A holder beats every `beat`; one whose last beat is `old` is dead. A holder whose own beat is older than
    `fence` beats before he writes anything else. `lock_wait`: how long to wait for a living one."""

    beat: float = 15
    old: float = 90
    lock_wait: float = 0
    fence: float = 45
    look: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds. `polls`: (until so long into the rollout, look every so often); the last pause holds for ever.
    `confirm`: how long a finding that may be a hiccup has to stand; `absent`: so long for what may still be delivered.
    `no_room`: how long a further pod waits for room before an old one goes first. `settle`: how long a Service may take
    to find its pods. `stuck`: after so long without a start the events of a pod are read, and again every so often.
    `nudge`: how often a controller is told to try again. `linger`: how long after its grace period a pod is given to be
    gone. `unready`: how long none of the old pods must be ready until none is thought to serve."""

    polls: tuple[tuple[float, float], ...] = ((30, 1), (120, 2), (600, 5), (float("inf"), 10))
    tell_every: float = 15
    confirm: float = 2
    absent: float = 30
    no_room: float = 20
    settle: float = 10
    stuck: float = 5
    nudge: float = 10
    linger: float = 30
    unready: float = 10
    patience: Patience = field(default_factory=Patience)

    def pause(self, elapsed: float) -> float:
        return next(pause for until, pause in self.polls if elapsed < until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a release is to be made; times in seconds. `verify` is None where the caller switched verification off.
    `subject_of` tells what a Deployment is about. `user` and `by`: who stands behind it. `parent`: see lock.Lease."""

    check_mode: bool
    reason: str = ""
    user: str = ""
    by: Mapping[str, str] = field(default_factory=dict)
    wait_timeout: int | None = None
    image_pull_timeout: int = 600
    schedule_timeout: int = 300
    history_max: int = 10
    on_failure: str = "rollback"
    strategy: str = "auto"
    adopt: bool = False
    force_conflicts: bool = False
    lock_wait: int = 0
    namespace_create: bool = False
    verify: Verify | None
    explain: Explain | None = None
    subject_of: Callable[[Object], Subject]
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Timings
    parent: int | None = None
    console: Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What it came to. `revision` is the current one afterwards (in check mode: the one it would be), `content` the one
    whose content it has, `kept` what was not deleted since it holds data, `strategy` how its pods took their place."""

    changed: bool
    plan: Plan
    revision: int
    content: int
    previous: int | None
    verified: bool
    verification: Verification = field(default_factory=Verification)
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    strategy: Mapping[str, Any] | None = None
