# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks like a failure for a while, and is none: in the end each of these releases has to serve, verified."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import is_ready
from ansible_collections.ai_aas.vllm.tests.integration.causes.case import GOOD, TIMES, TWO, bad, container
from ansible_collections.ai_aas.vllm.tests.integration.causes.conftest import Begin
from ansible_collections.ai_aas.vllm.tests.integration.causes.flaky_registry import flaky_registry
from ansible_collections.ai_aas.vllm.tests.integration.causes.outside import quota, variable, volume
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

WITHOUT_SURGE = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}
NODE = "/api/v1/nodes/gpu-a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A namespace for one scenario."""

    kubeconfig: Path
    namespace: Namespace

    def start(self, command: Command, **times: float) -> Run:
        return replace(command, times=TIMES | times).start(self.kubeconfig, self.namespace.name)

    def serves(self, command: Command) -> Run:
        return serves(self.start(command))

    def fails(self, command: Command, cause: str) -> None:
        run = self.start(command)
        assert run.result["failure"]["cause"] == cause, run.told

    @property
    def restarts(self) -> int:
        (pod,) = self.namespace.pods()
        return int(pod["status"]["containerStatuses"][0]["restartCount"])

    def restart(self, tag: str) -> None:
        """Another image in a pod is a new start of its container."""
        (pod,), before = self.namespace.pods(), self.restarts
        image = {"spec": {"containers": [{"name": "vllm", "image": f"vllm/vllm-openai:{tag}"}]}}
        hands.patch(self.namespace, "pods", image, name=pod["metadata"]["name"])
        hands.wait_for(lambda: self.restarts > before and is_ready(self.namespace.pods()[0]))


def serves(run: Run) -> Run:
    assert not run.result.get("failed"), f"{run.message}\n{run.told}"
    assert run.result["release"]["verified"], run.told
    return run


def an_old_revision_that_crashes_is_replaced_by_its_fix(place: Place) -> None:
    place.fails(deploy(bad(env={"STAND_IN_CRASH_EXIT_CODE": "1"}), on_failure="hold"), "crash")
    place.serves(deploy(replace(GOOD, load=2)))
    assert len(place.namespace.pods()) == 1


def the_same_command_after_the_cause_was_put_right(place: Place) -> None:
    """The pod that crashed is still there, and its deaths with it; the next start goes well."""
    server = container(envFrom=[{"configMapRef": {"name": "switch", "optional": True}}])
    hands.create(
        place.namespace, "configmaps", {"metadata": {"name": "switch"}, "data": {"STAND_IN_CRASH_EXIT_CODE": "1"}}
    )
    place.fails(deploy(server, on_failure="hold"), "crash")
    hands.delete(place.namespace, "configmaps", name="switch")
    place.serves(deploy(server))


def going_back_to_a_server_that_was_restarted_before(place: Place) -> None:
    place.serves(deploy(GOOD))
    for tag in ("latest", "v0.33.0"):
        place.restart(tag)
    place.fails(deploy(bad(tag="v0.99.9")), "image_not_found")
    assert place.namespace.history("small")[0] == (3, "current", True)
    assert place.restarts == 2


def a_deadline_that_was_exceeded_before_a_rollback(place: Place) -> None:
    place.serves(deploy(GOOD))
    place.fails(deploy(bad(load=60), on_failure="hold", wait_timeout=20), "not_ready_in_time")
    # The controller would say so later; here somebody says it now, in its words.
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
    hands.patch(place.namespace, "apps/v1/deployments", {"status": {"conditions": [condition]}}, subresource="status")
    place.serves(rollback(revision=1))


def what_the_old_replica_set_says_while_the_fix_loads(place: Place) -> None:
    """The Deployment repeats it until the new pod is ready."""
    place.serves(deploy(GOOD))
    quota(limits_cpu="100")(place.namespace)
    place.fails(deploy(TWO, on_failure="hold"), "quota_must_specify")
    limits = {"requests": {"cpu": "5m", "memory": "64Mi"}, "limits": {"memory": "128Mi", "cpu": "1"}}
    run = place.serves(deploy(replace(container(resources=limits), load=2)))
    assert "must specify" not in run.told.partition("applying")[2]


