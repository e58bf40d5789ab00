# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod's events and a container's end say about why a server does not serve."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.diagnosis import (
    MESSAGES,
    explain,
    explain_events,
    explain_exit,
)
from ansible_collections.ai_aas.vllm.tests.unit.serving.samples import read

EVENTS = read("causes_of_events.txt")


@pytest.mark.parametrize(("cause_id", "message", "parts"), EVENTS)
def test_an_event(cause_id: str, message: str, parts: tuple[str, ...]) -> None:
    cause = explain_events(["Scheduled", "Successfully assigned system/a to node-1", message, "Back-off restarting"])
    assert cause is not None
    assert cause.id == cause_id
    assert [part for part in parts if part not in cause.sentence] == []
    assert cause.cure
    assert cause.message == message


def test_every_row_of_the_tables_is_tried() -> None:
    assert {row.id for row in MESSAGES} == {cause_id for cause_id, _message, _parts in EVENTS}


@pytest.mark.parametrize(
    "message",
    [
        "Readiness probe failed: Get http://10.0.0.1:8000/health: dial tcp 10.0.0.1:8000: connect: connection refused",
        'Pulling image "r.example/vllm:v1"',
        "Container image already present on machine",
        "Stopping container vllm",
    ],
)
def test_an_event_of_a_pod_that_starts(message: str) -> None:
    assert explain_events([message]) is None
    assert explain_events([]) is None


@pytest.mark.parametrize(
    ("code", "reason", "cause_id"),
    [
        (137, "OOMKilled", "oom_killed"),
        (0, "Completed", "engine_died"),
        (2, "Error", "bad_flag"),
        (126, "Error", "executable_missing"),
        (127, "Error", "executable_missing"),
        (128, "StartError", "start_error"),
        (130, "Error", "killed_while_loading"),
        (132, "Error", "cpu_unsupported"),
        (135, "Error", "shm_small"),
        (137, "Error", "killed"),
        (137, "ContainerStatusUnknown", "node_lost"),
        (139, "Error", "crashed"),
        (143, "Error", "killed_while_loading"),
    ],
)
def test_an_exit(code: int, reason: str, cause_id: str) -> None:
    cause = explain_exit(code, reason, ran_seconds=125)
    assert cause is not None
    assert (cause.id, cause.exit_code) == (cause_id, code)
    assert "{" not in cause.sentence + cause.cure + cause.setting


def test_exit_code_1_says_nothing() -> None:
    assert explain_exit(1, "Error", 30, 600) is None


@pytest.mark.parametrize(
    ("code", "ran", "cause_id"),
    [
        (137, 720, "startup_too_slow"),
        (137, 590, "startup_too_slow"),
        (130, 601, "startup_too_slow"),
        (137, 60, "killed"),
        (137, 86_400, "killed"),
        (0, 600, "engine_died"),
    ],
)
def test_a_kill_at_the_end_of_the_startup_budget(code: int, ran: float, cause_id: str) -> None:
    cause = explain_exit(code, "Error", ran, 600)
    assert cause is not None
    assert cause.id == cause_id


def test_too_small_a_startup_budget_says_how_long_it_ran_and_what_to_set() -> None:
    cause = explain_exit(137, "Error", 735, 600)
    assert cause is not None
    assert cause.sentence == (
        "the server was killed after 12m15s: it was still loading, and its startup probe gives it 10m00s"
    )
    assert cause.cure == "Raise the startup probe's failureThreshold so that it has at least 20m00s"


WRAPPER = "RuntimeError: Engine core initialization failed. See root cause above."


@pytest.mark.parametrize(
    ("log", "code", "reason", "cause_id"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory.", 137, "OOMKilled", "oom_killed"),
        ("torch.OutOfMemoryError: CUDA out of memory.", 1, "Error", "gpu_oom"),
        ("KeyboardInterrupt: terminated", 130, "Error", "startup_too_slow"),
        ("INFO 11-23 07:54:35 [core.py:1] Starting to load model a...", 137, "Error", "startup_too_slow"),
        (WRAPPER, 1, "Error", "generic"),
        (WRAPPER, 137, "Error", "startup_too_slow"),
        ("", 2, "Error", "bad_flag"),
        ("vllm: error: unrecognized arguments: --no", 2, "Error", "bad_flag"),
    ],
)
def test_a_log_and_an_end_together(log: str, code: int, reason: str, cause_id: str) -> None:
    cause = explain(log, code, reason=reason, ran_seconds=620, startup_budget=600)
    assert cause is not None
    assert (cause.id, cause.exit_code) == (cause_id, code)


def test_neither_a_log_nor_an_end_that_says_something() -> None:
    assert explain("", 1) is None


PROBED = "Container vllm failed liveness probe, will be restarted"
TOO_SLOW = "Container vllm failed startup probe, will be restarted"
STOPPED = "(APIServer pid=1) INFO 11-23 08:29:36 [launcher.py:254] [shutdown] API server: shutdown triggered"


@pytest.mark.parametrize(
    ("log", "code", "reason", "message", "cause_id"),
    [
        pytest.param(STOPPED, 0, "Completed", PROBED, "liveness_failed", id="it stopped as it was told to"),
        pytest.param(STOPPED, 0, "Completed", "Stopping container vllm", None, id="somebody stopped it"),
        pytest.param("KeyboardInterrupt: terminated", 130, "Error", TOO_SLOW, "startup_too_slow", id="while it loaded"),
        pytest.param("", 137, "OOMKilled", PROBED, "oom_killed", id="the kernel was faster"),
        pytest.param("NCCL error: unhandled", 137, "Error", PROBED, "nccl", id="the log says why it did not answer"),
        pytest.param(
            "",
            128,
            "StartError",
            'exec: "vlm": executable file not found in $PATH',
            "executable_missing",
            id="no start",
        ),
    ],
)
def test_what_kubernetes_says_of_an_end(log: str, code: int, reason: str, message: str, cause_id: str | None) -> None:
    cause = explain(log, code, reason=reason, ran_seconds=600, startup_budget=600, messages=[message])
    assert (cause.id if cause else None) == cause_id


def test_a_startup_probe_that_gives_up_says_how_long_it_ran_and_what_to_set() -> None:
    cause = explain_events([TOO_SLOW], ran_seconds=601, startup_budget=600)
    assert cause is not None
    assert cause.sentence.startswith("the server was killed after 10m01s: it was still loading")
    assert cause.cure.endswith("at least 20m00s")
    assert cause.message == TOO_SLOW


def test_a_startup_probe_that_gives_up_early_proves_nothing() -> None:
    cause = explain_events([TOO_SLOW], ran_seconds=29, startup_budget=600)
    assert cause is not None
    assert (cause.id, cause.transient) == ("startup_too_slow", True)
