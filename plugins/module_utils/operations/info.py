# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about releases. Only reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import CONFIG_MAP, Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import NotFound, Refused, sentence
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause, Object, with_names
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.explanation import explained
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import history, lock, names, record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import define, stamped
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.drift import Drift, drifted
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.overview import (
    last_write,
    overview,
    pods_belong,
    pods_of,
    release_of,
    trouble,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.plan import Key, key_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.store import Store

# A living run is heard of every 15 s.
SILENCE = timedelta(minutes=5)
UNREADABLE = {"state": "unreadable", "summary": "cannot be read"}
DEPLOYMENT, POD = Kind("apps/v1", "Deployment"), Kind("v1", "Pod")


def info(params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """The result of vllm_release_info. Raises CollectionError."""
    api = Api(Connection(params, caller.environ), params["namespace"])
    name, revision = params["name"], params["revision"]
    heads, unread = _loaded(_heads(api, name), alone=name is not None)
    if revision is not None and name not in heads:
        raise Refused(
            f"Revision {revision} of {name} cannot be had",
            f"There is no release {name} in namespace {api.namespace}",
            "Correct the name or the namespace",
        )
    about = {release: overview(head, written, dead=_dead(head, written)) for release, (head, written) in heads.items()}
    about |= {release: overview(record.Head(release_uid=""), "") | UNREADABLE for release in unread}
    releases = {release: {"name": release, "namespace": api.namespace} | about[release] for release in sorted(about)}
    if revision is not None:
        releases[name]["history"] = [asdict(_row(heads[name][0], revision))]
    if params["include_definition"]:
        for release, (head, _written) in heads.items():
            releases[release]["definition"] = _definition(api, release, head, revision, alone=name is not None)
    if params["include_pods"] and heads:
        _tell_of_pods(api, releases, api.list(DEPLOYMENT, _selector(name)))
    for told in releases.values():
        told["problem"] = _problem(told, told.pop("trouble", None), params["setting_names"])
    for release, error in unread.items():
        releases[release]["problem"] = {"message": sentence(f"{error.what}: {error.why}"), "hint": sentence(error.do)}
    if params["include_drift"]:
        live = _live(api, name, [head for head, _written in heads.values()])
        for release, (head, _written) in heads.items():
            drifts = _drift(api, release, head, live)
            releases[release]["drift"] = [asdict(drift) | {"change": drift.change.value} for drift in drifts]
    return {"changed": False, "releases": list(releases.values()), "requests": api.requests}


def _tell_of_pods(api: Api, releases: dict[str, dict[str, Any]], deployments: list[Object]) -> None:
    """How many there are; and where some are not ready, and no failure on record says why, one more request tells what
    they say now."""
    unready: dict[str, list[Object]] = {}
    for release, told in releases.items():
        bodies = [body for body in deployments if release_of(body) == release]
        told["pods"] = pods_of(bodies)
        if told["pods"]["ready"] < told["pods"]["wanted"] and (told["current"] or not told["failure"]):
            unready[release] = bodies
    pods = api.list(POD) if unready else []
    for release, bodies in unready.items():
        theirs = [pod for body in bodies for pod in pods_belong(body, pods)]
        releases[release]["trouble"] = trouble(bodies, theirs, explained, datetime.now(UTC))


def _dead(head: record.Head, written: str) -> bool:
    """Whether the run that is at work on a release has ended. Of one on another machine only its heartbeat tells, by
    the API server's clock, which may differ from ours."""
    if head.operation is None:
        return False
    gone = lock.gone(head.operation.holder)
    silent = datetime.now(UTC) - datetime.fromisoformat(written) if written else timedelta()
    return silent > SILENCE if gone is None else gone


def _problem(told: Mapping[str, Any], found: Cause | None, setting_names: Mapping[str, str]) -> dict[str, str] | None:
    """What is wrong with a release, and what to do: with its run, with its pods as they are now, else with its newest
    revision."""
    revision, failure, operation = told["revision"], told["failure"], told["operation"]
    if operation and told["state"] == "interrupted":
        message, hint, setting = f"The run of {operation['holder']} was cut short.", "Run the same command again", ""
    elif found:
        message, hint, setting = sentence(found.sentence), found.cure, found.setting
    elif failure:
        message, hint, setting = (
            f"Revision {revision} failed: {failure['message']}",
            failure["hint"],
            failure["setting"],
        )
    else:
        return None
    return {"message": message, "hint": sentence(with_names(hint, setting, setting_names)) if hint else ""}


def _heads(api: Api, name: str | None) -> list[Object]:
    """One request, however many releases there are."""
    if name is None:
        return sorted(api.list(CONFIG_MAP, f"{names.RECORD}=head"), key=release_of)
    try:
        return [api.get(CONFIG_MAP, Store(api, name).name)]
    except NotFound:
        return []


def _loaded(bodies: Iterable[Object], *, alone: bool) -> tuple[dict[str, tuple[record.Head, str]], dict[str, Refused]]:
    """({release: (head, when it was written)}, {release: why its head cannot be read}). One that somebody has spoilt
    hides no other; asked for `alone`, it raises Refused."""
    heads, unread = {}, {}
    for body in bodies:
        try:
            heads[release_of(body)] = record.load((body.get("data") or {}).get("head", "")), last_write(body)
        except Refused as error:
            if alone:
                raise
            unread[release_of(body)] = error
    return heads, unread


def _row(head: record.Head, revision: int) -> record.Row:
    row = head.row(revision)
    if row is None:
        raise Refused(f"There is no revision {revision}", history.choices(head), "Name one of these revisions")
    return row


def _definition(api: Api, release: str, head: record.Head, revision: int | None, *, alone: bool) -> list[Object] | None:
    """The recorded objects of a revision, of the current one without a number; None where nothing is released, and
    unless this release is asked for `alone`, where the record cannot be had."""
    revision = revision or (head.current.revision if head.current else None)
    return None if revision is None else _recorded(api, release, revision, alone=alone)


def _recorded(api: Api, release: str, revision: int, *, alone: bool) -> list[Object] | None:
    try:
        return list(Store(api, release).read_record(revision)["definition"])
    except Refused:
        if alone:
            raise
        return None


def _live(api: Api, name: str | None, heads: Iterable[record.Head]) -> dict[Key, Object]:
    """The labelled objects of the kinds that are in some inventory: one request for each kind."""
    kinds = {Kind(item.api_version, item.kind) for head in heads for item in head.inventory}
    found = in_parallel(lambda kind: _listed(api, kind, name), sorted(kinds, key=str))
    return {key_of(body): body for bodies in found for body in bodies}


def _listed(api: Api, kind: Kind, name: str | None) -> list[Object]:
    try:
        return api.list(kind, _selector(name))
    except NotFound:  # its CustomResourceDefinition is gone, and all objects with it
        return []


def _drift(api: Api, release: str, head: record.Head, live: Mapping[Key, Object]) -> list[Drift]:
    """What is not as it was applied. An object that is not in the lists, and the record of a release that has changed,
    cost a request each."""
    there = {item: live.get(item.key) or _by_name(api, item) for item in head.inventory if not item.doomed}
    changed = any(body and live_digest(body) != item.digest for item, body in there.items())
    wanted: dict[Key, Object] = {}
    if changed and head.current:
        objects = _recorded(api, release, head.current.revision, alone=False) or []
        wanted = {key_of(body): body for body in stamped(define(release, api.namespace, objects), head.release_uid)}
    found = [drifted(item, body, wanted.get(item.key)) for item, body in there.items()]
    return [drift for drift in found if drift]


def _by_name(api: Api, item: record.Item) -> Object | None:
    try:
        return api.get(Kind(item.api_version, item.kind), item.name)
    except NotFound:
        return None


def _selector(name: str | None) -> str:
    return names.RELEASE if name is None else f"{names.RELEASE}={name}"
