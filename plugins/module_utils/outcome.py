# SPDX-License-Identifier: GPL-3.0-or-later
"""From what an operation came to, to Ansible's result: what changed, the difference, a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import sentence
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object, Verification, with_names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.diff import difference
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.names import identity
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Action, Plan
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.removal import Removed
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Outcome

try:
    import yaml
except ImportError:  # Connection says so in a sentence, before anybody gets here
    pass


def of_deploy(name: str, namespace: str, outcome: Outcome) -> dict[str, Any]:
    plan = outcome.plan
    return {
        "changed": outcome.changed,
        "release": {
            "name": name,
            "namespace": namespace,
            "revision": outcome.revision,
            "content": outcome.content,
            "previous_revision": outcome.previous,
            "state": "present",
            "verified": outcome.verified,
            "strategy": outcome.strategy,
        },
        "actions": {
            "created": _named(plan, Action.CREATE),
            "updated": _named(plan, Action.UPDATE),
            "adopted": _named(plan, Action.ADOPT),
            "recreated": _named(plan, Action.RECREATE),
            "pruned": [str(item) for item in plan.prune],
            "kept": [str(item) for item in plan.keep],
            "skipped": _named(plan, Action.SKIP),
            "unchanged": plan.untouched + len(_named(plan, Action.UNCHANGED)),
        },
        **({"verification": of_verification(outcome.verification)} if outcome.verification.pods else {}),
        "timings": dict(outcome.timings),
        "diff": [_diff(str(step), step.difference.before, step.difference.after) for step in plan.steps if step.changes]
        + _gone(plan.going),
        "warnings": [f"{step}: {text}" for step in plan.steps for text in step.warnings] + list(outcome.warnings),
    }


def of_removal(name: str, namespace: str, removed: Removed) -> dict[str, Any]:
    return {
        "changed": removed.changed,
        "release": {
            "name": name,
            "namespace": namespace,
            "revision": None,
            "content": None,
            "previous_revision": removed.revision,
            "state": "absent",
            "verified": False,
            "strategy": None,
        },
        "actions": {
            "created": [],
            "updated": [],
            "adopted": [],
            "recreated": [],
            "pruned": _identities(removed.deleted),
            "kept": _identities(removed.kept),
            "skipped": [],
            "unchanged": 0,
        },
        "diff": _gone(removed.deleted),
    }


def of_verification(verification: Verification) -> dict[str, Any]:
    """{pod: [{check, passed, detail, seconds}]}, whether all of it is right, and what it tells besides."""
    pods = {
        pod: [
            {"check": check.name, "passed": check.passed, "detail": check.detail, "seconds": check.seconds}
            for check in answers.checks
        ]
        for pod, answers in verification.pods.items()
    }
    return {"passed": verification.passed, "pods": pods, "evidence": verification.evidence}


def of_finding(finding: Finding, setting_names: Mapping[str, str]) -> dict[str, str]:
    """{level, rule, what, why, do}, and all three sentences as `text`; with the caller's names for settings."""
    do = with_names(finding.do, finding.setting, setting_names)
    text = " ".join(sentence(part) for part in (f"{finding.what}: {finding.why}", do) if part)
    return {
        "level": finding.level,
        "rule": finding.rule,
        "what": finding.what,
        "why": finding.why,
        "do": do,
        "text": text.removesuffix(" Nothing."),
    }


def _named(plan: Plan, action: Action) -> list[str]:
    return [str(step) for step in plan.steps if step.action is action]


def _identities(bodies: Iterable[Object]) -> list[str]:
    return sorted(identity(body) for body in bodies)


def _gone(bodies: Iterable[Object]) -> list[dict[str, str]]:
    return [_diff(identity(body), difference(body, None).before, {}) for body in bodies]


def _diff(header: str, before: Any, after: Any) -> dict[str, str]:
    return {"before_header": header, "after_header": header, "before": _yaml(before), "after": _yaml(after)}


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=False) if value else ""
