# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM's metrics with their real names and labels. Those that a request moves do move; the others stay at 0."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .families import BUCKETS, FAMILIES, Family

Labels = dict[str, str]


@dataclass
class Series:
    """The values of one family with one set of labels. `buckets` counts what is at most each bound."""

    total: float = 0.0
    count: int = 0
    buckets: list[int] = field(default_factory=list)
    created: float = field(default_factory=time.time)


def number_of(version: str) -> tuple[int, ...]:
    """ "0.33.0" -> (0, 33, 0)"""
    return tuple(int(part) for part in version.split("."))


class Metrics:
    """All series of one server. `model` is the first served name."""

    def __init__(self, version: str, model: str, max_model_len: int, log_stats: bool) -> None:
        wanted = number_of(version)
        self._families = {
            family.name: family
            for family in FAMILIES
            if family.known(wanted) and (log_stats or not family.name.startswith("vllm:"))
        }
        self._bounds = {**BUCKETS, "request_tokens": _one_two_five(max_model_len)}
        self._model = {"model_name": model, "engine": "0"}
        self._series: dict[str, dict[tuple[tuple[str, str], ...], Series]] = {name: {} for name in self._families}
        self._lock = threading.Lock()
        for family in self._families.values():
            for labels in family.initial(self._model):
                value = next((family.values[one] for one in labels.values() if one in family.values), 0.0)
                self._get(family, labels).total = value

    def running(self, count: int) -> None:
        """The number of requests in flight; each is taken to hold 1 % of the KV cache."""
        with self._lock:
            self._set("vllm:num_requests_running", count)
            self._set("vllm:kv_cache_usage_perc", min(1.0, count / 100))
            self._set("vllm:gpu_cache_usage_perc", min(1.0, count / 100))

    def finished(self, reason: str, prompt: int, tokens: int, limit: int, begun: float, first: float) -> None:
        """Records a request that has left the engine. Times are of the monotonic clock."""
        now = time.monotonic()
        decode = now - first
        per_token = decode / (tokens - 1) if tokens > 1 else 0.0
        with self._lock:
            self._add("vllm:request_success", 1, finished_reason=reason)
            self._add("vllm:prompt_tokens", prompt)
            self._add("vllm:prompt_tokens_by_source", prompt, source="local_compute")
            self._add("vllm:generation_tokens", tokens)
            self._add("vllm:prefix_cache_queries", prompt)
            observed = {
                "e2e_request_latency_seconds": now - begun,
                "request_inference_time_seconds": now - begun,
                "request_queue_time_seconds": 0.0,
                "request_prefill_time_seconds": first - begun,
                "request_decode_time_seconds": decode,
                "time_to_first_token_seconds": first - begun,
                "request_time_per_output_token_seconds": per_token,
                "request_prompt_tokens": prompt,
                "request_prefill_kv_computed_tokens": prompt,
                "request_generation_tokens": tokens,
                "request_max_num_generation_tokens": tokens,
                "request_params_n": 1,
                "request_params_max_tokens": limit,
                "request_num_preemptions": 0,
                "iteration_tokens_total": prompt + tokens,
            }
            for name, value in observed.items():
                self._observe(f"vllm:{name}", value)
            for _unused in range(tokens - 1):
                self._observe("vllm:inter_token_latency_seconds", per_token)
                self._observe("vllm:time_per_output_token_seconds", per_token)

    def http(self, handler: str, method: str, status: int, seconds: float, size: tuple[int, int]) -> None:
        """Records a request that has been answered; `size` is that of the request and of the response."""
        with self._lock:
            self._add("http_requests", 1, handler=handler, method=method, status=f"{status // 100}xx")
            self._observe("http_request_duration_seconds", seconds, handler=handler, method=method)
            self._observe("http_request_duration_highr_seconds", seconds)
            self._observe("http_request_size_bytes", size[0], handler=handler)
            self._observe("http_response_size_bytes", size[1], handler=handler)

    def render(self) -> str:
        """The Prometheus text format."""
        lines: list[str] = []
        with self._lock:
            for name, family in self._families.items():
                shown = f"{name}_total" if family.kind == "counter" else name
                lines += [f"# HELP {shown} {family.help}", f"# TYPE {shown} {family.kind}"]
                for labels, series in self._series[name].items():
                    lines += self._values(family, shown, dict(labels), series)
                if family.kind != "gauge" and self._series[name]:
                    lines += [f"# HELP {name}_created {family.help}", f"# TYPE {name}_created gauge"]
                    lines += [
                        f"{name}_created{_braces(dict(labels))} {series.created}"
                        for labels, series in self._series[name].items()
                    ]
        return "\n".join(lines) + "\n"

    def _values(self, family: Family, shown: str, labels: Labels, series: Series) -> list[str]:
        if family.kind != "histogram":
            return [f"{shown}{_braces(labels)} {float(series.total)}"]
        bounds = [*map(str, map(float, self._bounds[family.buckets])), "+Inf"]
        counts = [*series.buckets, series.count]
        return [
            *(
                f"{shown}_bucket{_braces({**labels, 'le': bound})} {float(count)}"
                for bound, count in zip(bounds, counts, strict=True)
            ),
            f"{shown}_count{_braces(labels)} {float(series.count)}",
            f"{shown}_sum{_braces(labels)} {float(series.total)}",
        ]

    def _get(self, family: Family, labels: Labels) -> Series:
        key = tuple(sorted(labels.items()))
        series = self._series[family.name].get(key)
        if series is None:
            size = len(self._bounds[family.buckets]) if family.kind == "histogram" else 0
            series = self._series[family.name][key] = Series(buckets=[0] * size)
        return series

    def _find(self, name: str, labels: Labels) -> Series | None:
        family = self._families.get(name)
        if family is None:
            return None
        return self._get(family, {**(self._model if name.startswith("vllm:") else {}), **labels})

    def _set(self, name: str, value: float) -> None:
        series = self._find(name, {})
        if series is not None:
            series.total = value

    def _add(self, name: str, value: float, **labels: str) -> None:
        series = self._find(name, labels)
        if series is not None:
            series.total += value

    def _observe(self, name: str, value: float, **labels: str) -> None:
        series = self._find(name, labels)
        if series is None:
            return
        series.total += value
        series.count += 1
        bounds = self._bounds[self._families[name].buckets]
        for index in range(bisect.bisect_left(bounds, value), len(bounds)):
            series.buckets[index] += 1


def _one_two_five(largest: int) -> Sequence[float]:
    bounds = [mantissa * 10**exponent for exponent in range(12) for mantissa in (1, 2, 5)]
    return [float(bound) for bound in bounds if bound <= largest]


def _braces(labels: Labels) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{inside}}}" if inside else ""
