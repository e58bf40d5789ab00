# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kubernetes would refuse, or accept and never run: of any workload, found without a cluster.

The API server says most of it, too, but in the words of a parser, one thing at a time, and only when it can be reached.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.quantity import amount
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.names import identity

# RFC 1035 label: it becomes a DNS name that some resolvers refuse when it begins with a digit.
SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
# RFC 1123 subdomain.
OBJECT_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def findings(objects: Iterable[Object]) -> Iterator[Finding]:
    for body in objects:
        yield from _name(body)
        if body["kind"] == "Deployment":
            yield from _strategy(body)
            for container in _containers(body):
                where = f"container {container.get('name')!r} of {identity(body)}"
                yield from _twice(where, "environment variable", container.get("env"), "extra environment")
                yield from _twice(where, "port name", container.get("ports"), "")
                yield from _probe_ports(where, container)
                yield from _quantities(where, container)
            yield from _mounts(body)


def _name(body: Object) -> Iterator[Finding]:
    name, pattern = body["metadata"]["name"], SERVICE_NAME if body["kind"] == "Service" else OBJECT_NAME
    if not pattern.fullmatch(name):
        service = "a letter first, then letters, digits and '-', at most 63 in all"
        other = "lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
        yield _error(
            "object-name",
            f"{identity(body)} has a name that Kubernetes does not take",
            f"the name of a {body['kind']} has {service if body['kind'] == 'Service' else other}",
            "Choose another name",
            "release name",
        )


def _strategy(body: Object) -> Iterator[Finding]:
    strategy = body["spec"].get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    if (
        strategy.get("type", "RollingUpdate") == "RollingUpdate"
        and strategy
        and not {"maxSurge", "maxUnavailable"} <= rolling.keys()
    ):
        yield _error(
            "strategy-half",
            f"{identity(body)} names only a part of its rolling update",
            "the server fills the rest with 25 %, which needs GPUs nobody has counted",
            "Name both maxSurge and maxUnavailable, or leave the strategy out",
            "strategy",
        )
    if rolling and _zero(rolling.get("maxSurge")) and _zero(rolling.get("maxUnavailable")):
        yield _error(
            "strategy-stuck",
            f"{identity(body)} may neither add a pod nor take one away",
            "maxSurge and maxUnavailable are both 0",
            "Allow one of them",
            "strategy",
        )


def _twice(where: str, thing: str, entries: list[Any] | None, setting: str) -> Iterator[Finding]:
    counts = Counter(str(entry["name"]) for entry in entries or [] if isinstance(entry, dict) and entry.get("name"))
    for name in (name for name, count in counts.items() if count > 1):
        yield _error(
            f"duplicate-{thing.replace(' ', '-')}",
            f"The {thing} {name} stands twice in the {where}",
            "only one of them counts, and a server-side apply refuses both",
            "Leave one out",
            setting,
        )


def _probe_ports(where: str, container: Object) -> Iterator[Finding]:
    names = {port.get("name") for port in container.get("ports") or []}
    for probe in PROBES:
        port = ((container.get(probe) or {}).get("httpGet") or {}).get("port")
        if isinstance(port, str) and port.isdigit():
            yield _error(
                "probe-port-text",
                f"The {probe} of the {where} asks port {port!r}",
                "a port that is text is the name of a port, and a name has a letter",
                f"Write {port} as a number",
            )
        elif isinstance(port, str) and port not in names:
            yield _error(
                "probe-port-unknown",
                f"The {probe} of the {where} asks port {port!r}",
                f"the ports of the container are called {', '.join(sorted(map(str, names))) or 'nothing'}",
                "Name one of its ports",
            )


def _quantities(where: str, container: Object) -> Iterator[Finding]:
    for sort, amounts in (container.get("resources") or {}).items():
        for resource, text in amounts.items() if isinstance(amounts, dict) else ():
            try:
                amount(text)
            except ValueError:
                yield _error(
                    "quantity",
                    f"{text!r} is no quantity",
                    f"it is the {sort.rstrip('s')} for {resource} in the {where}",
                    "Write it as a number with a unit that Kubernetes knows, such as 24Gi or 500m",
                    "gpus" if "/" in resource else f"{resource} {sort.rstrip('s')}",
                )


def _mounts(body: Object) -> Iterator[Finding]:
    spec = body["spec"]["template"]["spec"]
    volumes = Counter(str(volume.get("name")) for volume in spec.get("volumes") or [])
    for name in (name for name, count in volumes.items() if count > 1):
        why = "a mount could mean either"
        yield _error("duplicate-volume", f"{identity(body)} has two volumes {name!r}", why, "Rename one", "volumes")
    for container in _containers(body):
        mounts = container.get("volumeMounts") or []
        for mount in mounts:
            if mount.get("name") not in volumes:
                yield _error(
                    "mount-without-volume",
                    f"{identity(body)} mounts {mount.get('name')!r}",
                    "it has no volume of that name",
                    "Add the volume, or leave the mount out",
                    "volumes",
                )
        paths = Counter(str(mount.get("mountPath")) for mount in mounts)
        for path in (path for path, count in paths.items() if count > 1):
            why = "one would hide the other"
            yield _error(
                "duplicate-mount", f"{identity(body)} mounts two volumes at {path}", why, "Move one", "volumes"
            )


def _containers(body: Object) -> list[Object]:
    spec = body["spec"]["template"]["spec"]
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _zero(value: object) -> bool:
    return str(value) in ("0", "0%")


def _error(rule: str, what: str, why: str, do: str, setting: str = "") -> Finding:
    return Finding(rule=rule, level="error", what=what, why=why, do=do, setting=setting)
