# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done, as functions from a module's parameters to Ansible's result. The one place where the release engine
and the knowledge of vLLM meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils import outcome
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection, names_cluster
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ReleaseFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object, Subject, Verification
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller, refuse
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.verification import verifier
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import definition as definitions
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.engine import Deploy, Wishes
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.removal import remove
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import rules
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import server_of


def release(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The result of vllm_release. Raises CollectionError."""
    name, namespace = params["name"], params["namespace"]
    definition = definitions.define(name, namespace, params["definition"] or [])
    if params["state"] == "absent":
        return _removal(params, caller, definition)
    problems = list(definitions.findings(definition)) or list(_lacking(params, caller, definition))
    refuse(f"{name} cannot be released", problems, params["setting_names"])
    api = Api(Connection(params, caller.environ), namespace)
    wishes = Wishes(
        check_mode=caller.check_mode,
        reason=params["reason"],
        by=dict(caller.by) | params["provenance"],
        wait_timeout=params["wait_timeout"],
        image_pull_timeout=params["image_pull_timeout"],
        history_max=params["history_max"],
        namespace_create=params["namespace_create"],
        verify=verifier(api, params["verification"]) if params["verification"]["enabled"] else None,
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


def _subject(deployment: Object) -> Subject:
    server = server_of(deployment["spec"]["template"])
    if server is None:
        return Subject()
    return Subject(image=server.image, model=server.model, model_revision=server.model_revision)
