# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, signals and exit codes, compared with what was measured on a real vLLM 0.32.0."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from .conftest import StandIn, Start

SLOW = {"STAND_IN_TOKEN_SECONDS": "0.05"}


@contextlib.contextmanager
def stream(server: StandIn, tokens: int) -> Iterator[http.client.HTTPResponse]:
    """A stream whose first event has come."""
    body = {"prompt": "a", "max_tokens": tokens, "stream": True}
    with server.request("/v1/completions", body) as connection, connection.getresponse() as response:
        assert response.readline().startswith(b"data: ")
        yield response


def test_it_says_first_that_it_is_a_stand_in(start: Start) -> None:
    server = start()
    server.wait_for_log("\n")
    assert server.log.startswith("This is a stand-in for vLLM 0.33.0.")


def test_connections_are_refused_while_it_loads(start: Start) -> None:
    server = start(STAND_IN_LOAD_SECONDS="0.5")
    server.wait_for_log("Loading safetensors checkpoint shards:  50%")
    assert not server.listens()
    server.wait_until_listening()
    for milestone in ("Loading weights took", "Model loading took", "init engine (profile", "Starting vLLM server on"):
        assert milestone in server.log


def test_idle_it_ends_with_0(start: Start) -> None:
    server = start().wait_until_listening()
    begun = time.monotonic()
    server.terminate()
    assert server.exit_code() == 0
    assert time.monotonic() - begun < 2
    assert "[shutdown] API server: shutdown triggered" in server.log


def test_sigterm_is_swallowed_during_the_load(start: Start) -> None:
    server = start(STAND_IN_LOAD_SECONDS="0.6")
    server.wait_for_log("Starting to load model")
    server.terminate()
    server.wait_until_listening()
    assert server.ask("/health")[0] == 200


def test_the_second_sigterm_ends_the_load(start: Start) -> None:
    server = start(STAND_IN_NEVER_READY="1")
    server.wait_for_log("init engine")
    # That one is not enough is shown above. Two that are pending at the same time count as one.
    while server.process.poll() is None:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(0.05)
    assert server.exit_code() == 130
    assert "KeyboardInterrupt: terminated" in server.log


def test_without_a_timeout_a_request_gets_500(start: Start) -> None:
    server = start(STAND_IN_FIRST_TOKEN_SECONDS="60").wait_until_listening()
    with server.request("/v1/completions", {"prompt": "a"}) as connection:
        wait_for_running(server)
        server.terminate()
        with connection.getresponse() as response:
            assert response.status == 500
    assert server.exit_code() == 0


def test_without_a_timeout_a_stream_stalls_until_its_client_leaves(start: Start) -> None:
    server = start(**SLOW).wait_until_listening()
    with stream(server, 500):
        server.terminate()
        server.wait_for_log("Waiting for connections to close.")
        server.terminate()
        assert not server.listens()
        assert server.process.poll() is None
    assert server.exit_code() == 0


def test_with_a_timeout_a_stream_goes_on_and_new_requests_do_not(start: Start) -> None:
    server = start("--shutdown-timeout", "1", **SLOW).wait_until_listening()
    with stream(server, 10) as response:
        server.terminate()
        server.wait_for_log("mode=drain timeout=1s")
        assert server.ask("/health")[0] == 200
        assert server.ask("/v1/models")[0] == 200
        status, body = server.ask("/v1/completions", {"prompt": "a"})
        assert (status, body["error"]["message"]) == (500, "cannot schedule new futures after shutdown")
        text = response.read().decode()
    assert text.rstrip().endswith("data: [DONE]")
    assert '"error"' not in text
    assert server.exit_code() == 0


def test_at_the_timeout_a_stream_gets_an_error_and_done(start: Start) -> None:
    server = start("--shutdown-timeout", "1", **SLOW).wait_until_listening()
    with stream(server, 500) as response:
        server.terminate()
        events = response.read().decode().strip().split("\n\n")
    assert json.loads(events[-2].removeprefix("data: "))["error"]["code"] == 500
    assert events[-1] == "data: [DONE]"
    assert server.exit_code() == 0


def test_the_death_of_the_engine_ends_with_0(start: Start) -> None:
    server = start().wait_until_listening()
    (server.temporary / "stand-in-engine-death").touch()
    server.wait_for_log("EngineDeadError")
    assert server.ask("/health")[0] == 503
    assert server.exit_code() == 0
    assert not server.listens()


def test_the_api_may_outlive_the_engine(start: Start) -> None:
    server = start(VLLM_KEEP_ALIVE_ON_ENGINE_DEATH="1", STAND_IN_ENGINE_DEATH_AFTER_SECONDS="0").wait_until_listening()
    server.wait_for_log("EngineDeadError")
    assert server.ask("/health")[0] == 503
    assert server.ask("/v1/completions", {"prompt": "a"})[0] == 500
    assert server.process.poll() is None


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"STAND_IN_CRASH_LOG": "fail-maxlen"}, 1, "is greater than the derived max_model_len"),
        ({"STAND_IN_CRASH_EXIT_CODE": "7", "STAND_IN_CRASH_AFTER_SECONDS": "0.1"}, 7, "stand-in"),
        ({"STAND_IN_CRASH_LOG": "no-such-log"}, 1, "is not among the logs"),
        ({"STAND_IN_MODEL_MUST_EXIST": "1"}, 1, "Repo id must be in the form"),
        ({"VLLM_PORT": "tcp://10.0.0.1:8000"}, 1, "appears to be a URI"),
        ({"STAND_IN_HANGS": "1"}, 1, "is no switch of the stand-in"),
        ({"STAND_IN_LOAD_SECONDS": "soon"}, 1, "must be a float"),
        ({"STAND_IN_OOM_AFTER_SECONDS": "0"}, 1, "needs a memory limit"),
    ],
)
def test_failed_starts(start: Start, environment: dict[str, str], code: int, words: str) -> None:
    server = start(**{"STAND_IN_LOAD_SECONDS": "1", **environment})
    assert server.exit_code() == code
    assert words in server.log


def test_a_hanging_engine_is_healthy_and_silent(start: Start) -> None:
    server = start(STAND_IN_HANG_AFTER_SECONDS="0").wait_until_listening()
    with server.request("/v1/completions", {"prompt": "a", "max_tokens": 1}) as connection:
        wait_for_running(server)
        assert server.ask("/health")[0] == 200
        assert connection.sock is not None
        connection.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.getresponse()


def test_errors_are_spread_evenly(start: Start) -> None:
    server = start(STAND_IN_ERROR_RATE="0.25").wait_until_listening()
    answers = [server.ask("/v1/completions", {"prompt": "a", "max_tokens": 1})[0] for _unused in range(8)]
    assert answers == [200, 200, 200, 500, 200, 200, 200, 500]


def test_wrong_name_and_fingerprint(start: Start) -> None:
    server = start(STAND_IN_SERVED_MODEL_NAME="other", STAND_IN_FINGERPRINT="old").wait_until_listening()
    assert [model["id"] for model in server.ask("/v1/models")[1]["data"]] == ["other"]
    assert server.ask("/v1/completions", {"prompt": "a"})[1]["system_fingerprint"] == "old"


def wait_for_running(server: StandIn) -> None:
    """Until one request is in the engine."""
    deadline = time.monotonic() + 10
    while 'vllm:num_requests_running{engine="0",model_name="/models/tiny"} 1.0' not in server.ask("/metrics")[1]:
        assert time.monotonic() < deadline
