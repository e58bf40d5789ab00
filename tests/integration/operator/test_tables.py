# SPDX-License-Identifier: GPL-3.0-or-later
"""What status, history and verify show, and what it costs."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import DEPLOY, HERE, REMOVE, Run, play

STATUS, HISTORY, VERIFY = (f"ai_aas.vllm.{name}" for name in ("status", "history", "verify"))
# Each in another state; see the fixture.
SERVERS = ("well", "two-bad", "bad", "gone", "never")
FLEET = tuple(f"copy-{number:02}" for number in range(1, 16))
MOMENT = "2026-11-23 12:00"
CHECKS = (
    "process yes S /health answers 200",
    "identity yes S serves test/model, 4096 tokens",
    "inference yes S generated 8 tokens, the first after S s",
    "fingerprint yes S answers as pod template DIGEST",
    "progress yes S counted 8 tokens, 0 requests in the queue",
    "restarts yes S the same process all the while",
    "service yes S Service well-test has exactly the ready pods",
)
FORMATS = [pytest.param({"ANSIBLE_CALLBACK_RESULT_FORMAT": name}, id=name) for name in ("json", "yaml")]
NEVER_READY = {
    "vllm_deploy_extra_env": [{"name": "STAND_IN_NEVER_READY", "value": "1"}],
    "vllm_deploy_wait_timeout": 20,
    # It loads as long as anybody looks at it: nothing kills it before.
    "vllm_deploy_startup_failure_threshold": 600,
}


def shown(run: Run) -> dict[str, list[str]]:
    """The tables that were printed, by host."""
    debugs = [each for each in run.results if each["action"] == "ansible.builtin.debug"]
    return {each["host"]: each["result"]["msg"] for each in debugs}


def masked(lines: list[str]) -> list[str]:
    """With one moment for all, since that is when it was tested."""
    return [re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d", MOMENT, line) for line in lines]


def unbroken(notes: list[str]) -> list[str]:
    """The paragraphs below a table, without what differs from run to run."""
    text = re.sub(r"\b\d+ ?s\b", "N s", re.sub(r"-test-[a-z0-9]+-[a-z0-9]{5}\b", "-test-POD", "\n".join(notes)))
    return [" ".join(part.split()) for part in text.split("\n\n") if part]


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inventory")
    (folder / "group_vars").symlink_to(HERE / "inventory" / "group_vars")
    hosts = {name: {"vllm_deploy_replicas": 2 if name == "well" else 1} for name in (*SERVERS, *FLEET)}
    (folder / "hosts.yml").write_text(json.dumps({"vllm": {"hosts": hosts}}))
    return folder / "hosts.yml"


@pytest.fixture(scope="module")
def place(cluster: Cluster, inventory: Path) -> Iterator[Namespace]:
    """A namespace with servers in every state: one runs, one runs on after a deploy that failed and was held, one never
    ran, one was removed with its history kept, and one was never deployed. And copies of the first one's record."""

    def run(playbook: str, *options: str, succeeds: bool = True, **variables: Any) -> None:
        done = play(playbook, *options, inventory=inventory, variables=placed | variables)
        assert done.succeeded == succeeds, done.told

    with cluster.namespace() as namespace:
        placed = {"vllm_deploy_namespace": namespace.name, "vllm_serial": "100%"}
        run(DEPLOY, "--limit", "well,two-bad,gone", vllm_deploy_reason="first")
        run(DEPLOY, "--limit", "two-bad,bad", succeeds=False, vllm_deploy_on_failure="hold", **NEVER_READY)
        run(REMOVE, "--limit", "gone", vllm_deploy_keep_history=True)
        head = namespace.get("configmaps", "vllm-release-well-test")
        for name in FLEET:
            labels = head["metadata"]["labels"] | {"vllm.ai-aas/record-of": f"{name}-test"}
            copy = {"metadata": {"name": f"vllm-release-{name}-test", "labels": labels}, "data": head["data"]}
            cluster.ask("POST", f"/api/v1/namespaces/{namespace.name}/configmaps", copy)
        yield namespace


