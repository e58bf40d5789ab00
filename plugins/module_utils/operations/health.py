# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a release serve, now? The checks that a deploy makes, put to every pod. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Refused, sentence
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check, Object, Verification
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.verification import verifier
from ansible_collections.ai_aas.vllm.plugins.module_utils.outcome import of_verification
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import label_selector
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import is_ready, pod_state

DEPLOYMENT, POD = Kind("apps/v1", "Deployment"), Kind("v1", "Pod")


def health(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The result of vllm_health. Raises CollectionError when there is nothing to ask."""
    name, api = params["name"], Api(Connection(params, caller.environ), params["namespace"])
    deployments = api.list(DEPLOYMENT, f"{names.RELEASE}={name}")
    if not deployments:
        raise Refused(
            f"There is no server {name} in namespace {api.namespace}",
            f"No Deployment there carries the label {names.RELEASE}={name}",
            "Deploy it, or correct the name, the namespace or the context",
        )
    pairs = [(deployment, pod) for deployment in deployments for pod in _pods(api, deployment)]
    ask = verifier(api, params["verification"])
    answers = in_parallel(lambda pair: ask(*pair) if is_ready(pair[1]) else (_not_ready(pair[1]),), pairs)
    verification = Verification(
        pods={pod["metadata"]["name"]: answer for (_deployment, pod), answer in zip(pairs, answers, strict=True)}
    )
    for pod, checks in verification.pods.items():
        caller.console(f"{pod}: {', '.join(_told(check) for check in checks)}")
    problems = [
        f"{pod}: {check.detail}" for pod, checks in verification.pods.items() for check in checks if not check.passed
    ]
    problems += [problem for deployment in deployments if (problem := _too_few(deployment, pairs))]
    told = of_verification(verification) | {"passed": not problems}
    result = {"changed": False, "verification": told, "requests": api.requests}
    return result | ({"failed": True, "msg": _message(name, problems)} if problems else {})


def _pods(api: Api, deployment: Object) -> list[Object]:
    """The pods of a Deployment that nobody is deleting."""
    return [pod for pod in api.list(POD, label_selector(deployment)) if "deletionTimestamp" not in pod["metadata"]]


def _not_ready(pod: Object) -> Check:
    return Check(name="ready", passed=False, detail=pod_state(pod, datetime.now(UTC))[1])


def _too_few(deployment: Object, pairs: list[tuple[Object, Object]]) -> str:
    wanted = deployment["spec"].get("replicas", 1)
    there = sum(owner is deployment for owner, _pod in pairs)
    return f"{names.identity(deployment)} has {there} of {wanted} pods" if there < max(wanted, 1) else ""


def _told(check: Check) -> str:
    return f"{check.name} {f'{check.seconds:.2f} s' if check.passed else 'failed'}"


def _message(name: str, problems: list[str]) -> str:
    what = sentence(f"{name} does not serve as it should")
    return f"{what} {sentence('; '.join(problems))} Read the pods' log, or go back to a revision that was verified."
