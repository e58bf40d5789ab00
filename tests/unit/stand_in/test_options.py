# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: what each version of vLLM knows, and how it refuses the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Start


@pytest.mark.parametrize(
    ("version", "flags", "message"),
    [
        ("0.33.0", ["--no-such-flag"], "vllm: error: unrecognized arguments: --no-such-flag"),
        ("0.10.2", ["--shutdown-timeout", "90"], "vllm: error: unrecognized arguments: --shutdown-timeout 90"),
        ("0.10.2", ["--fingerprint-mode", "none"], "vllm: error: unrecognized arguments: --fingerprint-mode none"),
        ("0.33.0", ["--swap-space", "4"], "vllm: error: unrecognized arguments: --swap-space 4"),
        ("0.33.0", ["--max-model-len", "long"], "vllm serve: error: argument --max-model-len: invalid"),
        ("0.33.0", ["--dtype", "int3"], "vllm serve: error: argument --dtype: invalid choice: 'int3'"),
    ],
)
def test_wrong_flags_exit_with_2(start: Start, version: str, flags: list[str], message: str) -> None:
    server = start(*flags, version=version)
    assert server.exit_code() == 2
    assert message in server.log


@pytest.mark.parametrize(
    ("version", "flags"),
    [
        ("0.10.2", ["--swap-space", "4", "--tensor_parallel_size=2", "--max-model-len", "4k", "-O3"]),
        (
            "0.33.0",
            ["-tp", "2", "--no-enable-prefix-caching", "--override-generation-config", '{"temperature": 0}', "-O2"],
        ),
    ],
)
def test_known_flags(start: Start, version: str, flags: list[str]) -> None:
    server = start(*flags, version=version).wait_until_listening()
    assert "'tensor_parallel_size': 2" in server.log


def test_tool_choice_needs_a_parser(start: Start) -> None:
    server = start("--enable-auto-tool-choice")
    assert server.exit_code() == 1
    assert "--enable-auto-tool-choice requires --tool-call-parser" in server.log


def test_the_command_line_wins_over_the_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("served-model-name: [from-file]\nmax-model-len: 2048\nenforce-eager: true\n")
    server = start("--config", str(file), "--max-model-len", "1024").wait_until_listening()
    models = server.ask("/v1/models")[1]["data"]
    assert [(model["id"], model["max_model_len"]) for model in models] == [("from-file", 1024)]
