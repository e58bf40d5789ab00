# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done, as functions from a module's parameters to Ansible's result. The one place where the release engine
and the knowledge of vLLM meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils import outcome
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.authentication import names_cluster
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import CollectionError, ReleaseFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object, Subject
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller, refuse
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.explanation import explained
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.verification import verifier
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import definition as definitions
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import rules as workload
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.engine import Engine
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.removal import remove
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Outcome, Wishes
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import rules
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import server_of


def release(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The result of vllm_release. Raises CollectionError."""
    name, namespace = params["name"], params["namespace"]
    definition = definitions.define(name, namespace, params["definition"] or [])
    present = params["state"] == "present"
    found = list(findings(params, caller, definition) if present else definitions.shapeless(definition))
    errors = [one for one in found if one.level == "error"]
    refuse(f"{name} cannot be {'released' if present else 'removed'}", errors, params["setting_names"])
    warnings = [f"{one.what}: {one.why}. {one.do}." for one in found if one.level == "warning"]
    api = Api(Connection(params, caller.environ), namespace)
    wishes = wishes_of(params, caller, api)
    if params["state"] == "absent":
        removed = remove(api, name, definition, wishes, keep_history=params["keep_history"])
        return outcome.of_removal(name, namespace, removed) | {"requests": api.requests}
    result = carried_out(name, api, lambda: Engine(api, name, wishes).deploy(definition))
    # A doubt that was told when the release was made is not told again each time it is looked at.
    return result | {"warnings": (warnings if result["changed"] else []) + result["warnings"]}


def rollback(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The result of vllm_rollback. Raises CollectionError."""
    name = params["name"]
    api = Api(Connection(params, caller.environ), params["namespace"])
    wishes = wishes_of(params, caller, api)
    return carried_out(name, api, lambda: Engine(api, name, wishes).rollback(params["revision"]))


def wishes_of(params: Mapping[str, Any], caller: Caller, api: Api) -> Wishes:
    return Wishes(
        check_mode=caller.check_mode,
        reason=params["reason"],
        user=caller.by.get("user", params["provenance"].get("user", "")),
        by=dict(caller.by) | params["provenance"],
        wait_timeout=params["wait_timeout"],
        image_pull_timeout=params["image_pull_timeout"],
        schedule_timeout=params["schedule_timeout"],
        strategy=params["strategy"],
        history_max=params["history_max"],
        on_failure=params.get("on_failure", "hold"),
        adopt=params.get("adopt", False),
        force_conflicts=params.get("force_conflicts", False),
        lock_wait=params["lock_wait"],
        namespace_create=params.get("namespace_create", False),
        verify=verifier(api, params["verification"]) if params["verification"]["enabled"] else None,
        explain=explained,
        subject_of=_subject,
        timings=caller.timings,
        parent=caller.parent,
        console=caller.console,
    )


def carried_out(name: str, api: Api, work: Callable[[], Outcome]) -> dict[str, Any]:
    try:
        result = outcome.of_deploy(name, api.namespace, work())
    except CollectionError as error:
        error.changed = error.changed or api.writes > 0
        if isinstance(error, ReleaseFailed):
            error.result["requests"] = api.requests
        raise
    return result | {"requests": api.requests}


def findings(params: Mapping[str, Any], caller: Caller, definition: definitions.Definition) -> Iterator[Finding]:
    """All that can be said about a definition without a cluster. Objects without a shape are not looked into, and where
    the release's name does not fit, neither do the names that were made of it."""
    first = list(definitions.findings(definition))
    yield from first
    if any(finding.rule in ("shape", "release-name") for finding in first):
        return
    unsound = list(workload.findings(definition.objects))
    yield from unsound
    yield from strategy.contradictions(definition.objects, params["strategy"])
    if not any(finding.rule == "quantity" for finding in unsound):  # what is no number cannot be compared
        yield from rules.findings(definition.objects)
    yield from _lacking(params, caller, definition)


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


def _subject(deployment: Object) -> Subject:
    server = server_of(deployment["spec"]["template"])
    if server is None:
        return Subject()
    return Subject(image=server.image, model=server.model, model_revision=server.model_revision)
