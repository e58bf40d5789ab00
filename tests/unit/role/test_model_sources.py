# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from where the weights are, and from the version of vLLM."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.unit.role.chart_parameters import ARGS, DNS, HTTPS
from ansible_collections.ai_aas.vllm.tests.unit.role.paths import CONTAINER, changes, paths
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import render

EGRESS = "NetworkPolicy.spec.egress"
SHUTDOWN = {f"{ARGS}[--shutdown-timeout]"}
FINGERPRINT = {
    f"{ARGS}[--fingerprint-mode]",
    f"{ARGS}[--fingerprint-value]",
    f"{CONTAINER}.env[POD_TEMPLATE_DIGEST].name",
    f"{CONTAINER}.env[POD_TEMPLATE_DIGEST].valueFrom.fieldRef.fieldPath",
}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("/models/other", {f"{ARGS}[model]": "/models/other"}),
        ("./other", {f"{ARGS}[model]": "./other"}),
        ("org/model", {f"{ARGS}[model]": "org/model", f"{ARGS}[--revision]": "main", EGRESS: [DNS, HTTPS]}),
        (
            "",
            {
                f"{ARGS}[model]": "meta-llama/Llama-2-7b-hf",
                f"{ARGS}[--revision]": "main",
                EGRESS: [DNS, HTTPS],
            },
        ),
        ("s3://bucket/model", {f"{ARGS}[model]": "s3://bucket/model", EGRESS: [DNS, HTTPS]}),
        ("gs://bucket/model", {f"{ARGS}[model]": "gs://bucket/model", EGRESS: [DNS, HTTPS]}),
    ],
)
def test_a_hub_gets_the_revision_and_whatever_is_remote_gets_https(path: str, changed: dict[str, Any]) -> None:
    assert changes(render(), render(vllm_deploy_model_path=path)) == changed


@pytest.mark.parametrize(
    ("tag", "lacking"),
    [
        ("v0.10.2", SHUTDOWN | FINGERPRINT),
        ("v0.17.1", SHUTDOWN | FINGERPRINT),
        ("v0.18.0", FINGERPRINT),
        ("v0.20.2", FINGERPRINT),
        ("v0.21.0-cu130", set()),
        ("v0.33.0", set()),
        ("latest", set()),
        ("nightly", set()),
    ],
)
def test_no_version_gets_a_flag_that_it_lacks(tag: str, lacking: set[str]) -> None:
    assert paths(render()).keys() - paths(render(vllm_deploy_image_tag=tag)).keys() == lacking


def test_the_version_can_be_told_where_the_tag_does_not_say_it() -> None:
    ours = {"vllm_deploy_image_tag": "release-7"}
    old = render(**ours, vllm_deploy_vllm_version="0.17")
    assert paths(render(**ours)).keys() - paths(old).keys() == SHUTDOWN | FINGERPRINT


@pytest.mark.parametrize(("tag", "told"), [("v0.10.2", "runai_streamer"), ("v0.11.0", None)])
def test_only_old_versions_are_told_how_to_read_a_bucket(tag: str, told: str | None) -> None:
    found = paths(render(vllm_deploy_image_tag=tag, vllm_deploy_model_path="s3://bucket/model"))
    assert found.get(f"{ARGS}[--load-format]") == told


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ({"image_tag": ""}, "vllm/vllm-openai"),
        ({"image_tag": "", "image_digest": "sha256:12ab"}, "vllm/vllm-openai@sha256:12ab"),
        ({"image_tag": "v0.33.0", "image_digest": "sha256:12ab"}, "vllm/vllm-openai:v0.33.0@sha256:12ab"),
    ],
)
def test_the_image_is_named_by_tag_and_digest(given: dict[str, str], image: str) -> None:
    variables = {f"vllm_deploy_{name}": value for name, value in given.items()}
    assert render(**variables).container()["image"] == image
