# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens between the start and the first request: the milestones of a load, spread over its time."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from . import faults, log

# What Kubernetes puts into the environment for a Service called `vllm` or `vllm-…`.
SERVICE_LINK = re.compile(r"VLLM_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_(TCP|UDP)\w*)")


class StartFailed(Exception):
    """The server cannot start; its log has been written. vLLM exits with 1 then."""


def announce(options: argparse.Namespace, version: str, changed: Mapping[str, Any]) -> None:
    """The lines before anything is loaded."""
    place = "api_utils.py:347"
    for text in (
        "",
        "       █     █     █▄   ▄█",
        f" ▄▄ ▄█ █     █     █ ▀▄▀ █  version {version} (stand-in)",
        f"  █▄█▀ █     █     █     █  model   {options.model}",
        "   ▀▀  ▀▀▀▀▀ ▀▀▀▀▀ ▀     ▀",
        "",
    ):
        log.info(log.API_SERVER, place, text)
    shown = {**changed, **({"api_key": "***"} if changed.get("api_key") else {})}
    log.info(log.API_SERVER, "api_utils.py:286", f"non-default args: {shown}")


def check(options: argparse.Namespace, environment: Mapping[str, str], switches: faults.Faults) -> None:
    """Refuses what vLLM refuses before it loads. Raises StartFailed."""
    if getattr(options, "enable_auto_tool_choice", False) and not options.tool_call_parser:
        _fail("TypeError: Error: --enable-auto-tool-choice requires --tool-call-parser")
    for name in sorted(environment):
        if SERVICE_LINK.fullmatch(name) and name != "VLLM_PORT":
            message = f"Unknown vLLM environment variable detected: {name}"
            if getattr(options, "fail_on_environ_validation", False):
                _fail(f"ValueError: {message}")
            log.warning(log.API_SERVER, "envs.py:2041", message)
    if switches.model_must_exist and options.model.startswith("/") and not os.path.isdir(options.model):
        log.line(faults.log_text("fail-nopath"))
        raise StartFailed


def load(options: argparse.Namespace, version: str, environment: Mapping[str, str], seconds: float) -> None:
    """Takes `seconds` and writes the milestones of a load. Raises StartFailed for what is found out on the way."""
    engine, worker = log.ENGINE_CORE, log.WORKER
    length = max(options.max_model_len or 0, 0) or 4096
    begun = time.monotonic()

    def wait(share: float) -> None:
        time.sleep(max(0.0, begun + seconds * share - time.monotonic()))

    config = f"model='{options.model}', max_seq_len={length}, tensor_parallel_size={options.tensor_parallel_size}"
    log.info(log.API_SERVER, "model.py:2152", f"Using max model len {length}")
    log.info(engine, "core.py:133", f"Initializing a V1 LLM engine (v{version}) with config: {config}")
    wait(0.2)
    _refuse_port(environment)
    log.info(worker, "gpu_model_runner.py:4012", f"Starting to load model {options.model}...")
    for number in range(5):
        wait(0.2 + 0.1 * number)
        log.line(f"Loading safetensors checkpoint shards: {number * 25:3}% Completed | {number}/4")
    log.info(worker, "default_loader.py:501", f"Loading weights took {seconds * 0.4:.2f} seconds")
    size = f"Model loading took 12.55 GiB memory and {seconds * 0.42:.6f} seconds"
    log.info(worker, "gpu_model_runner.py:4091", size)
    wait(0.8)
    log.info(
        worker,
        "backends.py:1021",
        f"torch.compile and initial profiling/warmup run took {seconds * 0.2:.2f} s in total",
    )
    log.info(worker, "gpu_worker.py:402", "Available KV cache memory: 57.71 GiB")
    log.info(engine, "kv_cache_utils.py:2327", f"GPU KV cache size: {length * 32:,} tokens")
    wait(0.9)
    log.info(
        worker,
        "gpu_model_runner.py:5122",
        f"Graph capturing finished in {max(1, round(seconds * 0.1))} secs, took 0.54 GiB",
    )
    warmup = f"init engine (profile, create kv cache, warmup model) took {seconds * 0.3:.2f} s"
    log.info(engine, "core.py:402", warmup)
    wait(1.0)


def _refuse_port(environment: Mapping[str, str]) -> None:
    port = environment.get("VLLM_PORT", "")
    if not port or port.isdigit():
        return
    if "://" in port:
        cause = (
            f"ValueError: VLLM_PORT '{port}' appears to be a URI. This may be caused by a Kubernetes service discovery "
            "issue,check the warning in: https://docs.vllm.ai/en/latest/configuration/env_vars.html"
        )
    else:
        cause = f"ValueError: VLLM_PORT '{port}' must be a valid integer"
    log.error(
        log.ENGINE_CORE, "core.py:1181", f"EngineCore failed to start.\nTraceback (most recent call last):\n{cause}"
    )
    _fail("RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}")


def _fail(message: str) -> None:
    log.line(f"Traceback (most recent call last):\n{message}")
    raise StartFailed
