# SPDX-License-Identifier: GPL-3.0-or-later
"""How an operation says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import CollectionError, Refused, ReleaseFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller, perform, refuse

NAMES = {"image tag": "vllm_deploy_image_tag"}
CALLER = Caller(check_mode=False, console=print, environ={}, by={})


def finding(what: str, do: str, setting: str = "") -> Finding:
    return Finding(rule="r", level="error", what=what, why="it must not", do=do, setting=setting)


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        ([finding("A is so", "Change it")], "x cannot be released. A is so: it must not. Change it."),
        (
            [finding("A is so", "Name a tag", "image tag")],
            "x cannot be released. A is so: it must not. Name a tag (vllm_deploy_image_tag).",
        ),
        (
            [finding("A is so", "Change it"), finding("B is so", "Leave it"), finding("C is so", "Change it")],
            (
                "x cannot be released. A is so: it must not; B is so: it must not; C is so: it must not. "
                "Change it; Leave it."
            ),
        ),
    ],
)
def test_everything_that_is_wrong_is_said_at_once_and_each_cure_once(problems: list[Finding], message: str) -> None:
    with pytest.raises(CollectionError) as refusal:
        refuse("x cannot be released", problems, NAMES)
    assert str(refusal.value) == message


def test_nothing_wrong_is_no_refusal() -> None:
    refuse("x cannot be released", [], NAMES)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (Refused("No", "Why", "Name it", setting="image tag"), {"changed": False}),
        (
            ReleaseFailed("No", "Why", "Name it (vllm_deploy_image_tag)", result={"failure": {"cause": "c"}}),
            {"changed": True, "failure": {"cause": "c"}},
        ),
    ],
)
def test_an_error_becomes_a_failed_result(error: CollectionError, result: dict[str, Any]) -> None:
    def operation(_params: Mapping[str, Any], _caller: Caller) -> dict[str, Any]:
        raise error

    message = "No. Why. Name it (vllm_deploy_image_tag)."
    assert perform(operation, {"setting_names": NAMES}, CALLER) == {"failed": True, "msg": message} | result


def test_a_result_is_handed_on() -> None:
    assert perform(lambda params, caller: {"changed": caller.check_mode, **params}, {"name": "x"}, CALLER) == {
        "changed": False,
        "name": "x",
    }


def test_what_nobody_has_foreseen_is_let_through() -> None:
    with pytest.raises(ZeroDivisionError):
        perform(lambda _params, _caller: {"changed": 1 / 0}, {"setting_names": {}}, CALLER)
