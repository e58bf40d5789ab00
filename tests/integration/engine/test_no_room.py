# SPDX-License-Identifier: GPL-3.0-or-later
"""A full cluster: there is never a deadlock, and never more than one pod less than there has to be."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import WRONG_FLAG, Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.scarcity import devices

Does = Callable[[Command], Run]
NO_ROOM = "an old pod goes first, since there is no room for a further one: 0/"


@pytest.fixture
def gpu(cluster: Cluster) -> Iterator[str]:
    """The only one there is."""
    with devices(cluster, 1) as name:
        yield name


@pytest.fixture
def first(gpu: str) -> Server:
    return Server(replicas=1, parts=(), devices={gpu: 1})


def other(server: Server, word: str = "second") -> Server:
    """Another pod template."""
    return replace(server, env=dict(server.env) | {"WORD": word})


def strategy(namespace: Namespace) -> Any:
    return namespace.get("apps/v1/deployments", "small")["spec"]["strategy"]


def chosen(run: Run) -> str:
    return str(run.result["release"]["strategy"]["name"])


def test_an_upgrade(namespace: Namespace, first: Server, done: Does) -> None:
    """The old pod goes, the new one takes its place, and the next run has nothing to do."""
    done(deploy(first))
    upgraded = done(deploy(other(first)))
    assert NO_ROOM in upgraded.told
    assert "nobody serves until the new one is ready" in upgraded.told
    assert "plan: 1 to update, 1 unchanged; surge 1, unavailable 0\n" in upgraded.told
    made = upgraded.result["release"]["strategy"]
    assert (made["name"], made["max_surge"], made["max_unavailable"]) == ("replace", 0, 1)
    assert made["reason"].startswith("no room for a further pod: 0/")
    assert namespace.head("small")["history"][0]["strategy"] == made
    assert strategy(namespace)["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert len(namespace.list("apps/v1/replicasets")) == 2, "the same new pod went on"

    again = done(deploy(other(first)))
    assert again.result["changed"] is False
    assert again.result["release"]["strategy"] == made
    assert again.result["requests"] == 3, "as for everything else that is there already"


def test_what_is_changed_beside_the_pods_leaves_the_strategy_alone(first: Server, done: Does) -> None:
    done(deploy(first))
    done(deploy(other(first)))
    beside = done(deploy(replace(other(first), parts=("config",))))
    assert beside.result["actions"]["updated"] == []
    assert beside.result["actions"]["created"] == ["ConfigMap/small"]
    assert "plan: 1 to create, 2 unchanged\n" in beside.told


def test_the_next_upgrade_begins_anew(namespace: Namespace, cluster: Cluster, first: Server, done: Does) -> None:
    done(deploy(first))
    done(deploy(other(first)))
    with devices(cluster, 2) as more:  # other devices, of which there is one to spare
        roomy = replace(first, devices={more: 1})
        done(deploy(roomy))
        assert chosen(done(deploy(other(roomy)))) == "surge"
        assert strategy(namespace)["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        hands.delete(namespace, "apps/v1/deployments")


def test_a_rollback(namespace: Namespace, first: Server, done: Does) -> None:
    done(deploy(first))
    done(deploy(other(first)))
    back = done(rollback())
    assert NO_ROOM in back.told
    assert chosen(back) == "replace"
    assert namespace.history("small")[0] == (3, "current", True)
    assert done(deploy(first)).result["changed"] is False


def test_an_upgrade_that_fails_comes_back(namespace: Namespace, first: Server, done: Does, run: Does) -> None:
    """At once: for the pod that failed to become ready after all, nobody waits."""
    done(deploy(first))
    failed = run(replace(deploy(replace(first, arguments=WRONG_FLAG.arguments)), times={"unready": 300}))
    assert failed.result["failure"]["cause"] == "bad_flag"
    assert failed.result["rolled_back_to"] == 3
    assert namespace.history("small") == [(3, "current", True), (2, "failed", False), (1, "superseded", True)]
    assert failed.told.count(NO_ROOM) == 1, "the pod that failed goes at once"
    assert done(deploy(first)).result["changed"] is False


@pytest.mark.parametrize("on_failure", ["stop", "hold"])
def test_a_fix_after_an_upgrade_that_was_left(
    namespace: Namespace, first: Server, done: Does, run: Does, on_failure: str
) -> None:
    done(deploy(first))
    run(deploy(replace(first, arguments=WRONG_FLAG.arguments), on_failure=on_failure))
    fixed = done(deploy(other(first)))
    assert NO_ROOM not in fixed.told, "no pod serves that would have to be kept"
    assert namespace.history("small")[0] == (3, "current", True)


@pytest.mark.parametrize("moment", ["is not scheduled", NO_ROOM])
def test_a_run_that_is_killed(namespace: Namespace, kubeconfig: Path, first: Server, done: Does, moment: str) -> None:
    """While the new pod waits for room, and just after an old one was told to go."""
    done(deploy(first))
    killed = deploy(other(first)).start(kubeconfig, namespace.name)
    killed.wait_for(moment)
    killed.signal(signal.SIGKILL)
    killed.finish()
    taken_up = done(deploy(other(first)))
    assert "taking up the deploy of revision 2" in taken_up.told
    assert chosen(taken_up) == "replace"
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert done(deploy(other(first))).result["changed"] is False


@pytest.mark.parametrize("count", [2, 3], ids=["none is free", "both want the last one"])
def test_two_servers_at_once(cluster: Cluster, kubeconfig: Path, count: int) -> None:
    with devices(cluster, count) as gpu, cluster.namespace() as one, cluster.namespace() as two:
        server = Server(replicas=1, parts=(), devices={gpu: 1})

        def released(what: Server) -> list[Run]:
            with ThreadPoolExecutor(2) as pool:
                return list(pool.map(lambda place: deploy(what).run(kubeconfig, place.name), (one, two)))

        for run in released(server) + released(other(server)):
            assert not run.result.get("failed"), f"{run.message}\n{run.told}"


def ready(namespace: Namespace) -> int:
    conditions = (pod["status"].get("conditions", []) for pod in namespace.pods())
    return sum(any(one["type"] == "Ready" and one["status"] == "True" for one in listed) for listed in conditions)


def test_of_three_pods_two_always_serve(namespace: Namespace, cluster: Cluster, done: Does) -> None:
    with devices(cluster, 3) as gpu:
        server = Server(replicas=3, parts=(), devices={gpu: 1})
        done(deploy(server))
        counts, over = [3], threading.Event()

        def count() -> None:
            while not over.is_set():
                counts.append(ready(namespace))
                time.sleep(0.05)

        watch = threading.Thread(target=count)
        watch.start()
        try:
            upgraded = done(deploy(other(server)))
        finally:
            over.set()
            watch.join()
        assert chosen(upgraded) == "replace"
        assert min(counts) == 2
        assert "the first pod has answered, the others follow" in upgraded.told


def test_an_old_pod_is_not_given_up_for_one_that_would_not_fit(
    namespace: Namespace, first: Server, gpu: str, done: Does, run: Does
) -> None:
    done(deploy(first))
    (pod,) = namespace.pods()
    failed = run(deploy(replace(first, devices={gpu: 2}), schedule_timeout=4))
    assert failed.result["failure"]["class"] == "capacity"
    assert failed.result["failure"]["cause"] == "gpus_insufficient"
    assert [left["metadata"]["uid"] for left in namespace.pods()] == [pod["metadata"]["uid"]]


def test_who_asks_for_surge_gets_it(namespace: Namespace, first: Server, done: Does, run: Does) -> None:
    done(deploy(first))
    failed = run(deploy(other(first), strategy="surge", schedule_timeout=4))
    assert failed.result["failure"]["cause"] == "gpus_insufficient"
    assert NO_ROOM not in failed.told
    assert len(namespace.pods()) == 1


def test_who_asks_for_replace_does_not_wait(first: Server, done: Does) -> None:
    done(deploy(first))
    replaced = done(deploy(other(first), strategy="replace"))
    assert "; surge 0, unavailable 1 (as asked for)\n" in replaced.told
    assert NO_ROOM not in replaced.told


def test_a_quota_without_room(namespace: Namespace, done: Does) -> None:
    """The API server says so in the plan."""
    server = Server(replicas=1, parts=())
    done(deploy(server))
    hands.create(namespace, "resourcequotas", {"metadata": {"name": "tight"}, "spec": {"hard": {"pods": "1"}}})
    hands.wait_for(lambda: namespace.get("resourcequotas", "tight").get("status", {}).get("used"))
    upgraded = done(deploy(other(server)))
    assert chosen(upgraded) == "recreate"
    assert (
        "; all pods at once (exceeded quota: tight, requested: pods=1, used: pods=1, limited: pods=1)" in upgraded.told
    )
    assert strategy(namespace) == {"type": "Recreate"}
    assert done(deploy(other(server))).result["changed"] is False

    namespace.cluster.ask("DELETE", hands.path(namespace, "resourcequotas", "tight"))
    assert chosen(done(deploy(other(server, "third")))) == "surge"


def test_a_volume_of_one_node(done: Does) -> None:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "small"}}
    server = Server(replicas=1, parts=("data",), template={"volumes": [volume]})
    done(deploy(server))
    upgraded = done(deploy(other(server)))
    assert upgraded.result["release"]["strategy"] == {
        "name": "recreate",
        "max_surge": None,
        "max_unavailable": None,
        "reason": "only one node at a time can mount PersistentVolumeClaim/small",
    }
    assert done(deploy(other(server))).result["changed"] is False
