# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference shows what changes and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.diff import MASK, SERVER_SET, difference


def deployment(*env: dict[str, Any], **spec: Any) -> dict[str, Any]:
    container = {"name": "vllm", "image": "v:1", "args": ["m", "--port", "8000"], "env": list(env)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x", "labels": {"a": "1"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}} | spec,
    }


def inside(container: dict[str, Any]) -> dict[str, Any]:
    """What a change inside the one container looks like."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "vllm"} | container]}}}}


A, B, C = ({"name": name, "value": "1"} for name in "ABC")
A2 = A | {"value": "2"}


def with_image(image: str) -> dict[str, Any]:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return body


def with_args(*args: str) -> dict[str, Any]:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["args"] = list(args)
    return body


@pytest.mark.parametrize(
    ("live", "answer", "before", "after"),
    [
        pytest.param(deployment(), deployment(), {}, {}, id="nothing"),
        pytest.param(
            deployment(), deployment(replicas=3), {"spec": {"replicas": 1}}, {"spec": {"replicas": 3}}, id="a scalar"
        ),
        pytest.param(
            deployment(), deployment(paused=True), {"spec": {}}, {"spec": {"paused": True}}, id="a field is new"
        ),
        pytest.param(
            deployment(paused=True), deployment(), {"spec": {"paused": True}}, {"spec": {}}, id="a field goes"
        ),
        pytest.param(
            deployment(paused=None), deployment(), {"spec": {"paused": None}}, {"spec": {}}, id="null is not absence"
        ),
        pytest.param(
            with_image("v:1"),
            with_image("v:2"),
            inside({"image": "v:1"}),
            inside({"image": "v:2"}),
            id="in a list item, which is named by its key",
        ),
        pytest.param(
            deployment(A, B), deployment(A2, B), inside({"env": [A]}), inside({"env": [A2]}), id="an item of a list"
        ),
        pytest.param(deployment(A), deployment(A, B), inside({"env": []}), inside({"env": [B]}), id="an item is new"),
        pytest.param(deployment(A, B), deployment(B), inside({"env": [A]}), inside({"env": []}), id="an item goes"),
        pytest.param(
            deployment(A, B), deployment(B, C), inside({"env": [A]}), inside({"env": [C]}), id="one goes, one comes"
        ),
        pytest.param(
            deployment(A, B),
            deployment(B, A),
            inside({"env": [A, B]}),
            inside({"env": [B, A]}),
            id="only the order changes: both are shown whole",
        ),
        pytest.param(
            deployment(A, A2),
            deployment(A, B),
            inside({"env": [A, A2]}),
            inside({"env": [A, B]}),
            id="a key that is there twice joins nothing",
        ),
        pytest.param(
            with_args("m", "--port", "8000"),
            with_args("m", "--port", "9000"),
            inside({"args": ["m", "--port", "8000"]}),
            inside({"args": ["m", "--port", "9000"]}),
            id="a list of words is shown whole",
        ),
        pytest.param(
            deployment(ports=[{"containerPort": 1}]),
            deployment(ports=[{"containerPort": 1, "hostPort": 2}]),
            {"spec": {"ports": [{"containerPort": 1}]}},
            {"spec": {"ports": [{"containerPort": 1, "hostPort": 2}]}},
            id="items without a name are joined by the next key",
        ),
    ],
)
def test_only_what_changes(live: dict[str, Any], answer: dict[str, Any], before: Any, after: Any) -> None:
    change = difference(live, answer)
    assert (change.before, change.after) == (before, after)
    assert bool(change) == (live != answer)


def test_objects_come_and_go_whole_and_differences_leave_the_objects_alone() -> None:
    body = deployment(A)
    untouched = copy.deepcopy(body)
    assert (difference(None, body).before, difference(None, body).after) == ({}, body)
    assert (difference(body, None).before, difference(body, None).after) == (body, {})
    assert not difference(None, None)
    assert body == untouched


@pytest.mark.parametrize("field", SERVER_SET)
def test_what_the_server_sets_is_no_difference(field: str) -> None:
    live = deployment()
    live["metadata"][field] = "set by the server"
    assert not difference(live, deployment())
    assert field not in difference(live, None).before["metadata"]


def test_the_status_is_no_difference() -> None:
    live = deployment() | {"status": {"readyReplicas": 1}}
    assert not difference(live, deployment())
    assert "status" not in difference(live, None).before


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("HF_TOKEN", True),
        ("VLLM_API_KEY", True),
        ("KEY", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("client_secret", True),
        ("DB_PASSWORD", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("KEYBOARD", False),
        ("MONKEY", False),
        ("SECRETARY", False),
    ],
)
@pytest.mark.parametrize("place", ["containers", "initContainers"])
def test_credentials_are_masked(name: str, masked: bool, place: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"][place] = [{"name": "c", "env": [{"name": name, "value": "s3cr3t"}]}]
    shown = difference(body, None).before["spec"]["template"]["spec"][place][0]["env"][0]["value"]
    assert shown == (MASK if masked else "s3cr3t")


def test_credentials_on_the_command_line_are_masked() -> None:
    argv = ["m", "--api-key", "s3cr3t", "--port", "8000", "--hf-token=s3cr3t", "--tokenizer-mode=auto"]
    body = deployment()
    body["spec"]["template"]["spec"]["containers"] = [{"name": "c", "command": ["vllm", "serve"], "args": argv}]
    shown = difference(body, None).before["spec"]["template"]["spec"]["containers"][0]
    masked = ["m", "--api-key", MASK, "--port", "8000", f"--hf-token={MASK}", "--tokenizer-mode=auto"]
    assert (shown["command"], shown["args"]) == (["vllm", "serve"], masked)


@pytest.mark.parametrize(
    "container",
    [
        lambda secret: {"name": "c", "args": ["m", "--api-key", secret]},
        lambda secret: {"name": "c", "env": [{"name": "HF_TOKEN", "value": secret}]},
    ],
)
def test_a_credential_that_changes_is_a_change_that_is_not_shown(container: Any) -> None:
    one, other = deployment(), deployment()
    for body, secret in ((one, "s3cr3t"), (other, "t3rc3s")):
        body["spec"]["template"]["spec"]["containers"] = [container(secret)]
    found = difference(one, other)
    assert found
    assert "s3cr3t" not in str(found)
    assert "t3rc3s" not in str(found)
    assert MASK in str(found.after)


def test_the_copy_that_kubectl_keeps_is_not_shown() -> None:
    body = deployment()
    kept = {"kubectl.kubernetes.io/last-applied-configuration": "s3cr3t", "team": "search"}
    body["metadata"]["annotations"] = kept
    assert difference(body, None).before["metadata"]["annotations"] == {"team": "search"}


def test_a_reference_to_a_secret_is_shown() -> None:
    entry = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    assert difference(deployment(entry), None).before == deployment(entry)
