# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints, compared with what a real vLLM 0.32.0 was measured to answer."""

from __future__ import annotations

import json

import pytest

from .conftest import StandIn, Start

PROMPT = {"prompt": "one two", "max_tokens": 3}
CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}


def test_health_is_empty_and_knows_no_head(server: StandIn) -> None:
    assert server.ask("/health") == (200, "")
    assert server.ask("/ping", {}) == (200, "")
    assert server.ask("/health", method="HEAD")[0] == 405


@pytest.mark.parametrize("path", ["/", "/ready", "/readyz", "/livez", "/healthz", "/server_info", "/v1/embeddings"])
def test_what_vllm_does_not_serve(server: StandIn, path: str) -> None:
    assert server.ask(path) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("flags", "version", "embeds"),
    [
        (["--runner", "pooling"], "0.33.0", True),
        (["--runner", "pooling", "--convert", "classify"], "0.33.0", False),
        (["--task", "embed"], "0.10.2", True),
        (["--task", "reward"], "0.10.2", False),
    ],
)
def test_a_model_that_generates_nothing(start: Start, flags: list[str], version: str, embeds: bool) -> None:
    server = start(*flags, version=version).wait_until_listening()
    status, body = server.ask("/v1/completions", PROMPT)
    missing = (404, {"detail": "Not Found"})
    if version == "0.10.2":
        assert (status, body["error"]["message"]) == (400, "The model does not support Completions API")
    else:
        assert (status, body) == missing
    status, body = server.ask("/v1/embeddings", {"input": "one two"})
    assert status == (200 if embeds else 400 if version == "0.10.2" else 404)
    assert not embeds or len(body["data"][0]["embedding"]) == 8
    status, body = server.ask("/pooling", {"input": "one two", "model": "/models/tiny"})
    assert (status, len(body["data"][0]["data"][0])) == (200, 8)
    assert body["usage"]["prompt_tokens"] == 2
    assert 'vllm:prompt_tokens_total{engine="0"' in (text := server.ask("/metrics")[1])
    asked = 2 if embeds else 1
    assert f"}} {asked * 2}.0" in next(
        line for line in text.splitlines() if line.startswith("vllm:prompt_tokens_total")
    )


def test_version_and_load(server: StandIn) -> None:
    assert server.ask("/version") == (200, {"version": "0.33.0"})
    assert server.ask("/load") == (200, {"server_load": 0})


def test_models_lists_every_name_with_the_path_as_root(server: StandIn) -> None:
    status, body = server.ask("/v1/models")
    assert status == 200
    assert [(model["id"], model["root"], model["max_model_len"]) for model in body["data"]] == [
        ("a", "/models/tiny", 512),
        ("b", "/models/tiny", 512),
    ]


def test_completion(server: StandIn) -> None:
    status, body = server.ask("/v1/completions", {**PROMPT, "model": "b"})
    assert status == 200
    assert body["object"] == "text_completion"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["text"]
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert body["system_fingerprint"].startswith("vllm-0.33.0-")


def test_chat_completion_without_a_model_takes_the_first(server: StandIn) -> None:
    status, body = server.ask("/v1/chat/completions", CHAT)
    assert (status, body["model"], body["object"]) == (200, "a", "chat.completion")
    assert body["choices"][0]["message"]["role"] == "assistant"


@pytest.mark.parametrize(("path", "body"), [("/v1/completions", PROMPT), ("/v1/chat/completions", CHAT)])
def test_stream(server: StandIn, path: str, body: dict[str, object]) -> None:
    status, text = server.ask(path, {**body, "stream": True, "stream_options": {"include_usage": True}})
    events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert status == 200
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["usage"]["completion_tokens"] == body["max_tokens"]
    assert json.loads(events[-3])["choices"][0]["finish_reason"] == "length"


def test_wrong_model(server: StandIn) -> None:
    error = {"message": "The model `x` does not exist. Valid aliases: a, b.", "type": "NotFoundError"}
    expected = {"error": {**error, "param": "model", "code": 404}}
    assert server.ask("/v1/completions", {**PROMPT, "model": "x"}) == (404, expected)