def look(
    playbook: str, namespace: Namespace, inventory: Path, proxy: Proxy, *options: str, environment: Any = None
) -> Run:
    through = {"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)} | (environment or {})
    variables = {"vllm_deploy_namespace": namespace.name}
    return play(playbook, *options, inventory=inventory, variables=variables, environment=through)


@pytest.mark.parametrize("environment", FORMATS)
def test_status(place: Namespace, inventory: Path, proxy: Proxy, environment: dict[str, str]) -> None:
    run = look(STATUS, place, inventory, proxy, environment=environment)
    assert run.succeeded, run.told
    (lines,) = shown(run).values()
    assert masked(lines[:6]) == [
        "SERVER   ENVIRONMENT  REVISION      VERIFIED  IMAGE                     MODEL       PODS  SINCE (UTC)",
        "well     test         1             yes       vllm/vllm-openai:v0.33.0  test/model  2/2   2026-11-23 12:00",
        "two-bad  test         1, 2 failed   yes       vllm/vllm-openai:v0.33.0  test/model  1/1   2026-11-23 12:00",
        "bad      test         1 failed      -         vllm/vllm-openai:v0.33.0  test/model  0/1   2026-11-23 12:00",
        "gone     test         1 removed     -         vllm/vllm-openai:v0.33.0  test/model  -     2026-11-23 12:00",
        "never    test         not deployed  -         -                         -           -     -",
    ]
    table, notes = lines[: 1 + len(SERVERS) + len(FLEET)], lines[1 + len(SERVERS) + len(FLEET) :]
    assert all(re.match("(SERVER|[a-z]+-?)", line) for line in table)
    # What was said when they failed.
    late = (
        "After N s 1 of its pods are not ready: NAME-test-POD loading, N s of 10m01s. Read the log of the pod; if it "
        "is still loading, raise the startup probe's budget (vllm_deploy_startup_failure_threshold)."
    )
    assert unbroken(notes) == [
        f"two-bad: Revision 2 failed: {late.replace('NAME', 'two-bad')}",
        f"bad: Revision 1 failed: {late.replace('NAME', 'bad')}",
    ]
    assert_fits(run)
    # However many servers there are: their records, and how many pods are ready.
    paths = [request.path.rpartition("/")[2] for request in proxy.requests]
    assert paths == ["configmaps", "deployments"]
    assert "changed=1" not in run.stdout


def test_status_of_a_server_that_is_not_ready(place: Namespace, inventory: Path, proxy: Proxy) -> None:
    """What its pods say now, in the words of a release; for one more request, however many servers there are."""
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}
    hands.create(place, "resourcequotas", quota)
    hands.wait_for(lambda: place.get("resourcequotas", "q").get("status", {}).get("used"))
    hands.patch(place, "apps/v1/deployments", {"spec": {"replicas": 3}}, name="well-test")
    try:
        hands.wait_for(lambda: "exceeded quota" in json.dumps(place.deployment("well-test")["status"]))
        run = look(STATUS, place, inventory, proxy)
    finally:
        hands.patch(place, "apps/v1/deployments", {"spec": {"replicas": 2}}, name="well-test")
        hands.delete(place, "resourcequotas", name="q")
    (lines,) = shown(run).values()
    assert lines[1].split()[-4:-2] == ["test/model", "2/3"]
    notes = unbroken(lines[1 + len(SERVERS) + len(FLEET) :])
    assert re.fullmatch(
        r"well: no pod can be made: .* is forbidden: exceeded quota: q, .*\. Free some of the quota, or raise it\.",
        notes[0],
    ), notes
    assert_fits(run)
    paths = [request.path.rpartition("/")[2] for request in proxy.requests]
    assert paths == ["configmaps", "deployments", "pods"]


def test_history(place: Namespace, inventory: Path, proxy: Proxy) -> None:
    run = look(HISTORY, place, inventory, proxy)
    assert run.succeeded, run.told
    tables = {host: masked(lines) for host, lines in shown(run).items()}
    assert [re.split(r"  +", line) for line in tables["two-bad"]] == [
        ["REVISION", "STATE", "VERIFIED", "FINISHED (UTC)", "IMAGE", "WEIGHTS", "BY", "REASON", "FAILURE"],
        ["2", "failed", "no", MOMENT, "…llm-openai:v0.33.0", "main", getpass.getuser(), "-", "not_ready_in_time"],
        ["1", "current", "yes", MOMENT, "…llm-openai:v0.33.0", "main", getpass.getuser(), "first", "-"],
    ]
    assert tables["gone"][1].split()[:3] == ["1", "removed", "yes"]
    assert len(tables["never"]) == 1
    assert tables.keys() == {*SERVERS, *FLEET}
    assert_fits(run)
    assert [request.path.rpartition("/")[2] for request in proxy.requests] == ["configmaps"]
    assert "changed=1" not in run.stdout


def test_verify(place: Namespace, inventory: Path, proxy: Proxy) -> None:
    run = look(VERIFY, place, inventory, proxy, "--limit", "well,bad,never")
    assert not run.succeeded
    tables = shown(run)
    seconds = re.compile(r" +\d+\.\d+ +")
    assert tables.keys() == {"well", "bad"}, run.told
    pods = [pod["metadata"]["name"] for pod in place.pods() if pod["metadata"]["name"].startswith("well-")]
    lines = [re.sub(r"[0-9a-f]{12}$", "DIGEST", " ".join(seconds.sub(" S ", line).split())) for line in tables["well"]]
    assert lines[0] == "POD CHECK PASSED SECONDS DETAIL"
    assert sorted(lines[1:]) == sorted(f"{pod} {check}" for pod in pods for check in CHECKS)
    (_heading, unready) = tables["bad"]
    assert re.fullmatch(r"bad-test-\S+ +ready +no +0\.0 +bad-test-\S+ loading, .*", unready), unready
    messages = {each["host"]: each["result"]["msg"] for each in run.results if each["status"] == "failed"}
    assert messages.keys() == {"bad", "never"}
    assert re.fullmatch(
        r"bad-test does not serve as it should\. bad-test-\S+: bad-test-\S+ loading, .*\. "
        r"Read the pods' log, or go back to a revision that was verified\.",
        messages["bad"],
    ), messages["bad"]
    assert messages["never"] == (
        f"There is no server never-test in namespace {place.name}. "
        "No Deployment there carries the label vllm.ai-aas/release=never-test. "
        "Deploy it, or correct the name, the namespace or the context."
    )
    assert "changed=1" not in run.stdout
    assert proxy.writes() == []


def test_long_names_fit(place: Namespace, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "group_vars").symlink_to(HERE / "inventory" / "group_vars")
    host = "a-server-with-quite-a-long-name-for-a-model-of-many-words"
    (tmp_path / "hosts.yml").write_text(json.dumps({"vllm": {"hosts": {host: {}}}}))
    run = look(STATUS, place, tmp_path / "hosts.yml", proxy)
    assert run.succeeded, run.told
    assert_fits(run)


def assert_fits(run: Run) -> None:
    """What is ours does; the lines of Ansible's own around it are as long as the name of a host makes them."""
    ours = run.stdout.partition("PLAY RECAP")[0].splitlines()
    assert [line for line in ours if len(line) > 120 and not line.startswith("TASK")] == []
