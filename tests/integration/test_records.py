# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about a release, as it stands in the namespace."""

from __future__ import annotations

import getpass
import re
import socket

from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import deploy

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
HEAD = "schema release_uid next current inventory operation history".split()
ITEM = "api_version kind name uid digest since keep".split()
ROW = """
    revision digest state verified kind reason by image model model_revision started finished failure evidence
""".split()


def test_head_and_record(namespace: Namespace) -> None:
    run = deploy(namespace.name, variables={"vllm_deploy_reason": "a first look", "awx_job_id": 42})
    assert run.succeeded, run.told

    head = namespace.head()
    assert set(HEAD) <= set(head)
    assert (head["schema"], head["next"], head["current"]["revision"], head["operation"]) == (1, 2, 1, None)
    assert len(head["inventory"]) == len(run.result()["actions"]["created"])
    for item in head["inventory"]:
        assert set(ITEM) <= set(item)
        assert item["uid"]
        assert re.fullmatch(r"[0-9a-f]{16}", item["digest"])
        assert item["since"] == 1

    (row,) = head["history"]
    assert set(ROW) <= set(row)
    assert (row["revision"], row["state"], row["verified"], row["kind"]) == (1, "current", True, "deploy")
    assert (row["reason"], row["model"], row["model_revision"]) == ("a first look", "test/model", "main")
    assert row["image"] == "vllm/vllm-openai:v0.33.0"
    assert row["digest"] == head["current"]["digest"]
    assert TIME.fullmatch(row["started"])
    assert TIME.fullmatch(row["finished"])
    who = {"user": getpass.getuser(), "host": socket.gethostname(), "play": "Deploy vLLM servers", "awx_job_id": "42"}
    assert who.items() <= row["by"].items()
    assert row["by"]["inventory"].endswith("hosts.yml")

    record = namespace.record(1)
    assert (record["digest"], record["reason"]) == (row["digest"], "a first look")
    assert {body["kind"] for body in record["definition"]} == {item["kind"] for item in head["inventory"]}
    stored = namespace.get("configmaps", "vllm-release-one-test.v1")
    assert stored["immutable"] is True
    labels = {"vllm.ai-aas/record": "revision", "vllm.ai-aas/record-of": "one-test"}
    assert stored["metadata"]["labels"] == labels
    of_head = namespace.get("configmaps", "vllm-release-one-test")["metadata"]["labels"]
    assert of_head == labels | {"vllm.ai-aas/record": "head"}


def test_only_so_many_records_are_kept(namespace: Namespace) -> None:
    for number in range(1, 5):
        settings = {"vllm_deploy_history_max": 2, "vllm_deploy_service_annotations": {"number": str(number)}}
        run = deploy(namespace.name, variables=settings)
        assert run.succeeded, run.told
        assert run.result()["release"]["revision"] == number
    records = {name for name in namespace.names("configmaps") if name.startswith("vllm-release-")}
    assert records == {"vllm-release-one-test", "vllm-release-one-test.v4", "vllm-release-one-test.v3"}
    assert namespace.history() == [
        (4, "current", True),
        (3, "superseded", True),
        (2, "superseded", True),
        (1, "superseded", True),
    ]
    assert len(namespace.pods()) == 1, "a change to a Service restarted the server"


def test_a_change_without_a_new_template_keeps_the_pods(namespace: Namespace) -> None:
    assert deploy(namespace.name).succeeded
    before = {pod["metadata"]["uid"] for pod in namespace.pods()}
    assert deploy(namespace.name, variables={"vllm_deploy_service_annotations": {"a": "b"}}).succeeded
    assert {pod["metadata"]["uid"] for pod in namespace.pods()} == before
