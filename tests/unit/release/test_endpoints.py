# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Service sends requests to the pods of its release, and to no others."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.endpoints import judged, unknown

EXACT = (True, "Service s has exactly the ready pods")


def endpoint(pod: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": ["10.0.0.1"], "conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}


def part(*endpoints: dict[str, Any], service: str = "s") -> dict[str, Any]:
    """A slice. One without endpoints says null."""
    return {"metadata": {"labels": {"kubernetes.io/service-name": service}}, "endpoints": list(endpoints) or None}


def found(slices: list[dict[str, Any]], *groups: list[str]) -> dict[str, tuple[bool | None, str]]:
    checks = judged(slices, groups)
    assert {check.name for check in checks.values()} <= {"service"}
    return {pod: (check.passed, check.detail) for pod, check in checks.items()}


@pytest.mark.parametrize(
    "slices",
    [
        pytest.param([part(endpoint("p", ready=True), endpoint("q", ready=True))], id="ready"),
        pytest.param([part(endpoint("p"), endpoint("q"))], id="nothing said means ready"),
        pytest.param([part(endpoint("p")), part(endpoint("q"), endpoint("p"))], id="several slices"),
        pytest.param([part(endpoint("p"), endpoint("q"), endpoint("old", ready=False))], id="one that ends"),
    ],
)
def test_exactly_the_pods(slices: list[dict[str, Any]]) -> None:
    assert found(slices, ["p", "q"]) == {"p": EXACT, "q": EXACT}


def test_one_is_missing() -> None:
    assert found([part(endpoint("p"), endpoint("q", ready=False))], ["p", "q"]) == {
        "p": EXACT,
        "q": (False, "Service s sends it no requests"),
    }


def test_others_are_there() -> None:
    stranger = {"addresses": ["10.0.0.9"]}
    wrong = (False, "Service s sends requests also to 10.0.0.9, other")
    assert found([part(endpoint("p"), endpoint("other"), stranger)], ["p"]) == {"p": wrong}


@pytest.mark.parametrize("slices", [[part()], [part(endpoint("p", ready=False))]])
def test_nobody_is_there(slices: list[dict[str, Any]]) -> None:
    assert found(slices, ["p"]) == {"p": (False, "Service s has no endpoints")}


def test_a_release_without_a_service() -> None:
    assert found([], ["p"]) == {"p": (None, "not looked at: the release has no Service with endpoints")}


def test_a_service_for_each_deployment() -> None:
    slices = [part(endpoint("p"), endpoint("q"), service="one"), part(endpoint("r"), service="two")]
    right = (True, "Service one, two has exactly the ready pods")
    assert found(slices, ["p", "q"], ["r"]) == {"p": right, "q": right, "r": right}


def test_a_service_has_to_have_all_pods_of_the_deployments_it_has_one_of() -> None:
    slices = [part(endpoint("p"), service="one"), part(endpoint("r"), service="two")]
    checks = found(slices, ["p", "q"], ["r"])
    assert checks["q"] == (False, "Service one sends it no requests")
    assert checks["p"][0] is checks["r"][0] is True


def test_a_deployment_without_pods_takes_no_service_from_another() -> None:
    right = (True, "Service one, two has exactly the ready pods")
    assert found([part(endpoint("p"), service="one"), part(service="two")], ["p"], []) == {"p": right}


def test_a_service_of_something_else_is_none_of_their_business() -> None:
    slices = [part(endpoint("p"), service="one"), part(endpoint("cache-0"), service="two")]
    assert found(slices, ["p"])["p"][0] is True


def test_nothing_is_known() -> None:
    check = unknown(["p"], "it may not list them")["p"]
    assert (check.passed, check.detail) == (None, "not looked at: it may not list them")
