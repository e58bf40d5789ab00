# SPDX-License-Identifier: GPL-3.0-or-later
"""All that can be said about a release before it is made, at once. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    CollectionError,
    Forbidden,
    InvalidInput,
    NotFound,
    Refused,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller, refuse
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.release import findings
from ansible_collections.ai_aas.vllm.plugins.module_utils.outcome import of_finding
from ansible_collections.ai_aas.vllm.plugins.module_utils.quantity import amount
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import capacity, rights, room, strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import Definition, define, stamped
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import key_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.planner import Manners, Planner
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import memory
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import container_of

DEPLOYMENT, CLAIM = Kind("apps/v1", "Deployment"), Kind("v1", "PersistentVolumeClaim")
NODE, POD = Kind("v1", "Node"), Kind("v1", "Pod")
RUNNING = "status.phase!=Succeeded,status.phase!=Failed"
LEVELS = ("error", "warning", "note")


def preflight(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The result of vllm_preflight. Without a definition, only what the cluster has is read, for others to use."""
    if params["definition"] is None:
        api = Api(Connection(params, caller.environ), params["namespace"])
        return {"changed": False, "findings": [], "capacity": capacity.packed(read(api)), "requests": api.requests}
    name, definition = params["name"], define(params["name"], params["namespace"], params["definition"])
    found = list(findings(params, caller, definition))
    requests = 0
    if not any(one.rule in ("shape", "quantity") for one in found):
        try:
            api = Api(Connection(params, caller.environ), params["namespace"])
            found += _of_the_cluster(api, definition, params)
            requests = api.requests
        except CollectionError as error:
            found.append(_of_error("cluster", error))
    found.sort(key=lambda one: LEVELS.index(one.level))
    names = params["setting_names"]
    result = {"changed": False, "name": name, "findings": [of_finding(one, names) for one in found]}
    result["requests"] = requests
    try:
        refuse(f"{name} cannot be released", [one for one in found if one.level == "error"], names)
    except InvalidInput as error:
        return result | {"failed": True, "msg": error.told(names)}
    return result


def read(api: Api) -> dict[str, Any]:
    """A snapshot of nodes and pods (see capacity.Snapshot), in pages; or, where they may not be listed, `unknown`: why
    not."""
    try:
        nodes, pods = in_parallel(lambda one: list(api.everywhere(*one)), [(NODE, ""), (POD, RUNNING)])
    except Forbidden as error:
        return {"unknown": error.why}
    return dict(capacity.snapshot(nodes, pods))


def _of_the_cluster(api: Api, definition: Definition, params: Mapping[str, Any]) -> Iterator[Finding]:
    seen = _seen(params["capacity"]) or read(api)
    planner = Planner(api, definition.release, Manners())
    bodies = stamped(definition, "")
    yield from rights.findings(bodies, _rights(api))
    for body in bodies:
        if body["kind"] == DEPLOYMENT.name:
            yield from _claims(api, body, bodies)
            yield from _admission(planner, body, bodies, create_namespace=params["namespace_create"])
            if "unknown" in seen:
                yield room.unknown(body, seen["unknown"])
            else:
                yield from room.findings(body, seen)
            yield from _memory(body, seen, params)


def _seen(text: str) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        return capacity.unpacked(text)
    except ValueError as error:
        raise InvalidInput(
            "The capacity that was handed over cannot be read", str(error), "Hand over what another task has returned"
        ) from error


def _admission(planner: Planner, body: Object, bodies: list[Object], *, create_namespace: bool) -> Iterator[Finding]:
    """What the API server says to a pod of the Deployment. What is released with it counts as being there."""
    try:
        answer = planner.try_pod(body, map(key_of, bodies))
    except NotFound as error:
        if not create_namespace:
            yield Finding(
                rule="namespace-missing",
                level="error",
                what=f"There is no namespace {planner.api.namespace!r}",
                why=error.why or "a release does not create it unless it is told to",
                do="Create it, correct the name, or let the release create it",
                setting="namespace_create",
            )
        return
    except Refused as error:
        yield _of_error("pod-refused", error)
        return
    for warning in answer.warnings:
        yield Finding(
            rule="pod-warning",
            level="warning",
            what=f"The API server warns of the pods of Deployment/{body['metadata']['name']}",
            why=warning,
            do="Correct the pod template",
        )
    if answer.over_quota:
        there = _replicas(planner.api, body["metadata"]["name"])
        yield Finding(
            rule="quota",
            level="warning" if there else "error",
            what=f"A quota has no room for a {'further ' if there else ''}pod of Deployment/{body['metadata']['name']}",
            why=answer.over_quota,
            do="Expect one pod less during the release, or raise the quota" if there else "Raise the quota, or free it",
        )


def _rights(api: Api) -> Mapping[str, Any]:
    """What this account may do; nothing where even that may not be asked."""
    try:
        return api.rights()
    except (Forbidden, NotFound):
        return {}


def _claims(api: Api, body: Object, bodies: list[Object]) -> Iterator[Finding]:
    """The claims that the pods mount and that neither are there nor are released with them."""
    released = {one["metadata"]["name"] for one in bodies if one["kind"] == CLAIM.name}
    for name in strategy.claims(body):
        try:
            if name not in released:
                api.get(CLAIM, name)
        except NotFound:
            yield Finding(
                rule="claim-missing",
                level="error",
                what=f"There is no PersistentVolumeClaim/{name}",
                why=f"the pods of Deployment/{body['metadata']['name']} mount it",
                do="Create it, or correct its name",
                setting="volumes",
            )
        except Forbidden:  # told already
            return


def _replicas(api: Api, name: str) -> int:
    try:
        return int((api.get(DEPLOYMENT, name).get("status") or {}).get("replicas", 0))
    except NotFound:
        return 0


def _memory(body: Object, seen: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Finding]:
    container, pod = container_of(body["spec"]["template"]), body["spec"]["template"]["spec"]
    resource = capacity.devices(pod)
    if container is None or not resource:
        return
    try:
        weights = int(amount(params["model_weights"])) if params["model_weights"] else None
    except ValueError as error:
        yield Finding(
            rule="quantity",
            level="error",
            what=str(error),
            why="it is the size of the model's weights",
            do="Write it as a number with a unit that Kubernetes knows, such as 13.5Gi",
            setting="model weights",
        )
        return
    argv = [str(word) for word in [*(container.get("command") or []), *(container.get("args") or [])]]
    need = memory.need(argv, str(container.get("image", "")), params["model_config"], weights)
    gpus = {
        node["name"]: memory.of_gpu(node["labels"], resource)
        for node in seen.get("nodes", [])
        if capacity.suits(pod, node)
    }
    yield from memory.findings(f"Deployment/{body['metadata']['name']}", need, gpus)


def _of_error(rule: str, error: CollectionError) -> Finding:
    return Finding(rule=rule, level="error", what=error.what, why=error.why, do=error.do, setting=error.setting)
