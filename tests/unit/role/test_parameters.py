# SPDX-License-Identifier: GPL-3.0-or-later
"""Each variable changes what it is there for, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.unit.role import chart_parameters, more_parameters
from ansible_collections.ai_aas.vllm.tests.unit.role.paths import changes, paths
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import refusals, render, specified
from ansible_collections.ai_aas.vllm.tests.unit.role.row import Row
from ansible_collections.ai_aas.vllm.tests.unit.role.test_names import EVERYWHERE

ROWS = [*chart_parameters.ROWS, *more_parameters.ROWS]
CHART = """
    model.name model.path model.revision image.repository image.tag image.pullPolicy
    resources.requests.nvidia.com/gpu resources.limits.nvidia.com/gpu resources.requests.memory resources.limits.memory
    resources.requests.cpu resources.limits.cpu replicaCount environment namespace
    vllm.host vllm.port vllm.maxModelLen vllm.tensorParallelSize
    livenessProbe.enabled livenessProbe.initialDelaySeconds livenessProbe.periodSeconds livenessProbe.timeoutSeconds
    livenessProbe.failureThreshold
    readinessProbe.enabled readinessProbe.initialDelaySeconds readinessProbe.periodSeconds
    startupProbe.enabled startupProbe.failureThreshold nodeSelector tolerations affinity
    service.type service.port service.annotations networkPolicy.enabled networkPolicy.allowedNamespaces
    serviceMonitor.enabled serviceMonitor.interval
""".split()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.variable)
def test_a_variable_changes_exactly_this(row: Row) -> None:
    assert changes(render(**row.before), render(**row.after)) == row.changes


@pytest.mark.parametrize("side", ["before", "after"])
def test_none_of_these_values_is_refused(side: str) -> None:
    assert refusals(**merged(getattr(row, side) for row in ROWS)) == []


def test_every_variable_has_a_row() -> None:
    assert {row.name for row in ROWS} | {f"vllm_deploy_{name}" for name in EVERYWHERE} == set(specified())


def test_every_parameter_of_the_chart_has_a_row() -> None:
    assert {name for row in ROWS for name in row.chart.split()} | {"environment", "namespace"} == set(CHART)


def typed(value: object) -> str:
    """As `-e name=value` gives it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def of_type(*types: str) -> list[str]:
    return [name for name, option in specified().items() if option["type"] in types]


def in_strings(row: Row) -> dict[str, Any]:
    return row.before | {row.name: typed(row.value)}


def merged(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for row in rows for name, value in row.items()}


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row.value, bool)], ids=lambda row: row.variable)
def test_a_switch_given_as_a_string_renders_the_same(row: Row) -> None:
    assert paths(render(**in_strings(row))) == paths(render(**row.after))


def test_numbers_given_as_strings_render_the_same() -> None:
    numbers = [row for row in ROWS if isinstance(row.value, int | float) and not isinstance(row.value, bool)]
    assert {row.name for row in numbers} == set(of_type("int", "float"))
    assert paths(render(**merged(map(in_strings, numbers)))) == paths(render(**merged(row.after for row in numbers)))


def test_all_defaults_given_as_strings_render_the_same() -> None:
    defaults = {name: option["default"] for name, option in specified().items()}
    typed_in = {name: typed(value) for name, value in defaults.items() if isinstance(value, bool | int | str)}
    literal = {name: value for name, value in typed_in.items() if "{{" not in value}
    assert len(literal) > 60
    assert paths(render(**literal)) == paths(render())


def test_numbers_given_for_words_render_as_words() -> None:
    """In an inventory `7` without quotes is a number, as the name of a Secret or a quantity of memory as well."""
    words = [name for name in of_type("str") if "choices" not in specified()[name] and "kubeconfig" not in name]
    lists = [name for name in of_type("list") if specified()[name]["elements"] == "str" and "require" not in name]
    every_object = dict.fromkeys(("vllm_deploy_cache_enabled", "vllm_deploy_rbac_secrets"), True)
    every_object |= {"vllm_deploy_config_files": more_parameters.FILES}

    def given(value: Any) -> dict[str, Any]:
        return every_object | dict.fromkeys(words, value) | {name: [value] for name in lists}

    own_claim = {"vllm_deploy_cache_existing_claim": ""}
    assert paths(render(**given(7))) == paths(render(**given("7")))
    assert paths(render(**given(7) | own_claim)) == paths(render(**given("7") | own_claim))


# Ansible's own check takes the first for a list or a dictionary, the second for a list.
@pytest.mark.parametrize("given", ["namespace=value", "[]"])
@pytest.mark.parametrize("name", of_type("list", "dict"))
def test_a_list_or_dictionary_given_as_a_string_is_refused(name: str, given: str) -> None:
    assert refusals(**{name: given})


def test_the_refusal_of_a_string_names_the_variable() -> None:
    (refusal,) = refusals(vllm_deploy_labels="team=search", vllm_deploy_extra_args="--enforce-eager")
    assert refusal.startswith("vllm_deploy_extra_args, vllm_deploy_labels must be a list or a dictionary")


def test_a_number_or_switch_that_is_none_is_refused() -> None:
    names = of_type("int", "float", "bool")
    found = refusals(**dict.fromkeys(names, "many"))
    assert sorted(name for name in names for refusal in found if name in refusal.split("'")) == sorted(names)


def test_a_word_that_is_no_choice_is_refused() -> None:
    names = [name for name, option in specified().items() if "choices" in option]
    found = refusals(**{name: ["x"] if name in of_type("list") else "x" for name in names})
    assert sorted(name for name in names for refusal in found if name in refusal.split()) == sorted(names)