@pytest.mark.parametrize("body", [{}, {"prompt": "a", "max_tokens": 100000}, {"prompt": "a", "max_tokens": 0}, []])
def test_wrong_requests(server: StandIn, body: object) -> None:
    status, answer = server.ask("/v1/completions", body)
    assert (status, answer["error"]["code"]) == (400, 400)


def test_tokenize(server: StandIn) -> None:
    status, body = server.ask("/tokenize", {"prompt": "one two"})
    assert (status, body["count"], body["max_model_len"], len(body["tokens"])) == (200, 2, 512, 2)


def test_metrics_move(server: StandIn) -> None:
    def value(name: str) -> float:
        lines = server.ask("/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    names = (
        'vllm:request_success_total{engine="0",finished_reason="length",model_name="a"}',
        'vllm:e2e_request_latency_seconds_count{engine="0",model_name="a"}',
        'http_requests_total{handler="/v1/completions",method="POST",status="2xx"}',
    )
    before = [value(name) for name in names]
    server.ask("/v1/completions", PROMPT)
    assert [value(name) for name in names] == [number + 1 for number in before]
    assert value("vllm:num_requests_running") == 0
    assert not value('http_requests_total{handler="/health"')


def test_api_key_guards_only_v1(start: Start) -> None:
    server = start(VLLM_API_KEY="secret").wait_until_listening()
    assert server.ask("/v1/models") == (401, {"error": "Unauthorized"})
    assert server.ask("/v1/models", key="wrong")[0] == 401
    assert server.ask("/v1/models", key="secret")[0] == 200
    for path in ("/health", "/version", "/metrics", "/load"):
        assert server.ask(path)[0] == 200
    assert server.ask("/invocations", PROMPT)[0] == 200
    assert "http_requests_total{" not in "".join(
        line for line in server.ask("/metrics")[1].splitlines() if 'status="4xx"' in line
    )


def test_api_key_of_the_command_line_wins(start: Start) -> None:
    server = start("--api-key", "one", "two", VLLM_API_KEY="secret").wait_until_listening()
    assert [server.ask("/v1/models", key=key)[0] for key in ("one", "two", "secret")] == [200, 200, 401]
    assert "'api_key': '***'" in server.log


def test_root_path_is_optional_in_requests(start: Start) -> None:
    server = start("--root-path", "/llm", "--api-key", "k").wait_until_listening()
    assert [server.ask(path)[0] for path in ("/health", "/llm/health", "/llm/v1/models")] == [200, 200, 401]
    assert server.ask("/llm/v1/models", key="k")[0] == 200


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--fingerprint-mode", "custom", "--fingerprint-value", "rev-7"], "rev-7"),
        (["--fingerprint-mode", "none"], None),
    ],
)
def test_fingerprint(start: Start, flags: list[str], expected: str | None) -> None:
    server = start(*flags).wait_until_listening()
    assert server.ask("/v1/completions", PROMPT)[1]["system_fingerprint"] == expected


def test_an_old_version_answers_as_it_did(start: Start) -> None:
    server = start(version="0.10.2", STAND_IN_HEALTH_FLAP_SECONDS="0.001").wait_until_listening()
    assert server.ask("/version") == (200, {"version": "0.10.2"})
    assert server.ask("/v1/completions", PROMPT)[1]["system_fingerprint"] is None
    message = server.ask("/v1/completions", {**PROMPT, "model": "x"})[1]["error"]["message"]
    assert message == "The model `x` does not exist."
    assert {server.ask("/health")[0] for _unused in range(40)} == {200, 500}
    families = server.ask("/metrics")[1]
    assert "vllm:time_per_output_token_seconds_count" in families
    assert "vllm:engine_sleep_state" not in families


def test_without_log_stats_there_are_no_vllm_metrics(start: Start) -> None:
    server = start("--disable-log-stats").wait_until_listening()
    server.ask("/v1/models")
    families = server.ask("/metrics")[1]
    assert "vllm:" not in families
    assert "http_requests_total{" in families
