# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade that goes bad costs at most one pod of the former revision, and no request but those that the one new pod
answered itself."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.load.client import Answer, Client
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

GOOD = Server(replicas=3)
DIGEST = "vllm.ai-aas/pod-template-digest"


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
        env={"STAND_IN_SERVED_MODEL_NAME": "other"}, cause="identity_failed", answers=((404, "`m` does not exist"),)
    ),
    # When it is taken away, it gives up what it has not answered, and Kubernetes goes on sending for a moment. No pod
    # of the former revision is taken away: that is tested below.
    "an engine that hangs": Fault(
        env={"STAND_IN_HANG_AFTER_SECONDS": "0"},
        cause="inference_failed",
        answers=(
            (0, "TimeoutError"),
            (500, "EngineCore encountered an issue"),
            (500, "after shutdown"),
            (0, "ConnectionResetError"),
            (0, "ConnectionRefusedError"),
        ),
    ),
    "a crash": Fault(env={"STAND_IN_CRASH_EXIT_CODE": "1"}, cause="crash"),
    "a tag that is not there": Fault(tag="no-such-tag", cause="image_not_found"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What came of an upgrade. `fewest`: pods of the former revision that were Ready at the worst moment; `same`:
    whether they are the same pods in the end."""

    run: Run
    answers: list[Answer]
    fewest: int
    same: bool
    history: list[tuple[int, str, bool]]


def ready(namespace: Namespace, digest: str) -> set[str]:
    return {
        pod["metadata"]["uid"]
        for pod in namespace.pods()
        if pod["metadata"].get("annotations", {}).get(DIGEST) == digest
        and any(entry["type"] == "Ready" and entry["status"] == "True" for entry in pod["status"].get("conditions", []))
    }


def upgraded(fault: Fault, cluster: Cluster, kubeconfig: Path, connection: Connection) -> Story:
    with cluster.namespace() as namespace:
        first = deploy(GOOD).run(kubeconfig, namespace.name)
        assert not first.result.get("failed"), first.message
        digest = namespace.pods()[0]["metadata"]["annotations"][DIGEST]
        before, counts, over = ready(namespace, digest), [3], threading.Event()
        client = Client(connection, namespace)

        def count() -> None:
            while not over.is_set():
                counts.append(len(ready(namespace, digest)))
                time.sleep(0.1)

        watch = threading.Thread(target=count)
        watch.start()
        try:
            run = deploy(replace(GOOD, env=fault.env, tag=fault.tag), verification={"request_timeout": 3}).run(
                kubeconfig, namespace.name
            )
            client.wait_for_more()
        finally:
            over.set()
            watch.join()
        return Story(
            run=run,
            answers=client.answers(),
            fewest=min(counts),
            same=ready(namespace, digest) == before,
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

    good = [answer for answer in story.answers if answer.status == 200]
    bad = [answer for answer in story.answers if answer.status != 200]
    by_the_new_pod = [answer for answer in bad if fault.gave(answer)]
    print(
        f"{name}: {len(good)} requests answered, {len(by_the_new_pod)} wrongly by the new pod, {story.fewest} of 3 pods"
    )
    assert bad == by_the_new_pod, Counter((answer.status, answer.text[:80]) for answer in bad)
