# SPDX-License-Identifier: GPL-3.0-or-later
"""From a whole log to a cause: what of it is read, and which of several causes is named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.diagnosis import evidence, explain
from ansible_collections.ai_aas.vllm.tests.unit.serving.samples import read

LOGS = Path(__file__).parents[2] / "fixtures" / "vllm-logs"
EXPECTED: dict[str, str | None] = json.loads((LOGS / "expected.json").read_text())
FAILED = sorted(name for name, cause in EXPECTED.items() if cause)
HEALTHY = sorted(name for name, cause in EXPECTED.items() if not cause)
START = "INFO:     Application startup complete.\n"
STOP = "(APIServer pid=1) INFO 11-23 08:29:36 [launcher.py:254] [shutdown] API server: shutdown triggered\n"
NO_KV_CACHE = "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"


def log(name: str) -> str:
    return (LOGS / name).read_text()


def cause_of(text: str) -> str | None:
    cause = explain(text)
    return cause.id if cause else None


def found(text: str, exit_code: int | None = None) -> Cause:
    cause = explain(text, exit_code)
    assert cause is not None
    return cause


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_log_of_a_real_server(name: str) -> None:
    assert cause_of(log(name)) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(EXPECTED))
@pytest.mark.parametrize(
    "rewritten",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\x1b[1;36m" + text.replace("\n", "\x1b[0;0m\n\x1b[1;36m"),
        lambda text: "\n".join(f"(APIServer pid=7) {line}" for line in text.splitlines()),
        lambda text: "\n".join(f"2026-11-23T07:58:20.415123456Z {line}" for line in text.splitlines()),
        lambda text: "\n".join(f"2026-11-23T07:58:20.415123456Z stderr F {line}" for line in text.splitlines()),
        lambda text: "\n".join(f"[rank0]: {line}" for line in text.splitlines()),
        lambda text: (
            text.replace("(Worker pid=", "(Worker_TP0 pid=") + text.replace("(Worker pid=", "(Worker_TP1 pid=")
        ),
        lambda text: "Loading: 0%\rLoading: 50%\rLoading: 100%\n" * 50 + text,
    ],
    ids=["CRLF", "colours", "prefix", "timestamps", "container runtime", "rank", "workers", "progress bars"],
)
def test_how_a_log_is_written_does_not_matter(name: str, rewritten: Callable[[str], str]) -> None:
    assert cause_of(rewritten(log(name))) == EXPECTED[name]


# Their cause stands before the last 80 lines, which is what the kubelet keeps as the message of a container's end.
FAR_UP = {"fail-lfs-pointer.log": "generic", "fail-no-weights.log": "generic"}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_last_80_lines_of_a_log(name: str) -> None:
    assert cause_of("\n".join(log(name).splitlines()[-80:])) == FAR_UP.get(name, EXPECTED[name])


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("lines", range(5, 140, 5))
def test_no_end_of_a_healthy_log_names_a_cause(name: str, lines: int) -> None:
    assert cause_of("\n".join(log(name).splitlines()[-lines:])) is None


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("lines", range(5, 140, 5))
def test_no_beginning_of_a_healthy_log_names_a_cause(name: str, lines: int) -> None:
    assert cause_of("\n".join(log(name).splitlines()[:lines])) is None


BENIGN = ["", *(text for _what, text, _parts in read("benign.txt"))]


@pytest.mark.parametrize("text", BENIGN)
def test_what_kills_nobody_is_no_cause(text: str) -> None:
    assert cause_of(text) is None
    assert cause_of(f"{text}\nFatal Python error: Bus error\n") == "shm_small"


@pytest.mark.parametrize("text", [text for text in BENIGN if " HTTP/1.1" not in text])
def test_what_kills_nobody_hides_no_cause_before_or_after_it(text: str) -> None:
    assert cause_of(f"{NO_KV_CACHE}\n{text}\n{WRAPPER}\n") == "kv_cache_none"
    assert cause_of(f"{text}\n{NO_KV_CACHE}\n{WRAPPER}\n") == "kv_cache_none"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("(Worker pid=3) (Worker_TP0 pid=3) ERROR 09-14 10:02:50 [a.py:5] torch.OutOfMemoryError: a", "gpu_oom"),
        ("(Worker pid=3) (Worker_TP0 pid=3) torch.OutOfMemoryError: a", "gpu_oom"),
        ("[rank0]:[E317 03:57:17.5 ProcessGroupNCCL.cpp:629] Watchdog caught collective operation timeout: a", "nccl"),
        ("pod-0:3:3 [0] init.cc:1874 NCCL WARN Cuda failure 2 'out of memory'", "gpu_oom"),
        ("huggingface_hub.errors.HfHubHTTPError: HTTP Error 429 thrown while requesting HEAD a", "hf_rate_limited"),
        ('{"levelname": "ERROR", "message": "CUDA out of memory"}', "gpu_oom"),
        ('{"level": "error", "message": "{\\"level\\": \\"info\\"}: CUDA out of memory"}', "gpu_oom"),
        ("2026-03-03 10:03:09,883 - ERROR - a.py:485 - CUDA out of memory", "gpu_oom"),
        ("INFORMATION: CUDA out of memory", "gpu_oom"),
    ],
)
def test_the_same_words_at_another_level_are_a_cause(line: str, cause: str) -> None:
    assert cause_of(line) == cause


def test_a_server_that_serves_has_overcome_what_was_before() -> None:
    assert cause_of(NO_KV_CACHE) == "kv_cache_none"
    assert cause_of(f"{NO_KV_CACHE}\n{START}") is None
    assert cause_of(f'{NO_KV_CACHE}\nINFO:     10.0.0.1:2 - "GET /health HTTP/1.1" 200 OK\n') is None


ENGINE_DEAD = "EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause."


def test_an_engine_may_die_while_it_serves_and_may_be_told_to_stop() -> None:
    out_of_memory = "(EngineCore pid=9) ERROR 11-23 08:29:36 [core.py:9] torch.OutOfMemoryError: CUDA out of memory.\n"
    assert found(f"{START}{out_of_memory}{ENGINE_DEAD}\n", 0).id == "gpu_oom"
    assert found(f"{START}{ENGINE_DEAD}\n").id == "generic"
    assert found(f"{START}{ENGINE_DEAD}\nINFO:     Shutting down\n", 0).id == "engine_died"
    assert explain(f"{START}{STOP}{ENGINE_DEAD}\n", 0) is None
    assert explain(ENGINE_DEAD) is None


def test_what_the_engine_died_of_is_said_with_exit_code_0() -> None:
    death = f"{START}EngineCore encountered a fatal error.\nTimeoutError: RPC call to sample_tokens timed out.\n"
    assert found(death, 0).id == "engine_died"
    assert found(death, 0).sentence.endswith(": TimeoutError: RPC call to sample_tokens timed out.")
    assert found(f"{WRAPPER}\n", 0).sentence.startswith("the server ended with exit code 0")
    killed = explain(death, 0, reason="OOMKilled")
    assert killed is not None
    assert killed.sentence.startswith("the container took more memory than its limit")


KV_CACHE = (
    "ValueError: To serve at least one request with the model's max seq len (4000000), (1.91 GiB KV cache is needed, "
    "which is larger than the available KV cache memory (1.0 GiB). Based on the available memory, the estimated "
    "maximum model length is 2097024. Try increasing `gpu_memory_utilization`"
)


def test_a_cause_says_what_the_log_knows() -> None:
    assert found(KV_CACHE, 1) == Cause(
        id="kv_cache_too_small",
        sentence="the KV cache does not fit: 4000000 tokens need 1.91 GiB, 1.0 GiB is free",
        cure="Lower --max-model-len to 2097024 or raise --gpu-memory-utilization",
        setting="--max-model-len",
        exit_code=1,
        message=KV_CACHE,
    )


def test_the_root_of_an_unknown_failure_is_quoted() -> None:
    assert "Not enough allowed NUMA nodes" in found(log("fail-tp2cpu.log")).sentence
    assert found(log("engine-killed-while-loading.log")).sentence == "the engine did not start"
    unknown = "Traceback (most recent call last):\n  File 'a.py', line 1\n    f()\nTypeError: f() takes 1 argument\n"
    assert found(unknown).sentence == "the engine did not start: TypeError: f() takes 1 argument"


WRAPPER = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
OFFLINE = "LocalEntryNotFoundError: Cannot find the files and outgoing traffic has been disabled."
SHM_FULL = "NCCL WARN Error while creating shared memory segment /dev/shm/nccl-a, error: No space left on device"
TOO_OLD = "Error 804: forward compatibility was attempted on non supported HW"
KILLED = "Worker proc VllmWorker-1 died unexpectedly (exit code: -9)"
NCCL = "RuntimeError: NCCL error: remote process exited or there was a network error"
FEW_GPUS = "  Value error, World size (4) is larger than the number of available GPUs (1)"


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ((NO_KV_CACHE, WRAPPER), "kv_cache_none"),
        ((WRAPPER, NO_KV_CACHE), "kv_cache_none"),
        (("OSError: We couldn't connect to 'https://hub' to load the files", OFFLINE), "hf_offline_not_cached"),
        (("HTTPStatusError: Client error '429 Too Many Requests'", "LocalEntryNotFoundError: a"), "hf_rate_limited"),
        (("GatedRepoError: 403 Client Error.", "OSError: Can't load tokenizer for 'a/b'."), "hf_gated"),
        ((SHM_FULL, NCCL), "shm_small"),
        (("RuntimeError: No CUDA GPUs are available", TOO_OLD), "driver_too_old"),
        ((NCCL, KILLED), "worker_killed"),
        (("torch.OutOfMemoryError: CUDA out of memory.", NCCL), "gpu_oom"),
        (("FileNotFoundError: [Errno 2] No usable temporary directory found in ['/cache']",), "no_tmp"),
        (("1 validation error for ParallelConfig", FEW_GPUS), "gpu_count"),
        (("KeyboardInterrupt: terminated", WRAPPER), "killed_while_loading"),
    ],
)  # fmt: skip
def test_which_of_two_causes_is_named(lines: tuple[str, ...], cause: str) -> None:
    assert cause_of("\n".join(lines)) == cause


def test_what_speaks_of_a_cause_is_kept_once() -> None:
    text = "".join(f"(Worker_TP{n} pid={n}) ERROR 11-23 07:54:35 [a.py:9]   File 'x'\n" for n in range(9))
    text += "".join(f"(Worker_TP{n} pid={n}) ERROR 11-23 07:54:35 [a.py:9] ValueError: no\n" for n in range(9))
    assert evidence(text).text == "ValueError: no"


@pytest.mark.parametrize(
    "text",
    [
        log("healthy-start.log") * 250,
        "".join(
            f"RuntimeError: {n} Model architectures error: argument [Errno 13] 'cache /dev/shm\n" for n in range(65_000)
        ),
        "x" * 5_000_000,
        " " * 5_000_000,
        "(" * 5_000_000,
        ("Free memory on device " * 40 + "\n") * 5_700,
        "Error: " * 700_000,
        '{"level": ' * 500_000,
        "".join(f"EngineCore encountered a fatal error {n}\n" for n in range(100_000)),
        ("CAS service error " * 200 + "os error 28\n") * 1_300,
    ],
    ids=["healthy", "errors", "one word", "blanks", "brackets", "long lines", "one line", "JSON", "deaths", "refusals"],
)
def test_a_large_log_is_read_in_no_time(text: str) -> None:
    start = time.process_time()
    explain(text, 1)
    assert time.process_time() - start < 1


def test_the_beginning_and_the_end_of_a_large_log_are_looked_at() -> None:
    noise = "".join(f"RuntimeError: {n}\n" for n in range(100_000))
    assert cause_of(f"{NO_KV_CACHE}\n{noise}") == "kv_cache_none"
    assert cause_of(f"{noise}{NO_KV_CACHE}\n") == "kv_cache_none"
