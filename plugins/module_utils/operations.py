# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done, as functions from a module's parameters to Ansible's result. The one place where the release engine
and the knowledge of vLLM meet."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.ai_aas.vllm.plugins.module_utils import outcome
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection, names_cluster
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.tunnel import open_tunnel
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    CollectionError,
    InvalidInput,
    NotFound,
    ReleaseFailed,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import (
    Check,
    Console,
    Finding,
    Object,
    Subject,
    Verification,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import definition as definitions
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.engine import Deploy, Verify, Wishes
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import Timings
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.removal import remove
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import health, rules
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import ask
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server, server_of

SECRET = Kind("v1", "Secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: a module or an action. `by`: who stands behind it, for the history."""

    check_mode: bool
    console: Console
    environ: Mapping[str, str]
    by: Mapping[str, str]
    timings: Timings = field(default_factory=Timings)


Operation: TypeAlias = Callable[[Mapping[str, Any], Caller], dict[str, Any]]


def perform(operation: Operation, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The operation's result, or a failed result with a message for a person. Lets through what nobody has foreseen."""
    try:
        return operation(params, caller)
    except ReleaseFailed as error:
        return {"failed": True, "changed": True, "msg": str(error)} | error.result
    except CollectionError as error:
        return {"failed": True, "changed": False, "msg": str(error)}


def release(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """vllm_release: a release present, or absent."""
    name, namespace = params["name"], params["namespace"]
    definition = definitions.define(name, namespace, params["definition"] or [])
    if params["state"] == "absent":
        return _removal(params, caller, definition)
    problems = list(definitions.findings(definition)) or list(_lacking(params, caller, definition))
    _refuse(f"{name} cannot be released", problems, params["setting_names"])
    api = Api(Connection(params, caller.environ), namespace)
    wishes = Wishes(
        check_mode=caller.check_mode,
        reason=params["reason"],
        by=dict(caller.by) | params["provenance"],
        wait_timeout=params["wait_timeout"],
        image_pull_timeout=params["image_pull_timeout"],
        history_max=params["history_max"],
        namespace_create=params["namespace_create"],
        verify=_verifier(api, params["verification"]) if params["verification"]["enabled"] else None,
        subject_of=_subject,
        timings=caller.timings,
        console=caller.console,
    )
    try:
        result = outcome.of_deploy(name, namespace, Deploy(api, definition, wishes).run())
    except ReleaseFailed as error:
        if isinstance(error.result.get("verification"), Verification):
            error.result["verification"] = outcome.of_verification(error.result["verification"])
        error.result["requests"] = api.requests
        raise
    return result | {"requests": api.requests}


def _removal(params: Mapping[str, Any], caller: Caller, definition: definitions.Definition) -> dict[str, Any]:
    api = Api(Connection(params, caller.environ), params["namespace"])
    removed = remove(
        api,
        params["name"],
        definition,
        keep_history=params["keep_history"],
        check_mode=caller.check_mode,
        wait_timeout=params["wait_timeout"],
        timings=caller.timings,
        console=caller.console,
    )
    return outcome.of_removal(params["name"], params["namespace"], removed) | {"requests": api.requests}


def _lacking(params: Mapping[str, Any], caller: Caller, definition: definitions.Definition) -> Iterator[Finding]:
    require = params["require"]
    if "cluster" in require and not names_cluster(params, caller.environ):
        yield Finding(
            rule="cluster",
            level="error",
            what="No cluster is named",
            why="it would go where kubectl last pointed",
            do="Name a context or a host",
            setting="cluster",
        )
    yield from definitions.required(definition, require)
    yield from rules.required(definition.objects, require)


def _refuse(what: str, problems: Iterable[Finding], setting_names: Mapping[str, str]) -> None:
    """Raises InvalidInput with everything that is wrong; nothing where nothing is."""
    reasons, cures = [], {}
    for problem in problems:
        reasons.append(f"{problem.what}: {problem.why}")
        setting = setting_names.get(problem.setting)
        cures[problem.do + (f" ({setting})" if setting else "")] = True
    if reasons:
        raise InvalidInput(what, "; ".join(reasons), "; ".join(cures))


def _subject(deployment: Object) -> Subject:
    server = server_of(deployment["spec"]["template"])
    if server is None:
        return Subject()
    return Subject(image=server.image, model=server.model, model_revision=server.model_revision)


def _verifier(api: Api, verification: Mapping[str, Any]) -> Verify:
    timeout, prompt = float(verification["request_timeout"]), verification["prompt"]

    def verify(deployment: Object, pod: Object) -> tuple[Check, ...]:
        server = server_of(deployment["spec"]["template"])
        if server is None:
            return (Check(name="server", passed=False, detail="the pod template has no container named vllm"),)
        key, name, port = _api_key(api, server), pod["metadata"]["name"], server.port
        checks: list[Check] = []
        for question in health.questions(server, prompt):
            answer = ask(lambda: open_tunnel(api.connection, api.namespace, name, port, timeout), question.request, key)
            checks.append(health.judged(question, answer))
            if not checks[-1].passed:
                break
        return tuple(checks)

    return verify


def _api_key(api: Api, server: Server) -> str:
    """The API key, out of the Secret that the server takes it from; empty where it has none. Never logged, never
    returned."""
    if server.api_key_secret is None:
        return ""
    name, key = server.api_key_secret
    data = api.get(SECRET, name).get("data") or {}
    if key not in data:
        raise NotFound(
            f"Secret/{name} has no key {key!r}", "The server takes its API key from there", "Add it", status=404
        )
    return base64.b64decode(data[key]).decode()
