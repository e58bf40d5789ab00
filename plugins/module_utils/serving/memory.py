# SPDX-License-Identifier: GPL-3.0-or-later
"""Will a model fit into the memory of its GPUs: weights, and the KV cache of one request of the longest context. Pure.

The formulas are those of vLLM (v1/core/kv_cache_planning.py, v1/kv_cache_interface.py) and of the models' layers. For
models with sliding windows or state spaces the KV cache comes out too large, so that it is an upper bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import flags
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import values

GIB = 1024**3
EXPERTS = ("num_local_experts", "n_routed_experts", "num_experts")
# Nodes that one sentence names.
SHOWN = 4
# CUDA context, activations and graphs of one GPU, at the least.
OVERHEAD = 2 * GIB
BYTES = {"float32": 4.0, "float": 4.0, "bfloat16": 2.0, "float16": 2.0, "half": 2.0}
# Of a weight, by the quantization method; 4 bits and their scales.
QUANTIZED = {"fp8": 1.0, "int8": 1.0, "awq": 0.6, "gptq": 0.6, "bitsandbytes": 0.6, "mxfp4": 0.55, "compressed": 1.0}
# Since this version vLLM takes more of a GPU by default.
MORE_BY_DEFAULT = (0, 20)

# GPU feature discovery's nvidia.com/gpu.product, without the vendor and what comes behind -> MiB. For nodes that do not
# carry nvidia.com/gpu.memory.
PRODUCTS = {
    "Tesla-T4": 15360,
    "Tesla-V100-SXM2-16GB": 16384,
    "Tesla-V100-SXM2-32GB": 32768,
    "A10": 23028,
    "A10G": 23028,
    "L4": 23034,
    "A30": 24576,
    "A40": 46068,
    "L40": 46068,
    "L40S": 46068,
    "A100-SXM4-40GB": 40960,
    "A100-PCIE-40GB": 40960,
    "A100-SXM4-80GB": 81920,
    "A100-80GB-PCIe": 81920,
    "H100-80GB-HBM3": 81559,
    "H100-PCIe": 81559,
    "H100-NVL": 95830,
    "H200": 143771,
    "GH200-480GB": 97871,
    "B200": 183359,
    "B300-SXM6-AC": 275040,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Bytes on each GPU: `weights`, and `per_token` of the KV cache; None where it cannot be told. `utilization`: the
    share of a GPU that vLLM may take. `length`: the longest context, 0 where it is not known."""

    weights: int | None
    per_token: int | None
    utilization: float
    length: int


