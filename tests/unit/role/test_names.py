# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and labels that every object has."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import define, findings
from ansible_collections.ai_aas.vllm.tests.unit.role.paths import POD, TEMPLATE, changes, paths
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import Rendering, render

EVERYWHERE = ("environment", "namespace", "release_name", "labels", "extra_labels")
KINDS = "ServiceAccount NetworkPolicy PodDisruptionBudget Service Deployment ServiceMonitor PrometheusRule".split()
LABELED = [f"{kind}.metadata" for kind in KINDS] + [f"{TEMPLATE}.metadata"]
SELECTORS = [
    "Deployment.spec.selector.matchLabels",
    "NetworkPolicy.spec.podSelector.matchLabels",
    "PodDisruptionBudget.spec.selector.matchLabels",
    "Service.spec.selector",
    "ServiceMonitor.spec.selector.matchLabels",
]


def spread(rendering: Rendering) -> Any:
    (constraint,) = rendering.pod()["topologySpreadConstraints"]
    return constraint["labelSelector"]["matchLabels"]


def alerts(rendering: Rendering) -> dict[str, str]:
    return {path: value for path, value in paths(rendering).items() if path.startswith("PrometheusRule.spec.groups")}


def test_the_release_is_named_after_host_and_environment() -> None:
    assert (
        render(inventory_hostname="Qwen2.5_7B", vllm_deploy_environment="staging").task["name"] == "qwen2-5-7b-staging"
    )


@pytest.mark.parametrize("name", ["labels", "extra_labels"])
def test_labels_are_on_every_object_and_in_no_selector(name: str) -> None:
    after = render(**{f"vllm_deploy_{name}": {"team": "search"}})
    assert changes(render(), after) == {f"{metadata}.labels.team": "search" for metadata in LABELED}


def test_no_label_takes_the_place_of_a_selector() -> None:
    name = "app.kubernetes.io/name"
    assert paths(render(vllm_deploy_labels={name: "mine"}, vllm_deploy_extra_labels={name: "mine"})) == paths(render())


def test_the_namespace_is_that_of_every_object_and_of_the_series() -> None:
    before, after = render(), render(vllm_deploy_namespace="elsewhere")
    expected: dict[str, Any] = {f"{kind}.metadata.namespace": "elsewhere" for kind in KINDS}
    expected |= {
        path: value.replace('namespace="system"', 'namespace="elsewhere"')
        for path, value in alerts(before).items()
        if "namespace=" in value
    }
    assert changes(before, after) == expected | {"task.namespace": "elsewhere"}


def test_the_release_name_is_in_every_name_and_selector() -> None:
    before, after = render(), render(vllm_deploy_release_name="other")
    instance = "[app.kubernetes.io/instance]"
    expected: dict[str, Any] = {f"{kind}.metadata.name": "other" for kind in KINDS}
    expected |= {f"{metadata}.labels{instance}": "other" for metadata in LABELED}
    expected |= {f"{selector}{instance}": "other" for selector in SELECTORS}
    expected |= {
        path: value.replace("llama-2-7b-development", "other")
        for path, value in alerts(before).items()
        if "llama-2-7b-development" in value
    }
    expected |= {"task.name": "other", f"{POD}.serviceAccountName": "other"}
    found = changes(before, after)
    assert found.pop(f"{POD}.topologySpreadConstraints")
    assert spread(after) == after.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert found == expected


def test_the_environment_is_in_the_name_and_in_a_label_but_in_no_selector() -> None:
    renamed = {"vllm_deploy_release_name": "same"}
    before, after = render(**renamed), render(**renamed, vllm_deploy_environment="staging")
    label = "[vllm.ai-aas/environment]"
    assert changes(before, after) == {f"{metadata}.labels{label}": "staging" for metadata in LABELED}
    assert render(vllm_deploy_environment="staging").task["name"] == "llama-2-7b-staging"


def test_the_selectors_are_the_same_three_labels() -> None:
    rendering = render()
    wanted = {
        "app.kubernetes.io/name": "vllm",
        "app.kubernetes.io/instance": "llama-2-7b-development",
        "app.kubernetes.io/component": "server",
    }
    found = paths(rendering)
    for selector in SELECTORS:
        assert {path: value for path, value in found.items() if path.startswith(selector)} == {
            f"{selector}[{label}]": value for label, value in wanted.items()
        }
    assert spread(rendering) == wanted


@pytest.mark.parametrize(("length", "rules"), [(63, []), (64, ["release-name"])])
def test_a_name_of_more_than_63_characters_is_refused(length: int, rules: list[str]) -> None:
    rendering = render(inventory_hostname="m" * (length - len("-development")))
    definition = define(rendering.task["name"], rendering.task["namespace"], rendering.objects)
    assert [finding.rule for finding in findings(definition)] == rules
