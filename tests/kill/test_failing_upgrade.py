# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade that goes bad costs at most one pod of the former revision, and no request but those that the one new pod
answered itself."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.load.client import Answer, Client, lost
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

GOOD = Server(replicas=3)
DIGEST = "vllm.ai-aas/pod-template-digest"
# Those that tell how requests came to their end.
SERIES = re.compile(r"^((?:vllm:request_success_total|http_requests_total)\{.*\}) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A bad revision, the cause that is found, and what the one pod of it that gets ready answers to a client: statuses
    and parts of the text. Nothing where no pod gets ready."""

    env: Mapping[str, str] = field(default_factory=dict)
    tag: str = GOOD.tag
    cause: str
    answers: tuple[tuple[int, str], ...] = ()

    def gave(self, answer: Answer) -> bool:
        return any(answer.status == status and text in answer.text for status, text in self.answers)


FAULTS = {
    "another model": Fault(
        env={"STAND_IN_SERVED_MODEL_NAME": "other"},
        cause="identity_failed",
        answers=((404, "`m` does not exist. Valid aliases: other."),),
    ),
    # When it is taken away, it gives up what it has not answered, and Kubernetes goes on sending for a moment. No pod
    # of the former revision is taken away: that is tested below.
    "an engine that hangs": Fault(
        env={"STAND_IN_HANG_AFTER_SECONDS": "0"},
        cause="inference_failed",
        answers=(
            (0, "TimeoutError"),
            (200, "TimeoutError"),  # a stream that was begun
            (500, "EngineCore encountered an issue"),
            (500, "after shutdown"),
            (0, "ConnectionResetError"),
            (200, "ConnectionResetError"),
            (200, "IncompleteRead"),
            (0, "RemoteDisconnected"),
            (0, "ConnectionRefusedError"),
        ),
    ),
    "a crash": Fault(env={"STAND_IN_CRASH_EXIT_CODE": "1"}, cause="crash"),
    "a tag that is not there": Fault(tag="no-such-tag", cause="image_not_found"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What came of an upgrade. `fewest`: pods of the former revision that were Ready at the worst moment; `same`:
    whether they are the same pods in the end; `theirs`: the requests that they have answered, number -> status;
    `unfinished`: those that they have begun and not brought to an end, or answered with an error, by their metrics."""

    run: Run
    answers: list[Answer]
    fewest: int
    same: bool
    theirs: Mapping[int, int]
    unfinished: Mapping[str, float]
    history: list[tuple[int, str, bool]]


def ready(namespace: Namespace, digest: str) -> dict[str, int]:
    """Pods of a template that are Ready, and how often they were started anew."""
    return {
        pod["metadata"]["name"]: sum(status["restartCount"] for status in pod["status"]["containerStatuses"])
        for pod in namespace.pods()
        if pod["metadata"].get("annotations", {}).get(DIGEST) == digest
        and any(entry["type"] == "Ready" and entry["status"] == "True" for entry in pod["status"].get("conditions", []))
    }


def unfinished(namespace: Namespace, pod: str) -> dict[str, float]:
    """What a pod counts of requests that nobody got a good answer to, by series."""
    path = f"{hands.path(namespace, 'pods', f'{pod}:8000')}/proxy/metrics"
    status, _headers, text = namespace.cluster.connection.request("GET", path)
    assert status == 200, text.decode()
    series = {name: float(value) for name, value in SERIES.findall(text.decode())}
    assert sum(value for name, value in series.items() if 'finished_reason="length"' in name) > 0, series
    return {
        f"{pod}: {name}": value
        for name, value in series.items()
        if value and not re.search('finished_reason="(length|stop)"|status="2xx"', name)
    }


def upgraded(fault: Fault, cluster: Cluster, kubeconfig: Path, connection: Connection) -> Story:
    with cluster.namespace() as namespace, ThreadPoolExecutor(1) as pool:
        first = deploy(GOOD).run(kubeconfig, namespace.name)
        assert not first.result.get("failed"), first.message
        digest = namespace.pods()[0]["metadata"]["annotations"][DIGEST]
        before, over = ready(namespace, digest), threading.Event()
        assert len(before) == GOOD.replicas
        client = Client(connection, namespace)

        def fewest() -> int:
            found = len(before)
            while not over.wait(0.1):
                found = min(found, len(ready(namespace, digest)))
            return found

        counting = pool.submit(fewest)
        try:
            run = deploy(replace(GOOD, env=fault.env, tag=fault.tag), verification={"request_timeout": 3}).run(
                kubeconfig, namespace.name
            )
            client.wait_for_more()
        finally:
            over.set()
        answers = client.answers()
        client.wait_for_more()  # what has been answered is in the logs by then
        return Story(
            run=run,
            answers=answers,
            fewest=counting.result(),
            same=ready(namespace, digest) == before,
            theirs={number: status for pod in before for number, status in client.answered_by(pod).items()},
            unfinished={name: value for pod in before for name, value in unfinished(namespace, pod).items()},
            history=namespace.history("small"),
        )


@pytest.fixture(scope="module")
def stories(cluster: Cluster, kubeconfig: Path) -> Iterator[dict[str, Story]]:
    """All of them at the same time: most of it is waiting."""
    connection = Connection({"kubeconfig": str(kubeconfig)}, {})
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        told = pool.map(lambda fault: upgraded(fault, cluster, kubeconfig, connection), FAULTS.values())
        yield dict(zip(FAULTS, told, strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_the_former_revision_serves_all_the_time(name: str, stories: dict[str, Story]) -> None:
    fault, story = FAULTS[name], stories[name]
    assert story.run.result["failed"]
    assert story.run.result["failure"]["cause"] == fault.cause
    assert story.history == [(3, "current", True), (2, "failed", False), (1, "superseded", True)]
    assert story.same, "a good pod was replaced"
    assert story.fewest >= 2

    good = {answer.number for answer in story.answers if answer.whole}
    bad = lost(story.answers)
    print(f"{name}: {len(good)} requests answered, {len(bad)} wrongly by the new pod, {story.fewest} of 3 pods")
    assert good <= story.theirs.keys(), "a pod that is bad has given a good answer"
    assert set(story.theirs.values()) == {200}, Counter(story.theirs.values())
    # Of a request that was given up there is no line in a log, but the server counts it.
    assert story.unfinished == {}
    foreign = [answer for answer in bad if answer.number in story.theirs or not fault.gave(answer)]
    assert foreign == [], Counter((answer.status, answer.text[:80]) for answer in foreign)
