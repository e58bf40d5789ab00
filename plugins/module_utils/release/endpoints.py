# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a Service send requests to the pods of its release, and to no others? Pure: out of EndpointSlices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check, Object

SERVICE_NAME = "kubernetes.io/service-name"


def judged(slices: Iterable[Object], groups: Sequence[Collection[str]]) -> dict[str, Check]:
    """One check for each pod. `groups`: the names of the ready pods of each Deployment.

    A Service belongs to the Deployments of which it has a pod, and has to have all their ready pods then, and no more.
    One without endpoints may be that of a Deployment without pods; one that has no pod of a Deployment may be that of
    something else, as long as another has. `slices` are those of the release's Services: the controller hands a
    Service's labels on to them."""
    services = _endpoints(slices)
    pods = [pod for group in groups for pod in group]
    if not services:
        return {pod: _check(None, "not looked at: the release has no Service with endpoints") for pod in pods}
    reached = any(endpoints & set(pods) for endpoints in services.values())
    wrong: dict[str, str] = {}
    for service, endpoints in services.items():
        belonging = {pod for group in groups if endpoints & set(group) for pod in group}
        foreign = sorted(endpoints - set(pods))
        for pod in pods:
            if not endpoints and all(groups):
                wrong.setdefault(pod, f"Service {service} has no endpoints")
            elif pod in belonging - endpoints:
                wrong.setdefault(pod, f"Service {service} sends it no requests")
            elif foreign and (pod in belonging or not reached):
                wrong.setdefault(pod, f"Service {service} sends requests also to {', '.join(foreign)}")
    right = f"Service {', '.join(services)} has exactly the ready pods"
    return {pod: _check(pod not in wrong, wrong.get(pod, right)) for pod in pods}


def unknown(pods: Iterable[str], why: str) -> dict[str, Check]:
    """Where the slices cannot be read."""
    return {pod: _check(None, f"not looked at: {why}") for pod in pods}


def _endpoints(slices: Iterable[Object]) -> dict[str, set[str]]:
    """The names of the ready endpoints of each Service. One that is no pod goes by its address."""
    found: dict[str, set[str]] = {}
    for body in slices:
        names = found.setdefault((body["metadata"].get("labels") or {}).get(SERVICE_NAME, ""), set())
        for endpoint in body.get("endpoints") or []:
            if (endpoint.get("conditions") or {}).get("ready") is not False:  # nothing said means ready
                names.add((endpoint.get("targetRef") or {}).get("name") or endpoint["addresses"][0])
    return dict(sorted(found.items()))


def _check(passed: bool | None, detail: str) -> Check:
    cure = "Correct the Service's selector, or the labels of what else it fits" if passed is False else ""
    return Check(name="service", passed=passed, detail=detail, cure=cure)
