# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the packages hand to each other. Imports nothing of ours, so that everything may import it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# A Kubernetes object as JSON has it.
Object: TypeAlias = dict[str, Any]
# Where a line for a waiting person goes.
Console: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong (`level` "error") or doubtful ("warning") with a definition, or good to know ("note").

    `rule` is a short stable name; `what`, `why` and `do` are a sentence each. `setting` is the engine's word for what
    has to change ("image tag", "--max-model-len"), for which a caller may know another name."""

    rule: str
    level: str
    what: str
    why: str
    do: str
    setting: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something does not run: a stable `id`, a `sentence`, a `cure`, and where it was seen.

    `setting` is the engine's word for what has to change, as in Finding. `transient`: it may go away while nobody
    changes the release, so that one death of it proves nothing yet."""

    id: str
    sentence: str
    cure: str = ""
    setting: str = ""
    transient: bool = False
    object: str = ""
    container: str = ""
    node: str = ""
    reason: str = ""
    exit_code: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How a container's last run ended. `seconds`: how long it ran. `container`: its part of the pod spec."""

    exit_code: int
    reason: str
    seconds: float
    log: str
    container: Object


# What a death was caused by, as far as its traces tell.
Explain: TypeAlias = Callable[[Death], Cause | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a revision is about, in the words of its history row."""

    image: str = ""
    model: str = ""
    model_revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One answer of one pod. `seconds` is how long the answer took."""

    name: str
    passed: bool
    detail: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the pods of one revision answered: pod name -> checks, in the order they were made."""

    pods: dict[str, tuple[Check, ...]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True only if at least one pod was asked and every answer was right: nobody asked proves nothing."""
        return bool(self.pods) and all(check.passed for checks in self.pods.values() for check in checks)

    @property
    def first_failure(self) -> tuple[str, Check] | None:
        for pod, checks in self.pods.items():
            for check in checks:
                if not check.passed:
                    return pod, check
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """`name`: surge, replace, recreate, or own where the Deployment names it itself. `spec` as in a Deployment,
    `reason` why it is this one, where that is not plain."""

    name: str
    spec: Object
    reason: str = ""

    def __str__(self) -> str:
        rolling = self.spec.get("rollingUpdate")
        words = (
            f"surge {rolling.get('maxSurge', '25%')}, unavailable {rolling.get('maxUnavailable', '25%')}"
            if rolling
            else "all pods at once"
        )
        return f"{words} ({self.reason})" if self.reason else words

    @property
    def data(self) -> dict[str, Any]:
        """As in a history row and in a module's result."""
        rolling = self.spec.get("rollingUpdate") or {}
        return {
            "name": self.name,
            "max_surge": rolling.get("maxSurge"),
            "max_unavailable": rolling.get("maxUnavailable"),
            "reason": self.reason,
        }
