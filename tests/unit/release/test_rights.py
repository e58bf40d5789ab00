# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rights a release needs, and what is said about those that are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rights import findings, needed

Object = dict[str, Any]
README = (Path(__file__).parents[3] / "README.md").read_text()


def body(kind: str, api_version: str = "v1", **annotations: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "annotations": annotations}}


SERVER = [
    body("Deployment", "apps/v1"),
    body("PersistentVolumeClaim"),
    body("ServiceMonitor", "monitoring.coreos.com/v1", **{"vllm.ai-aas/optional": "true"}),
]
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}


def the_role_of_the_readme() -> list[Object]:
    (role,) = (text for text in README.split("```yaml\n") if "name: vllm-deployer" in text)
    rules: list[Object] = yaml.safe_load(role.partition("```")[0])["rules"]
    return rules


def why(rules: list[Object], **review: Any) -> list[tuple[str, str]]:
    return [(one.level, one.why) for one in findings(SERVER, {"resourceRules": rules} | review)]


def test_the_role_of_the_readme_is_enough() -> None:
    assert why(the_role_of_the_readme()) == []


def test_data_is_not_deleted_and_the_optional_not_asked_for() -> None:
    rights = needed(SERVER)
    assert ("apps", "deployments", "delete") in rights
    assert ("", "persistentvolumeclaims", "patch") in rights
    assert ("", "persistentvolumeclaims", "delete") not in rights
    assert not any(resource == "servicemonitors" for _group, resource, _verb in rights)


@pytest.mark.parametrize(
    ("taken", "lacking"),
    [
        ("replicasets", "list replicasets"),
        ("pods/portforward", "get and create pods/portforward"),
        ("deployments", "get and list and create and patch and delete deployments"),
    ],
)
def test_everything_that_is_missing_is_told(taken: str, lacking: str) -> None:
    rules = [rule for rule in the_role_of_the_readme() if taken not in rule["resources"]]
    assert why(rules) == [("error", f"it has no right to {lacking}")]
    # A right to certain objects only is none to all of them.
    some = {"apiGroups": ["*"], "resources": [taken], "verbs": ["*"], "resourceNames": ["x"]}
    assert why([*rules, some]) == [("error", f"it has no right to {lacking}")]


@pytest.mark.parametrize(
    "rule", [EVERYTHING, EVERYTHING | {"resources": ["*", "*/log"]}, EVERYTHING | {"apiGroups": ["", "apps"]}]
)
def test_who_may_do_everything(rule: Object) -> None:
    assert why([rule]) == []


def test_what_is_not_told_is_no_error() -> None:
    little = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    assert [level for level, _why in why([little], incomplete=True)] == ["warning"]
    assert list(findings(SERVER, {})) == []
