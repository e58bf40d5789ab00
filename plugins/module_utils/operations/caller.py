# SPDX-License-Identifier: GPL-3.0-or-later
"""What every operation has in common: who asks, how it is carried out, and how it says no."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import CollectionError, InvalidInput, ReleaseFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Console, Finding, with_names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: a module or an action. `by`: who stands behind it, for the history."""

    check_mode: bool
    console: Console
    environ: Mapping[str, str]
    by: Mapping[str, str]
    timings: Timings = field(default_factory=Timings)
    parent: int | None = None


Operation: TypeAlias = Callable[[Mapping[str, Any], Caller], dict[str, Any]]


def perform(operation: Operation, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The operation's result, or a failed result with a message for a person. Lets through what nobody has foreseen."""
    try:
        return operation(params, caller)
    except CollectionError as error:
        result = error.result if isinstance(error, ReleaseFailed) else {}
        return {"failed": True, "changed": error.changed, "msg": error.told(params["setting_names"])} | result


def unforeseen(error: Exception) -> str:
    """The message for an error that nobody has foreseen; its traceback is for -vvv."""
    return (
        f"{type(error).__name__}: {error}. This is a defect of ai_aas.vllm, or something it did not foresee. "
        "Run it again with -vvv and report what it prints."
    )


def refuse(what: str, problems: Iterable[Finding], setting_names: Mapping[str, str]) -> None:
    """Raises InvalidInput with everything that is wrong; nothing where nothing is."""
    reasons, cures = [], {}
    for problem in problems:
        reasons.append(f"{problem.what}: {problem.why}")
        cures[with_names(problem.do, problem.setting, setting_names)] = True
    if reasons:
        raise InvalidInput(what, "; ".join(reasons), "; ".join(cures))
