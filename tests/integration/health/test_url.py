# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is not in a cluster: a stand-in as a process on this machine, asked by its URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import HEALTH, Project
from ansible_collections.ai_aas.vllm.tests.unit.stand_in.conftest import Start, starter

SOUND = ["process", "identity", "inference", "progress"]
KEY = "secret-token"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starter(tmp_path) as started:
        yield started


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


def ask(project: Project, url: str, environment: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
    run = project.run({HEALTH: {"url": url} | options}, environment=environment)
    assert "Traceback" not in run.told
    assert KEY not in run.told
    (result,) = [each["result"] for each in run.results if each["action"] == HEALTH]
    return dict(result)


def test_a_server_and_its_key(project: Project, start: Start) -> None:
    flags = ("--served-model-name", "a", "b", "--root-path", "/llm", "--api-key", KEY)
    url = f"http://127.0.0.1:{start(*flags).wait_until_listening().port}/llm"
    by_option = ask(project, url, served_names=["a", "b"], server_api_key=KEY)
    by_environment = ask(project, url, {"VLLM_API_KEY": KEY})
    for result in (by_option, by_environment):
        verification = result["verification"]
        assert verification["passed"], result
        assert [check["check"] for check in verification["pods"][url]] == SOUND
    closed = ask(project, url)
    assert closed["msg"] == (
        f"{url} does not serve as it should. {url}: GET /v1/models answers 401: Unauthorized. "
        "Read the pods' log, or go back to a revision that was verified."
    )
    other = ask(project, url, served_names=["c"], server_api_key=KEY)
    assert f"{url}: it serves a, b, not c" in other["msg"]


def test_nobody_there(project: Project, start: Start) -> None:
    stand_in = start().wait_until_listening()
    stand_in.process.kill()
    stand_in.process.wait()
    result = ask(project, f"http://127.0.0.1:{stand_in.port}")
    assert "GET /health: [Errno 111] Connection refused" in result["msg"]


def test_options_that_do_not_go_together(project: Project) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"url": "http://a", "name": "b", "namespace": "c"}, "mutually exclusive: url|name"),
        ({"name": "b"}, "are required together: name, namespace"),
        ({}, "ne of the following is required: url, name"),
        ({"name": "b", "namespace": "c", "served_names": ["d"]}, "required by 'served_names': url"),
        ({"url": f"http://user:{KEY}@host"}, "The url holds a user or a password."),
    ]
    run = project.run(*({HEALTH: options, "ignore_errors": True} for options, _text in cases))
    assert KEY not in run.told
    messages = [each["result"]["msg"] for each in run.results if each["status"] == "failed"]
    for message, (_options, text) in zip(messages, cases, strict=True):
        assert text in message
