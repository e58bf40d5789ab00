# SPDX-License-Identifier: GPL-3.0-or-later
"""The metric families of vLLM by version (vllm/v1/metrics/loggers.py), and those of its HTTP layer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BUCKETS: dict[str, tuple[float, ...]] = {
    "latency": (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680),
    "first_token": (
        *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1),
        *(2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560),
    ),
    "inter_token": (
        *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1),
        *(2.5, 5, 7.5, 10, 20, 40, 80),
    ),
    "iteration": (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384),
    "few": (1, 2, 5, 10, 20),
    "preemptions": (1, 2, 3, 4, 5, 10, 20),
    "http": (0.1, 0.5, 1),
    "http_fine": (
        *(0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5),
        *(3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60),
    ),
    "none": (),
}


@dataclass(frozen=True)
class Family:
    """A metric family; `labels` are those it has beside model_name and engine, with all their values.

    A family without values for a label, as those of the HTTP layer, has series only once there was a request.
    """

    kind: str
    name: str
    help: str
    buckets: str = "none"
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    since: tuple[int, ...] = (0,)
    until: tuple[int, ...] = (1000,)
    values: dict[str, float] = field(default_factory=dict)

    def known(self, version: tuple[int, ...]) -> bool:
        return self.since <= version < self.until

    def initial(self, model: dict[str, str]) -> Iterator[dict[str, str]]:
        """The label sets that are there before the first request."""
        base = model if self.name.startswith("vllm:") else {}
        for values in itertools.product(*self.labels.values()):
            yield {**base, **dict(zip(self.labels, values, strict=True))}


def _gauge(name: str, text: str, **more: Any) -> Family:
    return Family("gauge", f"vllm:{name}", text, **more)


def _counter(name: str, text: str, **more: Any) -> Family:
    return Family("counter", f"vllm:{name}", text, **more)


def _histogram(name: str, buckets: str, text: str, **more: Any) -> Family:
    return Family("histogram", f"vllm:{name}", f"Histogram of {text}.", buckets, **more)


REASONS = ("stop", "length", "abort", "error", "repetition")

FAMILIES = (
    _gauge("num_requests_running", "Number of requests in model execution batches."),
    _gauge("num_requests_waiting", "Number of requests waiting to be processed."),
    _gauge(
        "num_requests_waiting_by_reason",
        "Number of waiting requests by reason.",
        labels={"reason": ("capacity", "deferred")},
        since=(0, 20),
    ),
    _gauge(
        "engine_sleep_state",
        "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake.",
        labels={"sleep_state": ("awake", "weights_offloaded", "discard_all")},
        since=(0, 11, 1),
        values={"awake": 1.0},
    ),
    _gauge("gpu_cache_usage_perc", "GPU KV-cache usage. 1 means 100 percent usage.", until=(0, 11)),
    _gauge("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", since=(0, 9, 2)),
    _gauge(
        "cache_config_info",
        "Information of the LLMEngine CacheConfig",
        labels={
            "block_size": ("16",),
            "cache_dtype": ("auto",),
            "gpu_memory_utilization": ("0.92",),
            "num_gpu_blocks": ("8192",),
        },
        values={"16": 1.0},
    ),
    _counter("prompt_tokens", "Number of prefill tokens processed."),
    _counter(
        "prompt_tokens_by_source",
        "Number of prompt tokens by source.",
        labels={"source": ("local_compute", "local_cache_hit", "external_kv_transfer")},
        since=(0, 16),
    ),
    _counter("prompt_tokens_cached", "Number of cached prompt tokens (local + external).", since=(0, 16)),
    _counter(
        "prompt_tokens_cached_by_source",
        "Prefix-cache hit tokens by the cache tier that supplied them.",
        labels={"source": ("device", "host", "disk", "p2p", "external_unspecified")},
        since=(0, 32),
    ),
    _counter("generation_tokens", "Number of generation tokens processed."),
    _counter("request_success", "Count of successfully processed requests.", labels={"finished_reason": REASONS}),
    _counter(
        "admission_rejections",
        "Number of admission attempts rejected by a queue limit, by reason.",
        labels={"reason": ("max_num_queued_reqs", "max_num_queued_tokens")},
        since=(0, 32),
    ),
    _counter("num_preemptions", "Cumulative number of preemption from the engine."),
    _counter("gpu_prefix_cache_queries", "GPU prefix cache queries, in terms of tokens.", until=(0, 11)),
    _counter("gpu_prefix_cache_hits", "GPU prefix cache hits, in terms of tokens.", until=(0, 11)),
    _counter("prefix_cache_queries", "Prefix cache queries, in terms of number of queried tokens."),
    _counter("prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens."),
    _counter("external_prefix_cache_queries", "External prefix cache queries.", since=(0, 11, 1)),
    _counter("external_prefix_cache_hits", "External prefix cache hits.", since=(0, 11, 1)),
    _counter("mm_cache_queries", "Multi-modal cache queries, in terms of queried items.", since=(0, 11, 1)),
    _counter("mm_cache_hits", "Multi-modal cache hits, in terms of cached items.", since=(0, 11, 1)),
    _counter("estimated_flops_per_gpu", "Estimated number of operations per GPU.", since=(0, 17)),
    _counter("estimated_read_bytes_per_gpu", "Estimated number of bytes read per GPU.", since=(0, 17)),
    _counter("estimated_write_bytes_per_gpu", "Estimated number of bytes written per GPU.", since=(0, 17)),
    _histogram("time_to_first_token_seconds", "first_token", "time to first token in seconds"),
    _histogram("inter_token_latency_seconds", "inter_token", "inter-token latency in seconds", since=(0, 10, 2)),
    _histogram("time_per_output_token_seconds", "inter_token", "time per output token in seconds", until=(0, 12)),
    _histogram(
        "request_time_per_output_token_seconds",
        "inter_token",
        "time_per_output_token_seconds per request",
        since=(0, 11),
    ),
    _histogram("e2e_request_latency_seconds", "latency", "e2e request latency in seconds"),
    _histogram("request_queue_time_seconds", "latency", "time spent in WAITING phase for request"),
    _histogram("request_inference_time_seconds", "latency", "time spent in RUNNING phase for request"),
    _histogram("request_prefill_time_seconds", "latency", "time spent in PREFILL phase for request"),
    _histogram("request_decode_time_seconds", "latency", "time spent in DECODE phase for request"),
    _histogram("request_prompt_tokens", "request_tokens", "number of prefill tokens"),
    _histogram("request_generation_tokens", "request_tokens", "number of generation tokens"),
    _histogram("request_max_num_generation_tokens", "request_tokens", "maximum number of requested tokens"),
    _histogram("request_params_n", "few", "the n request parameter"),
    _histogram("request_params_max_tokens", "request_tokens", "the max_tokens request parameter"),
    _histogram("request_num_preemptions", "preemptions", "the number of preemptions of a request", since=(0, 30)),
    _histogram("request_prefill_kv_computed_tokens", "request_tokens", "new KV tokens of prefill", since=(0, 13)),
    _histogram("iteration_tokens_total", "iteration", "number of tokens per engine_step"),
    Family("counter", "http_requests", "Total number of requests.", labels={"handler": (), "method": (), "status": ()}),
    Family("histogram", "http_request_size_bytes", "Content length of requests.", labels={"handler": ()}),
    Family("histogram", "http_response_size_bytes", "Content length of responses.", labels={"handler": ()}),
    Family("histogram", "http_request_duration_highr_seconds", "Latency with many buckets.", "http_fine"),
    Family(
        "histogram",
        "http_request_duration_seconds",
        "Latency by handler.",
        "http",
        labels={"handler": (), "method": ()},
    ),
)
