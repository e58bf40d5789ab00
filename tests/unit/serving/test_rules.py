# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vLLM server's definition must have."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.rules import required

SERVICE = {"kind": "Service", "metadata": {"name": "x"}}


def deployment(revision: str | None, container: str = "vllm") -> dict[str, Any]:
    annotations = {} if revision is None else {"vllm.ai-aas/model-revision": revision}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": container}]}}
    return {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": template}}


def moving(revision: str) -> list[Finding]:
    return [
        Finding(
            rule="model-revision",
            level="error",
            what=f"Deployment/x serves model revision {revision!r}",
            why="a branch means other weights tomorrow, and a rollback would not bring the old ones back",
            do="Name a commit or tag as the model revision",
            setting="model revision",
        )
    ]


@pytest.mark.parametrize(
    ("objects", "require", "findings"),
    [
        pytest.param([SERVICE, deployment("3aba440")], ["model_revision"], [], id="a commit"),
        pytest.param([SERVICE, deployment("main")], ["model_revision"], moving("main"), id="a branch"),
        pytest.param([SERVICE, deployment("")], ["model_revision"], moving(""), id="empty"),
        pytest.param([SERVICE, deployment(None)], ["model_revision"], moving(""), id="nothing said"),
        pytest.param([deployment(None, "other")], ["model_revision"], [], id="no server"),
        pytest.param([SERVICE, deployment("main")], ["image_tag", "cluster"], [], id="not required"),
        pytest.param([SERVICE, deployment("main")], [], [], id="nothing required"),
    ],
)
def test_model_revision(objects: list[Any], require: list[str], findings: list[Finding]) -> None:
    assert list(required(objects, require)) == findings
