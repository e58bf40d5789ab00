# SPDX-License-Identifier: GPL-3.0-or-later
"""What models take: against the numbers of the models themselves, and of a server that ran."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.memory import (
    GIB,
    Need,
    findings,
    longest,
    need,
    of_gpu,
    parameters,
)

LLAMA_8B = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "vocab_size": 128256,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
    "max_position_embeddings": 131072,
}
LLAMA_70B = LLAMA_8B | {
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "intermediate_size": 28672,
    "num_attention_heads": 64,
}
MIXTRAL = LLAMA_8B | {"vocab_size": 32000, "num_local_experts": 8}
QWEN_7B = LLAMA_8B | {
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "vocab_size": 152064,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
}
DEEPSEEK_V3 = {"num_hidden_layers": 61, "kv_lora_rank": 512, "qk_rope_head_dim": 64}
IMAGE = "vllm/vllm-openai:v0.33.0"
SMALL = "nvidia.com/gpu"


@pytest.mark.parametrize(
    ("config", "billions"),
    [(LLAMA_8B, 8.03), (LLAMA_70B, 70.55), (MIXTRAL, 46.70), (QWEN_7B, 7.615)],
    ids=["Llama-3.1-8B", "Llama-3.1-70B", "Mixtral-8x7B", "Qwen2.5-7B"],
)
def test_parameters(config: dict[str, Any], billions: float) -> None:
    found = parameters(config)
    assert found == pytest.approx(billions * 1e9, rel=1e-3)
    assert parameters({"text_config": config}) == found


@pytest.mark.parametrize("config", [{}, {"hidden_size": "many"}, DEEPSEEK_V3])
def test_what_is_not_known_stays_unknown(config: dict[str, Any]) -> None:
    assert parameters(config) is None


@pytest.mark.parametrize(
    ("argv", "config", "per_token"),
    [
        pytest.param("", LLAMA_8B, 128 * 1024, id="Llama-3.1-8B"),
        pytest.param("-tp 4", LLAMA_70B, 80 * 1024, id="shared by four"),
        pytest.param("-tp 16", LLAMA_70B, 40 * 1024, id="more GPUs than heads: each has one"),
        pytest.param("--tensor-parallel-size 4 -pp 2", LLAMA_70B, 40 * 1024, id="in two stages"),
        pytest.param("--kv-cache-dtype fp8", LLAMA_8B, 64 * 1024, id="half as wide"),
        pytest.param("-tp 8", DEEPSEEK_V3, 70272, id="latent attention, the same on each GPU"),
        pytest.param("", {}, None, id="unknown"),
    ],
)
def test_kv_cache(argv: str, config: dict[str, Any], per_token: int | None) -> None:
    assert need(argv.split(), IMAGE, config, None).per_token == per_token


@pytest.mark.parametrize(
    ("argv", "config", "weights", "expected"),
    [
        pytest.param("", LLAMA_8B, None, 15.0, id="16 bits"),
        pytest.param("--dtype float32", LLAMA_8B, None, 29.9, id="32 bits"),
        pytest.param("-q fp8", LLAMA_8B, None, 7.5, id="8 bits"),
        pytest.param("", LLAMA_8B | {"quantization_config": {"quant_method": "awq"}}, None, 4.5, id="4 bits"),
        pytest.param("-tp 4", LLAMA_70B, None, 32.9, id="shared by four"),
        pytest.param("-tp 2", {}, 30 * GIB, 15.0, id="as it is told"),
    ],
)
def test_weights(argv: str, config: dict[str, Any], weights: int | None, expected: float) -> None:
    found = need(argv.split(), IMAGE, config, weights).weights
    assert found is not None
    assert found / GIB == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("argv", "length"),
    [
        ("--max-model-len 4096", 4096),
        ("--max-model-len 32K", 32768),
        ("--max-model-len 32k", 32000),
        ("--max-model-len auto", 131072),
        ("", 131072),
    ],
)
def test_the_longest_context_that_is_asked_for(argv: str, length: int) -> None:
    assert need(argv.split(), IMAGE, LLAMA_8B, None).length == length


@pytest.mark.parametrize(
    ("argv", "image", "share"),
    [
        ("", IMAGE, 0.92),
        ("", "vllm/vllm-openai:v0.19.1", 0.9),
        ("", "vllm/vllm-openai:latest", 0.92),
        ("--gpu-memory-utilization 0.5", IMAGE, 0.5),
        ("--gpu-memory-utilization much", IMAGE, 0.92),
    ],
)
def test_the_share_that_vllm_takes(argv: str, image: str, share: float) -> None:
    assert need(argv.split(), image, {}, None).utilization == share


@pytest.mark.parametrize(
    ("labels", "resource", "mebi"),
    [
        ({"nvidia.com/gpu.memory": "81920"}, SMALL, 81920),
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, SMALL, 81920),
        ({"nvidia.com/gpu.product": "NVIDIA-L4-SHARED"}, SMALL, 23034),
        ({"nvidia.com/gpu.product": "Tesla-T4"}, SMALL, 15360),
        ({"nvidia.com/gpu.product": "something"}, SMALL, None),
        ({"nvidia.com/mig-3g.20gb.memory": "20096", "nvidia.com/gpu.memory": "40960"}, "nvidia.com/mig-3g.20gb", 20096),
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "nvidia.com/mig-3g.20gb", None),
        ({}, SMALL, None),
    ],
)
def test_the_memory_of_a_gpu(labels: dict[str, str], resource: str, mebi: int | None) -> None:
    assert of_gpu(labels, resource) == (mebi * 1024**2 if mebi else None)


def wanted(**changes: Any) -> Need:
    known = {"weights": 15 * GIB, "per_token": 128 * 1024, "utilization": 1.0, "length": 4096}
    return Need(**(known | changes))


def test_the_longest_context_that_fits() -> None:
    assert longest(wanted(), 18 * GIB) == 8192
    assert longest(wanted(), 16 * GIB) == 0
    assert longest(wanted(per_token=None), 18 * GIB) is None


@pytest.mark.parametrize(
    ("asked", "gpus", "rule", "level"),
    [
        pytest.param(wanted(), {"a": 24 * GIB}, "memory-fits", "note", id="fits"),
        pytest.param(wanted(), {"a": 12 * GIB}, "weights-too-large", "error", id="weights"),
        pytest.param(wanted(length=131072), {"a": 24 * GIB}, "context-too-long", "error", id="context"),
        pytest.param(wanted(length=8192), {"a": 17 * GIB}, "context-too-long", "warning", id="only just"),
        pytest.param(wanted(per_token=None), {"a": 24 * GIB}, "memory-fits", "note", id="weights alone are known"),
        pytest.param(wanted(weights=None), {"a": 24 * GIB}, "memory-unknown", "note", id="unknown model"),
        pytest.param(wanted(), {"a": None}, "memory-unknown", "note", id="unknown GPU"),
        pytest.param(wanted(), {}, "memory-unknown", "note", id="no nodes"),
    ],
)
def test_what_is_said(asked: Need, gpus: dict[str, int | None], rule: str, level: str) -> None:
    (finding,) = findings("Deployment/x", asked, gpus)
    assert (finding.rule, finding.level) == (rule, level)


def test_the_way_out_is_a_number() -> None:
    (finding,) = findings("Deployment/x", wanted(length=131072), {"a": 18 * GIB})
    assert finding.do == "Lower --max-model-len to 8192, or use more or larger GPUs"
    assert finding.setting == "--max-model-len"


def test_nodes_with_smaller_gpus_are_named() -> None:
    narrow, fits = findings("Deployment/x", wanted(), {"a": 24 * GIB, "b": 12 * GIB})
    assert (narrow.rule, narrow.level) == ("memory-of-some", "warning")
    assert "of b are too small" in narrow.why
    assert fits.rule == "memory-fits"