def a_quota_that_is_full_for_a_moment(place: Place) -> None:
    """An upgrade without surge: the controller would wait for ever longer while the old pod is gone long since."""
    quota(pods="1")(place.namespace)
    # The controller tries after 5.1, 10.2 and 20.5 s. The old pod goes in the middle of the longest time between.
    slow = {"lifecycle": {"preStop": {"sleep": {"seconds": 12}}}}
    server = bad(spec=WITHOUT_SURGE, container=slow, template={"terminationGracePeriodSeconds": 16})
    first, second = (replace(server, env={"LANGUAGE": language}) for language in ("en", "de"))
    place.serves(deploy(first))
    run = place.serves(deploy(second, schedule_timeout=3))
    assert "waiting for small-" in run.told
    body = place.namespace.get("apps/v1/deployments", "small")
    assert "vllm.ai-aas/nudge" in body["metadata"]["annotations"]

    again = place.serves(deploy(second))
    assert again.result["changed"] is False
    assert again.result["requests"] == 3, "the head and two kinds: the nudge is no drift to look closer at"
    third = place.serves(deploy(replace(second, container=slow | {"imagePullPolicy": "Always"}), schedule_timeout=3))
    assert "taking back" not in third.told


def no_node_until_one_comes(place: Place) -> None:
    key = f"test.example/{secrets.token_hex(4)}"

    def label(value: str | None) -> None:
        change = {"metadata": {"labels": {key: value}}}
        assert place.namespace.cluster.ask("PATCH", NODE, change, content_type=hands.MERGE)

    run = place.start(deploy(bad(template={"nodeSelector": {key: "true"}}), schedule_timeout=30))
    try:
        run.wait_for("is not scheduled: ")
        label("true")
        serves(run)
    finally:
        label(None)


def one_pod_that_was_evicted(place: Place) -> None:
    run = place.start(deploy(replace(TWO, load=3)))
    run.wait_for(" loading, ")
    name = place.namespace.pods()[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    assert place.namespace.cluster.ask("POST", hands.path(place.namespace, "pods", f"{name}/eviction"), eviction)
    serves(run)
    there = {pod["metadata"]["name"] for pod in place.namespace.pods()}
    assert name not in there
    assert len(there) == 2


def a_secret_that_arrives_later(place: Place) -> None:
    arrives(place, variable(secretKeyRef={"name": "late", "key": "word"}))


def a_volume_that_arrives_later(place: Place) -> None:
    arrives(place, volume(secret={"secretName": "late"}))


def arrives(place: Place, server: Server) -> None:
    run = place.start(deploy(server), absent=30)
    run.wait_for("waits: the Secret late does not exist")
    place.namespace.create_secret("late", word="x")
    serves(run)


def a_registry_that_fails_for_a_moment(place: Place) -> None:
    with flaky_registry() as registry:
        run = place.start(deploy(container(image=registry.image), schedule_timeout=60))
        run.wait_for("waits: the registry answers 503 Service Unavailable")
        registry.works = True
        serves(run)


SCENARIOS: tuple[Callable[[Place], None], ...] = (
    an_old_revision_that_crashes_is_replaced_by_its_fix,
    the_same_command_after_the_cause_was_put_right,
    going_back_to_a_server_that_was_restarted_before,
    a_deadline_that_was_exceeded_before_a_rollback,
    what_the_old_replica_set_says_while_the_fix_loads,
    a_quota_that_is_full_for_a_moment,
    no_node_until_one_comes,
    one_pod_that_was_evicted,
    a_secret_that_arrives_later,
    a_volume_that_arrives_later,
    a_registry_that_fails_for_a_moment,
)


def carry_out(scenario: Callable[[Place], None], cluster: Cluster, kubeconfig: Path) -> None:
    with cluster.namespace() as namespace:
        scenario(Place(kubeconfig=kubeconfig, namespace=namespace))


@pytest.fixture(scope="module")
def carried_out(begin: Begin, cluster: Cluster, kubeconfig: Path) -> dict[str, Future[None]]:
    work = ((each.__name__, partial(carry_out, each, cluster, kubeconfig)) for each in SCENARIOS)
    return begin(test_it_serves_in_the_end, work)


@pytest.mark.parametrize("name", [scenario.__name__ for scenario in SCENARIOS])
def test_it_serves_in_the_end(carried_out: dict[str, Future[None]], name: str) -> None:
    carried_out[name].result()
