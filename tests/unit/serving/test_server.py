# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod template says about its server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server, server_of, values

KEY = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "api"}}}

DIGEST_PATH = "metadata.annotations['vllm.ai-aas/pod-template-digest']"
DIGEST = {"name": "DIGEST", "valueFrom": {"fieldRef": {"fieldPath": DIGEST_PATH}}}


def template(*args: str, env: tuple[Any, ...] = (), annotations: Any = None, **container: Any) -> dict[str, Any]:
    vllm = {"name": "vllm", "image": "v:1", "command": ["vllm", "serve"], "args": list(args), "env": list(env)}
    sidecar = {"name": "sidecar", "command": ["other"], "args": ["--port", "1"]}
    return {"metadata": {"annotations": annotations}, "spec": {"containers": [sidecar, vllm | container]}}


def server(**known: Any) -> Server:
    words = {"model": "/m", "model_revision": "", "served_names": ("/m",), "port": 8000, "api_key_secret": None}
    return Server(**({"image": "v:1"} | words | known))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(template("/m"), server(), id="a model and nothing else"),
        pytest.param(template("/m", "--served-model-name", "a"), server(served_names=("a",)), id="a name"),
        pytest.param(
            template("/m", "--served-model-name", "a", "b", "--port", "1"),
            server(served_names=("a", "b"), port=1),
            id="names",
        ),
        pytest.param(template("/m", "--served-model-name=a"), server(served_names=("a",)), id="a name after ="),
        pytest.param(template("/m", "--port=9000"), server(port=9000), id="a port"),
        pytest.param(template("/m", "--port", "1", "--port", "2"), server(port=2), id="the last one counts"),
        pytest.param(template("--model", "/m"), server(), id="the model as a flag"),
        pytest.param(template("--port", "9000", "--model=/m"), server(port=9000), id="a flag first"),
        pytest.param(
            template(command=["python", "-m", "vllm.entrypoints.openai.api_server"], args=["--model", "/m"]),
            server(),
            id="another command",
        ),
        pytest.param(template(command=["vllm", "serve", "/m"], args=None), server(), id="all in the command"),
        pytest.param(
            template("/m", annotations={"vllm.ai-aas/model": "org/m", "vllm.ai-aas/model-revision": "v2"}),
            server(model="org/m", model_revision="v2"),
            id="the annotations know the model better",
        ),
        pytest.param(template("/m", env=(KEY,)), server(api_key_secret=("keys", "api")), id="an API key"),
        pytest.param(
            template("/m", env=({"name": "VLLM_API_KEY", "value": "x"}, {"name": "OTHER"})), server(), id="no reference"
        ),
        pytest.param(
            template("/m", env=(KEY | {"name": "HF_TOKEN"},)), server(), id="another Secret is not the API key"
        ),
        pytest.param(
            template("/m", "--api-key", "$(ENTRY)", env=(KEY | {"name": "ENTRY"},)),
            server(api_key_secret=("keys", "api")),
            id="an API key by its flag",
        ),
        pytest.param(
            template("/m", "--api-key", "$(ENTRY)", env=(KEY,)), server(), id="a flag wins, wherever it comes from"
        ),
        pytest.param(template("/m", "--max-model-len", "512"), server(max_model_len=512), id="a context length"),
        pytest.param(template("/m", "--max-model-len=32k"), server(), id="a length that is no plain number"),
        pytest.param(template("/m", "--max-model-len", "auto"), server(), id="a length that vLLM finds out"),
        pytest.param(
            template(
                *("/m", "--fingerprint-mode", "custom", "--fingerprint-value", "$(DIGEST)"),
                env=(DIGEST,),
                annotations={"vllm.ai-aas/pod-template-digest": "3f2a"},
            ),
            server(fingerprint="3f2a"),
            id="a fingerprint out of an annotation",
        ),
        pytest.param(
            template("/m", "--fingerprint-mode", "custom", "--fingerprint-value", "rev-7"),
            server(fingerprint="rev-7"),
            id="a fingerprint",
        ),
        pytest.param(
            template("/m", "--fingerprint-mode", "full", "--fingerprint-value", "rev-7"),
            server(),
            id="a fingerprint that vLLM makes up itself",
        ),
        pytest.param(
            template("/m", "--fingerprint-mode", "custom", "--fingerprint-value", "$(DIGEST)"),
            server(),
            id="a fingerprint out of nowhere",
        ),
    ],
)
def test_server_of(body: dict[str, Any], expected: Server) -> None:
    assert server_of(body) == expected


@pytest.mark.parametrize("containers", [None, [], [{"name": "sidecar"}]])
def test_a_template_without_a_container_named_vllm_has_no_server(containers: Any) -> None:
    assert server_of({"spec": {"containers": containers}}) is None


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ([], []),
        (["--flag"], []),
        (["--flag", "a"], ["a"]),
        (["--flag", "a", "b", "--other", "c"], ["a", "b"]),
        (["--flag", "a", "--flag", "b"], ["b"]),
        (["--flag", "a", "--flag=b"], ["b"]),
        (["--flag=a=b"], ["a=b"]),
        (["--flagged", "a", "--flagged=b"], []),
        (["--flag", "-1"], ["-1"]),
    ],
)
def test_values(argv: list[str], found: list[str]) -> None:
    assert values(argv, "--flag") == found
