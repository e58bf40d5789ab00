# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person and a program see while a playbook runs, and after."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.operator.bastion import Bastion
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import (
    Project,
    health,
    info,
    release,
)
from ansible_collections.ai_aas.vllm.tests.integration.playbook import PATIENCE, Line

# Long enough that lines which are held back to the end are told from lines that come when it happens.
LOAD = 8
SLOW = {"vars": {"load": LOAD}}
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def in_a_terminal(command: list[str]) -> list[Line]:
    """What a command prints to a terminal, and when."""
    screen, side = pty.openpty()
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, start_new_session=True)
    os.close(side)
    lines: list[Line] = []
    rest = ""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and select.select([screen], [], [], PATIENCE)[0]:
        try:
            rest += os.read(screen, 65536).decode(errors="replace")
        except OSError:  # the last one who had it open is gone
            break
        *whole, rest = rest.split("\n")
        lines += [Line(at=time.monotonic(), text=ANSI.sub("", text).rstrip("\r")) for text in whole]
    os.close(screen)
    assert process.wait(PATIENCE) == 0, "\n".join(line.text for line in lines)
    return lines


def assert_live(lines: list[Line]) -> None:
    """The lines of one slow release are there in their order, each at its time, before Ansible's own line."""
    wanted = (
        "plan: 2 to create",
        "revision 1: applying",
        " loading, ",
        "revision 1: asking ",
        "revision 1 verified in",
    )
    places = [next((place for place, line in enumerate(lines) if text in line.text), -1) for text in wanted]
    report = "\n".join(f"{line.at - lines[0].at:6.1f} {line.text}" for line in lines)
    assert -1 not in places, report
    assert places == sorted(places), report
    plan, _applying, loading, asking, verified = (lines[place].at for place in places)
    done = next(line.at for line in lines if line.text.startswith("changed: [here]"))
    assert asking - plan > LOAD / 2, report
    # A late kubelet tells of a load that has been going on for a while.
    spent = re.search(r" loading, (\d+)s of ", lines[places[2]].text)
    assert spent, report
    assert asking - loading > LOAD / 2 - int(spent[1]), report
    assert plan < loading < asking <= verified <= done, report


def test_progress_in_a_terminal(project: Project, namespace: Namespace) -> None:
    playbook = project.write(release(namespace.name) | SLOW)
    assert_live(in_a_terminal(["ansible-playbook", "-i", str(project.folder / "hosts.yml"), str(playbook)]))


def test_progress_under_ansible_runner(project: Project, namespace: Namespace, tmp_path: Path) -> None:
    """As AWX does it: a project, an inventory, extra variables; each line is an event with the time it came at."""
    directory = tmp_path / "runner"
    (directory / "inventory").mkdir(parents=True)
    playbook = project.write(release(namespace.name) | SLOW)
    (project.folder / "hosts.yml").rename(directory / "inventory" / "hosts.yml")
    (directory / "project").symlink_to(project.folder)
    (directory / "env").mkdir()
    extra = {"awx_job_id": 4711, "awx_user_name": "ann"}
    (directory / "env" / "extravars").write_text(json.dumps(extra))
    settings = {"private_data_dir": str(directory), "playbook": playbook.name, "quiet": True}
    script = (
        "import json, sys, time, ansible_runner\n"
        "def tell(event):\n"
        "    for text in event.get('stdout', '').splitlines():\n"
        "        print(json.dumps([time.monotonic(), text]), flush=True)\n"
        f"run = ansible_runner.run(event_handler=tell, **{settings!r})\n"
        "sys.exit(run.rc)\n"
    )
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert_live([Line(at=at, text=ANSI.sub("", text)) for at, text in events])
    row = namespace.head("small")["history"][0]
    assert row["by"]["awx_job_id"] == "4711"
    assert row["by"]["awx_user_name"] == "ann"


@pytest.mark.parametrize("route", ["in process", "over ssh"])
def test_the_json_callback_stays_valid(
    project: Project, namespace: Namespace, kubeconfig: Path, bastion: Bastion, route: str
) -> None:
    tasks = [make(namespace.name, kubeconfig=str(kubeconfig)) for make in (release, health, info)]
    project.inventory["bastions"] = {"hosts": {"bastion": bastion.variables}}
    if route == "over ssh":
        tasks = [task | {"delegate_to": "bastion"} for task in tasks]
    environment = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    run = project.run(*tasks, options=("--limit", "here", "--diff", "-v"), environment=environment)
    assert run.succeeded, run.told
    # -v makes Ansible itself say which configuration it uses, before the callback begins.
    told = json.loads(run.stdout[run.stdout.index("{") :])
    results = [task["hosts"]["here"] for task in told["plays"][0]["tasks"]]
    assert [result["changed"] for result in results] == [True, False, False]
    assert results[0]["release"]["revision"] == 1
    assert "[small] revision 1: applying" in run.stderr


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_results_of_the_default_callback_are_valid(project: Project, namespace: Namespace, form: str) -> None:
    environment = {"ANSIBLE_CALLBACK_RESULT_FORMAT": form}
    run = project.run(release(namespace.name), info(namespace.name), options=("-v",), environment=environment)
    assert run.succeeded, run.told
    texts = re.findall(r"^(?:ok|changed): \[here\] => ?(.*?)(?=^\n|\Z)", run.stdout, re.MULTILINE | re.DOTALL)
    results = [json.loads(text) if form == "json" else yaml.safe_load(text) for text in texts]
    assert [result["changed"] for result in results] == [True, False], run.stdout
    assert results[1]["releases"][0]["name"] == "small"


def test_verbosity_shows_no_secret(project: Project, namespace: Namespace) -> None:
    task = info(namespace.name, host="https://127.0.0.1:1", api_key="secret-token", password="secret-token")
    run = project.run(task, options=("-vvvv",))
    assert not run.succeeded
    assert "secret-token" not in run.told


def test_no_log_is_silent(project: Project, namespace: Namespace) -> None:
    run = project.run(release(namespace.name) | {"no_log": True}, options=("--diff", "-vv"))
    assert run.succeeded, run.told
    assert "[small]" not in run.told
    assert "revision" not in run.told


def test_a_failure_under_no_log_shows_its_message_only(project: Project, namespace: Namespace) -> None:
    """ansible-core prints the message of every action that fails, no_log or not."""
    run = project.run(release(namespace.name, context="nowhere") | {"no_log": True}, options=("-vvv",))
    assert not run.succeeded
    assert [line for line in run.told.splitlines() if "nowhere" in line and "[ERROR]" not in line] == []


def test_a_timeout_is_honoured(project: Project, namespace: Namespace) -> None:
    task = release(namespace.name) | {"vars": {"load": 120}, "timeout": 5}
    started = time.monotonic()
    run = project.run(task)
    assert not run.succeeded, run.told
    (result,) = [each["result"] for each in run.results]
    assert result["timedout"]["period"] == 5
    assert time.monotonic() - started < 60
    assert "Traceback" not in run.told


def test_a_name_for_the_person_behind_it(project: Project, namespace: Namespace) -> None:
    task = release(namespace.name, provenance={"ticket": "OPS-1"}, reason="because")
    assert project.run(task).succeeded
    row = namespace.head("small")["history"][0]
    assert row["reason"] == "because"
    assert row["by"]["ticket"] == "OPS-1"
    assert row["by"]["play"] == "all"
