# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the packages hand to each other. Imports nothing of ours, so that everything may import it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

# A Kubernetes object as JSON has it.
Object: TypeAlias = dict[str, Any]
# The setting for flags that have none of their own.
OTHER_FLAGS = "other flags"
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


def name_of(setting: str, setting_names: Mapping[str, str]) -> str:
    """What a caller calls a setting; empty if it has no name for it. Flags of vLLM that have none of their own share
    one."""
    return setting_names.get(setting) or (setting_names.get(OTHER_FLAGS, "") if setting.startswith("--") else "")


def with_names(do: str, setting: str, setting_names: Mapping[str, str]) -> str:
    """What to do, with the caller's names for what has to change: behind each flag of vLLM that is mentioned, and for
    `setting`, if it is none of these, at the end. Names that are there already are not told again."""
    told = {name for name in setting_names.values() if f"({name})" in do or f", {name})" in do}

    def named(flag: re.Match[str]) -> str:
        name = setting_names.get(flag["flag"])
        if not name or name in told:
            return flag[0]
        told.add(name)
        return f"{flag['flag']}, {name})" if flag["enclosed"] else f"{flag['flag']} ({name})"

    do = re.sub(r"(?P<flag>--[a-z][a-z0-9-]*)(?P<enclosed>\)?)", named, do)
    name = name_of(setting, setting_names)
    return do if not name or name in told else f"{do} ({name})"


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
    """How a container's last run ended. `seconds`: how long it ran. `container`: its part of the pod spec. `messages`:
    what Kubernetes says of it."""

    exit_code: int
    reason: str
    seconds: float
    log: str
    container: Object
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """What Kubernetes says of a pod that does not get on. `seconds`: how long its container has run, where it does.
    `container`: its part of the pod spec."""

    messages: tuple[str, ...]
    seconds: float = 0
    container: Object = field(default_factory=dict)


# What a death or a standstill was caused by, as far as its traces tell.
Explain: TypeAlias = Callable[[Death | Standstill], Cause | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a revision is about, in the words of its history row."""

    image: str = ""
    model: str = ""
    model_revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question and what came of it. `seconds` is how long the answer took, `cure` what to do about a failure.

    `passed` is None where it could not be asked, and `detail` says why: that proves nothing, and fails nothing."""

    name: str
    passed: bool | None
    detail: str
    seconds: float = 0.0
    cure: str = ""

    @property
    def failed(self) -> bool:
        return self.passed is False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a server's answers tell besides right and wrong; times in seconds, None where nothing was measured.
    `probes`: completions that were sent to measure, `errors` of which got no right answer."""

    version: str = ""
    first_token: float | None = None
    inference: float | None = None
    probes: int = 0
    errors: int = 0
    p95: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one server answered, in the order in which it was asked."""

    checks: tuple[Check, ...]
    measured: Measured = Measured()

    def with_check(self, check: Check) -> Answers:
        return replace(self, checks=(*self.checks, check))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the pods of one revision answered, by their names."""

    pods: dict[str, Answers] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True only if at least one pod was asked and no answer was wrong: nobody asked proves nothing."""
        return bool(self.pods) and self.first_failure is None

    @property
    def first_failure(self) -> tuple[str, Check] | None:
        for pod, answers in self.pods.items():
            for check in answers.checks:
                if check.failed:
                    return pod, check
        return None

    @property
    def evidence(self) -> dict[str, Any]:
        """What is worth remembering: of several pods the slowest, and the sum of what was counted."""
        measured = [answers.measured for answers in self.pods.values()]
        versions = sorted({each.version for each in measured if each.version})
        probes = sum(each.probes for each in measured)
        found = {
            "vllm_versions": versions or None,
            "first_token_seconds": _slowest(each.first_token for each in measured),
            "inference_seconds": _slowest(each.inference for each in measured),
            "probes": probes or None,
            "errors": sum(each.errors for each in measured) if probes else None,
            "p95_seconds": _slowest(each.p95 for each in measured),
        }
        return {name: value for name, value in found.items() if value is not None}


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


def _slowest(seconds: Iterable[float | None]) -> float | None:
    return max((each for each in seconds if each is not None), default=None)
