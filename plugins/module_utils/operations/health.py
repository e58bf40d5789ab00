# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a server serve, now? The checks that a deploy makes, put to every pod of a release or to a URL. Changes
nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Refused, sentence
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Answers, Check, Object, Verification
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.verification import sendable, terms_of, verifier
from ansible_collections.ai_aas.vllm.plugins.module_utils.outcome import of_verification
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names, services, steadiness
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import own_pods
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import is_ready, pod_state
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.address import address_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.examination import examine
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import Conversation
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server

DEPLOYMENT = Kind("apps/v1", "Deployment")
API_KEY = "VLLM_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A pod and the Deployment that it belongs to."""

    deployment: Object
    pod: Object

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def ready(self) -> bool:
        return is_ready(self.pod)


def health(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The result of vllm_health. Raises CollectionError when there is nothing to ask."""
    return _of_url(params, caller) if params["url"] else _of_release(params, caller)


def _of_url(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    url = params["url"]
    address = address_of(url, validate_certs=params["validate_certs"] is not False, ca_cert=params["ca_cert"])
    line = Conversation(
        address.connect,
        host=address.authority,
        prefix=address.prefix,
        api_key=sendable(params["server_api_key"] or caller.environ.get(API_KEY, ""), f"server_api_key or {API_KEY}"),
    )
    served = tuple(params["served_names"] or ())
    server = Server(image="", model="", model_revision="", served_names=served, port=address.port, api_key_secret=None)
    with contextlib.closing(line):
        answers = examine(line, server, terms_of(params["verification"]))
    return _result(url, Verification(pods={url: answers}), [], caller) | {"requests": 0}


def _of_release(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    name, api = params["name"], Api(Connection(params, caller.environ), params["namespace"])
    deployments = api.list(DEPLOYMENT, f"{names.RELEASE}={name}")
    if not deployments:
        raise Refused(
            f"There is no server {name} in namespace {api.namespace}",
            f"No Deployment there carries the label {names.RELEASE}={name}",
            "Deploy it, or correct the name, the namespace or the context",
        )
    asked = [Asked(deployment=each, pod=pod) for each in deployments for pod in own_pods(api, each)]
    ask = verifier(api, params["verification"])
    answers = in_parallel(lambda each: ask(each.deployment, each.pod) if each.ready else _not_ready(each.pod), asked)
    told = {each.name: answer for each, answer in zip(asked, answers, strict=True)}
    if any(each.ready for each in asked):
        told = _looked_around(api, name, deployments, asked, told)
    too_few = [problem for each in deployments if (problem := _too_few(each, asked))]
    return _result(name, Verification(pods=told), too_few, caller) | {"requests": api.requests}


def _looked_around(
    api: Api, name: str, deployments: list[Object], asked: list[Asked], told: dict[str, Answers]
) -> dict[str, Answers]:
    """With what the pods cannot tell themselves: whether they are the same still, and whether the Services have
    them."""
    after = [pod for deployment in deployments for pod in own_pods(api, deployment)]
    ready = [each for each in asked if each.ready]
    groups = [[each.name for each in ready if each.deployment is deployment] for deployment in deployments]
    reached = services.look(api, name, groups)
    more = {each.name: (steadiness.check(each.pod, after), reached[each.name]) for each in ready}
    return {
        pod: Answers(checks=(*answers.checks, *more.get(pod, ())), measured=answers.measured)
        for pod, answers in told.items()
    }


def _not_ready(pod: Object) -> Answers:
    return Answers(checks=(Check(name="ready", passed=False, detail=pod_state(pod, datetime.now(UTC))[1]),))


def _too_few(deployment: Object, asked: list[Asked]) -> str:
    wanted = deployment["spec"].get("replicas", 1)
    there = sum(each.deployment is deployment for each in asked)
    return f"{names.identity(deployment)} has {there} of {wanted} pods" if there < max(wanted, 1) else ""


def _result(name: str, verification: Verification, problems: list[str], caller: Caller) -> dict[str, Any]:
    for asked, answers in verification.pods.items():
        caller.console(f"{asked}: {', '.join(_told(check) for check in answers.checks)}")
    wrong = [
        f"{asked}: {check.detail}"
        for asked, answers in verification.pods.items()
        for check in answers.checks
        if check.failed
    ]
    problems = list(dict.fromkeys(wrong)) + problems
    result = {"changed": False, "verification": of_verification(verification) | {"passed": not problems}}
    return result | ({"failed": True, "msg": _message(name, problems)} if problems else {})


def _told(check: Check) -> str:
    if check.passed is None:
        return f"{check.name} not known"
    return f"{check.name} {f'{check.seconds:.2f} s' if check.passed else 'failed'}"


def _message(name: str, problems: list[str]) -> str:
    what = sentence(f"{name} does not serve as it should")
    return f"{what} {sentence('; '.join(problems))} Read the pods' log, or go back to a revision that was verified."