def parameters(config: Mapping[str, Any]) -> int | None:
    """How many weights a model has, from its config.json; None where that does not tell."""
    text = _text(config)
    if text.get("kv_lora_rank"):  # its attention has another shape
        return None
    try:
        hidden, layers, words, heads = (
            int(text[key]) for key in ("hidden_size", "num_hidden_layers", "vocab_size", "num_attention_heads")
        )
        experts = next((int(text[key]) for key in EXPERTS if text.get(key)), 0)
        wide = int(text.get("intermediate_size") or 0)
        each = int(text.get("moe_intermediate_size") or wide)
        groups, size = int(text.get("num_key_value_heads") or heads), int(text.get("head_dim") or hidden // heads)
        dense = int(text.get("first_k_dense_replace") or 0) if experts else layers
        shared = int(text.get("n_shared_experts") or 0)
    except (KeyError, TypeError, ValueError):
        return None
    attention = 2 * hidden * heads * size + 2 * hidden * groups * size + 2 * hidden
    among_experts = (experts + shared) * 3 * hidden * each + hidden * experts
    tied = config.get("tie_word_embeddings", text.get("tie_word_embeddings"))
    inner = layers * attention + dense * 3 * hidden * wide + (layers - dense) * among_experts
    return words * hidden * (1 if tied else 2) + inner + hidden


def need(argv: list[str], image: str, config: Mapping[str, Any], weights: int | None) -> Need:
    """What a server asks of each GPU. `config`: the model's config.json, empty if unknown; `weights`: bytes of the
    weights on disk, which tell more than the config does."""
    tensor = _number(argv, "--tensor-parallel-size", "-tp")
    pipeline = _number(argv, "--pipeline-parallel-size", "-pp")
    if weights is None:
        counted = parameters(config)
        weights = None if counted is None else int(counted * _weight_bytes(argv, config))
    version = flags.version_of(image)
    default = 0.9 if version and version[:2] < MORE_BY_DEFAULT else 0.92
    return Need(
        weights=None if weights is None else weights // (tensor * pipeline),
        per_token=_per_token(argv, config, tensor, pipeline),
        utilization=_share(_value(argv, "--gpu-memory-utilization"), default),
        length=_length(_value(argv, "--max-model-len")) or int(_text(config).get("max_position_embeddings") or 0),
    )


def longest(wanted: Need, total: int) -> int | None:
    """The longest context, in tokens, that fits beside the weights; None where it cannot be told."""
    if wanted.weights is None or not wanted.per_token:
        return None
    return max(0, int((total * wanted.utilization - wanted.weights - OVERHEAD) // wanted.per_token))


def of_gpu(labels: Mapping[str, str], resource: str) -> int | None:
    """The bytes of memory behind one `resource` (nvidia.com/gpu, nvidia.com/mig-3g.20gb) of a node, by its labels; None
    where they do not tell."""
    slice_of_one = resource.startswith("nvidia.com/mig-")
    labelled = str(labels.get(f"{resource}.memory" if slice_of_one else "nvidia.com/gpu.memory", ""))
    if labelled.isdigit():
        return int(labelled) * 1024**2
    product = labels.get("nvidia.com/gpu.product", "").removesuffix("-SHARED").removeprefix("NVIDIA-")
    mebi = None if slice_of_one else PRODUCTS.get(product)
    return mebi * 1024**2 if mebi else None


def findings(name: str, wanted: Need, gpus: Mapping[str, int | None]) -> Iterator[Finding]:
    """Whether a server fits. `gpus`: the memory of one GPU in bytes, of each node that it may go to."""
    known = {node: total for node, total in gpus.items() if total}
    missing = "the size of the model was not given" if wanted.weights is None else ""
    missing = missing or ("" if known else "no node says how much memory its GPUs have")
    if wanted.weights is None or not known:
        yield Finding(
            rule="memory-unknown",
            level="note",
            what=f"Whether the model of {name} fits into its GPUs is not known",
            why=missing,
            do="Give the model's config.json, or the bytes of its weights",
            setting="model config",
        )
        return
    best = max(known, key=lambda node: known[node])
    problem = _problem(name, wanted, best, known[best])
    if problem:
        yield problem
        return
    narrow = [node for node, total in known.items() if _problem(name, wanted, node, total)]
    if narrow:
        yield Finding(
            rule="memory-of-some",
            level="warning",
            what=f"{name} does not fit on all nodes that it may go to",
            why=f"the GPUs of {', '.join(narrow[:SHOWN])} are too small, those of {best} are not",
            do="Exclude them by the node selector",
            setting="node selector",
        )
    limit = longest(wanted, known[best])
    room = f", and leaves room for a context of {limit} tokens" if limit is not None else ""
    yield Finding(
        rule="memory-fits",
        level="note",
        what=f"The model of {name} fits into its GPUs",
        why=f"it takes {gibi(wanted.weights)} of {gibi(known[best])}{room}",
        do="Nothing",
    )


def gibi(amount: float) -> str:
    return f"{amount / GIB:.1f} GiB"


def _problem(name: str, wanted: Need, node: str, total: int) -> Finding | None:
    weights, usable = wanted.weights or 0, int(total * wanted.utilization)
    gpu = f"{gibi(usable)} of a GPU's {gibi(total)} ({node})"
    if weights > usable:
        return Finding(
            rule="weights-too-large",
            level="error",
            what=f"The weights of {name} do not fit into its GPUs",
            why=f"each would hold {gibi(weights)}, and vLLM may use {gpu}",
            do="Use more or larger GPUs, or a quantized model",
            setting="gpus",
        )
    limit = longest(wanted, total)
    if limit is None or wanted.length <= limit:
        return None
    cache = wanted.length * (wanted.per_token or 0)
    return Finding(
        rule="context-too-long",
        # The overhead is an estimate, the rest is not.
        level="error" if weights + cache > usable else "warning",
        what=f"The KV cache of {name} has no room for {wanted.length} tokens",
        why=f"it takes {gibi(cache)} beside {gibi(weights)} of weights and about {gibi(OVERHEAD)} of other things, and "
        f"vLLM may use {gpu}",
        do=f"Lower --max-model-len to {limit}, or use more or larger GPUs",
        setting="--max-model-len",
    )


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part about the language model; of one that also sees or hears, it stands below."""
    below = config.get("text_config")
    return below if isinstance(below, Mapping) else config


def _value(argv: list[str], *spellings: str) -> str:
    return next((found[0] for flag in spellings if (found := values(argv, flag))), "")


def _number(argv: list[str], *spellings: str) -> int:
    text = _value(argv, *spellings)
    return int(text) if text.isdigit() and int(text) else 1


def _share(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _length(text: str) -> int:
    """ "4096", "32k" (1000), "32K" (1024); 0 for auto and for what vLLM itself will refuse."""
    unit = {"k": 1000, "K": 1024}.get(text[-1:], 1)
    digits = text.rstrip("kK")
    return int(digits) * unit if digits.isdigit() else 0


def _weight_bytes(argv: list[str], config: Mapping[str, Any]) -> float:
    method = str((config.get("quantization_config") or {}).get("quant_method") or _value(argv, "--quantization", "-q"))
    quantized = next((size for start, size in QUANTIZED.items() if method.startswith(start)), None)
    return _type_bytes(argv) if quantized is None else quantized


def _type_bytes(argv: list[str]) -> float:
    """Of the type that the model computes in. vLLM takes float32 down to float16 by itself."""
    return BYTES.get(_value(argv, "--dtype"), 2.0)


def _per_token(argv: list[str], config: Mapping[str, Any], tensor: int, pipeline: int) -> int | None:
    text = _text(config)
    size = 1.0 if _value(argv, "--kv-cache-dtype").startswith("fp8") else _type_bytes(argv)
    try:
        layers = ceil(int(text["num_hidden_layers"]) / pipeline)
        if text.get("kv_lora_rank"):
            return int(layers * (int(text["kv_lora_rank"]) + int(text["qk_rope_head_dim"])) * size)
        heads = int(text["num_attention_heads"])
        groups = int(text.get("num_key_value_heads") or heads)
        width = int(text.get("head_dim") or int(text["hidden_size"]) // heads)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return int(2 * layers * max(1, groups // tensor) * width * size)
