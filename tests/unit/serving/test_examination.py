# SPDX-License-Identifier: GPL-3.0-or-later
"""All questions in one conversation, with a stand-in for vLLM as a process of its own."""

from __future__ import annotations

from collections.abc import Buffer, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Answers
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.address import address_of
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.examination import Terms, examine
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Limits
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import Conversation, Stream
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.soak import Bounds
from ansible_collections.ai_aas.vllm.tests.unit.stand_in.conftest import StandIn, Start, starter

SERVER = Server(
    image="v:1",
    model="",
    model_revision="",
    served_names=("a", "b"),
    port=0,
    api_key_secret=None,
    max_model_len=512,
    fingerprint="3f2a",
)
FLAGS = ("--served-model-name", "a", "b", "--max-model-len", "512")
MARKED = ("--fingerprint-mode", "custom", "--fingerprint-value", "3f2a")
QUICK = Terms(limits=Limits(first=2, total=4))
ALL = ["process", "identity", "inference", "fingerprint", "progress"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starter(tmp_path) as start:
        yield start


class Cut:
    """A stream that ends before anything has come."""

    def __init__(self, stream: Stream) -> None:
        self.settimeout, self.write, self.close = stream.settimeout, stream.write, stream.close

    def readinto(self, _buffer: Buffer, /) -> int:
        return 0


def asked(
    stand_in: StandIn, server: Server = SERVER, terms: Terms = QUICK, cut: int = 0, **line: Any
) -> tuple[Answers, int]:
    """What it answers, and over how many connections. `cut`: the first ones end before anything has come."""
    stand_in.wait_until_listening()
    address, opened = address_of(f"http://127.0.0.1:{stand_in.port}"), list[Stream]()

    def stream() -> Stream:
        opened.append(Cut(address.connect()) if len(opened) < cut else address.connect())
        return opened[-1]

    conversation = Conversation(stream, **line)
    try:
        return examine(conversation, server, terms), len(opened)
    finally:
        conversation.close()


def outcome(answers: Answers) -> list[tuple[str, bool | None]]:
    return [(check.name, check.passed) for check in answers.checks]


def last(answers: Answers) -> tuple[str, str]:
    """The check at which it ended, which failed."""
    check = answers.checks[-1]
    assert check.failed, answers
    assert not any(each.failed for each in answers.checks[:-1])
    return check.name, check.detail


def test_a_connection_that_is_cut_says_nothing_about_the_server(start: Start) -> None:
    answers, connections = asked(start(*FLAGS, *MARKED), cut=1)
    assert outcome(answers) == [(name, True) for name in ALL]
    assert connections == 2


def test_two_that_are_cut_do(start: Start) -> None:
    answers, connections = asked(start(*FLAGS, *MARKED), cut=2)
    assert last(answers)[0] == "process"
    assert connections == 2


def test_a_server_that_serves(start: Start) -> None:
    answers, connections = asked(start(*FLAGS, *MARKED))
    assert outcome(answers) == [(name, True) for name in ALL]
    assert connections == 1
    measured = answers.measured
    assert measured.version == "0.33.0"
    assert measured.first_token is not None
    assert measured.inference is not None
    assert measured.first_token <= measured.inference


@pytest.mark.parametrize(
    ("flags", "environment", "name", "detail"),
    [
        pytest.param(
            MARKED,
            {"STAND_IN_HANG_AFTER_SECONDS": "0"},
            "inference",
            "POST /v1/completions: no first token within 2 s",
            id="it hangs",
        ),
        pytest.param(
            MARKED,
            {"STAND_IN_FIRST_TOKEN_SECONDS": "4"},
            "inference",
            "POST /v1/completions: no first token within 2 s",
            id="its first token is slow",
        ),
        pytest.param(
            MARKED,
            {"STAND_IN_TOKEN_SECONDS": "0.7"},
            "inference",
            "POST /v1/completions: not finished within 4 s",
            id="all its tokens are slow",
        ),
        pytest.param(
            MARKED,
            {"STAND_IN_SERVED_MODEL_NAME": "other"},
            "identity",
            "it serves other, not a, b",
            id="it serves another model",
        ),
        pytest.param(
            MARKED,
            {"STAND_IN_FINGERPRINT": "77b1"},
            "fingerprint",
            "it answers as pod template 77b1, not 3f2a",
            id="another revision answers",
        ),
        pytest.param(
            ("--max-model-len", "256"),
            {},
            "identity",
            "it serves a with a context of 256 tokens, not 512",
            id="its context is shorter",
        ),
        pytest.param(
            MARKED,
            {"STAND_IN_ERROR_RATE": "1"},
            "inference",
            "POST /v1/completions answers 500: Internal server error",
            id="it fails",
        ),
        pytest.param(
            ("--api-key", "secret"),
            {},
            "identity",
            "GET /v1/models answers 401: Unauthorized",
            id="it wants a key",
        ),
    ],
)
def test_a_server_that_does_not(
    start: Start, flags: tuple[str, ...], environment: dict[str, str], name: str, detail: str
) -> None:
    answers, _connections = asked(start(*FLAGS, *flags, **environment))
    assert last(answers) == (name, detail)


def test_nobody_listens(start: Start) -> None:
    stand_in = start().wait_until_listening()
    stand_in.process.kill()
    stand_in.process.wait()
    line = Conversation(address_of(f"http://127.0.0.1:{stand_in.port}").connect)
    assert last(examine(line, SERVER, QUICK)) == ("process", "GET /health: [Errno 111] Connection refused")


def test_a_key_opens_it(start: Start) -> None:
    answers, _connections = asked(start(*FLAGS, *MARKED, "--api-key", "secret"), api_key="secret")
    assert outcome(answers) == [(name, True) for name in ALL]


def test_a_root_path_makes_no_difference(start: Start) -> None:
    stand_in = start(*FLAGS, *MARKED, "--root-path", "/llm")
    for prefix in ("", "/llm"):
        answers, _connections = asked(stand_in, prefix=prefix)
        assert outcome(answers) == [(name, True) for name in ALL]


def test_a_server_without_counters_is_not_blamed_for_it(start: Start) -> None:
    answers, _connections = asked(start(*FLAGS, *MARKED, "--disable-log-stats"))
    assert outcome(answers) == [*((name, True) for name in ALL[:-1]), ("progress", None)]


@pytest.mark.parametrize(
    ("flags", "version", "route"),
    [
        (("--runner", "pooling"), "0.33.0", "/v1/embeddings"),
        (("--runner", "pooling", "--convert", "none"), "0.33.0", "/pooling"),
        (("--task", "embed"), "0.10.2", "/v1/embeddings"),
        (("--task", "reward"), "0.10.2", "/pooling"),
    ],
)
def test_a_model_that_generates_nothing(start: Start, flags: tuple[str, ...], version: str, route: str) -> None:
    answers, connections = asked(start(*FLAGS, *flags, version=version))
    assert outcome(answers) == [(name, True) for name in ("process", "identity", "inference", "progress")]
    assert answers.checks[2].detail == f"{route} answers with 8 numbers"
    assert connections == 1
    assert (answers.measured.version, answers.measured.first_token) == (version, None)


def soaked(start: Start, bounds: Bounds, **environment: str) -> Answers:
    stand_in = start(*FLAGS, *MARKED, **environment)
    answers, connections = asked(stand_in, terms=replace(QUICK, bounds=bounds))
    assert connections == 1
    assert [check.name for check in answers.checks] == [*ALL, "soak"]
    return answers


def test_bounds_are_looked_at_without_a_soak(start: Start) -> None:
    answers = soaked(start, Bounds(p95=3, error_ratio=0))
    assert answers.checks[-1].passed
    assert (answers.measured.probes, answers.measured.errors) == (5, 0)
    assert answers.measured.p95 is not None


def test_a_soak_lasts(start: Start) -> None:
    answers = soaked(start, Bounds(seconds=2))
    assert answers.checks[-1].passed
    assert answers.checks[-1].seconds >= 2
    assert 5 <= answers.measured.probes <= 6


def test_errors_above_the_bound(start: Start) -> None:
    """Every fourth fails: of the six completions, the first one is not a probe."""
    answers = soaked(start, Bounds(error_ratio=0.1), STAND_IN_ERROR_RATE="0.25")
    name, detail = last(answers)
    assert name == "soak"
    assert detail.startswith("1 of 5 probes failed, at most 10.00% may, P95 ")
    assert detail.endswith(", POST /v1/completions answers 500: Internal server error")
    assert soaked(start, Bounds(error_ratio=0.2), STAND_IN_ERROR_RATE="0.25").checks[-1].passed


def test_a_server_that_is_too_slow(start: Start) -> None:
    name, detail = last(soaked(start, Bounds(p95=0.1), STAND_IN_TOKEN_SECONDS="0.02"))
    assert name == "soak"
    assert detail.startswith("5 probes answered, P95 0.")
    assert detail.endswith(" s, more than 0.1 s")


def test_a_server_that_stops_answering(start: Start) -> None:
    stand_in = start(*FLAGS, *MARKED, STAND_IN_HANG_AFTER_SECONDS="2")
    terms = replace(QUICK, bounds=Bounds(seconds=6))
    answers, _connections = asked(stand_in, terms=terms)
    name, detail = last(answers)
    assert name == "soak"
    assert detail.endswith("POST /v1/completions: no first token within 2 s")
    assert answers.measured.probes < 5, "each takes two seconds"
