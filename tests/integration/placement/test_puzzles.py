# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pods can go and where not, on the real scheduler: what a preflight foresees, and what comes of a release."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, preflight
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.scarcity import devices, node, tainted

Does = Callable[[Command], Run]
Object = dict[str, Any]
IMPATIENT = {"schedule_timeout": 1, "on_failure": "stop"}
# What the scheduler says comes to these; the latter where it depends on what other nodes there are.
TOO_FEW, UNSUITABLE = "gpus_insufficient", ("node_selector_unmet", "nodes_unsuitable", "taint_untolerated")


@pytest.fixture
def run(kubeconfig: Path, namespace: Namespace) -> Does:
    return lambda command: command.run(kubeconfig, namespace.name)


@pytest.fixture
def gpu() -> str:
    """A resource that no node has, unless a test gives it some."""
    return f"example.com/gpu-{secrets.token_hex(4)}"


@pytest.fixture
def world(cluster: Cluster, namespace: Namespace) -> Iterator[Callable[..., str]]:
    """Adds nodes that run nothing and that only pods of this test go to."""
    with ExitStack() as stack:

        def add(name: str, amounts: dict[str, int], *more: Object, **settings: Any) -> str:
            taints = (tainted(namespace.name), *more)
            written = {resource: str(count) for resource, count in amounts.items()}
            return stack.enter_context(node(cluster, name, written, taints=taints, **settings))

        yield add
        for pod in namespace.list("pods"):  # no kubelet ends them
            path = hands.path(namespace, "pods", pod["metadata"]["name"])
            namespace.cluster.ask("DELETE", path, {"gracePeriodSeconds": 0})


def server(namespace: Namespace, amounts: dict[str, int], **template: Any) -> Server:
    """Goes to the nodes of this test alone."""
    toleration = {"key": "example.com/test", "value": namespace.name}
    tolerations = [toleration, *template.pop("tolerations", [])]
    return Server(replicas=1, parts=(), devices=amounts, template={"tolerations": tolerations} | template)


def rules(run: Run) -> set[tuple[str, str]]:
    """(level, rule), but for what is said of every one of these servers."""
    always = {("note", "memory-unknown"), ("warning", "model-not-mounted")}
    return {(one["level"], one["rule"]) for one in run.result["findings"]} - always


def why(run: Run, rule: str) -> str:
    (found,) = (one["why"] for one in run.result["findings"] if one["rule"] == rule)
    return str(found)


def failure(run: Run) -> Object:
    assert run.result.get("failed"), run.told
    found: Object = run.result["failure"]
    return found


def unschedulable(run: Run, words: str, *causes: str) -> None:
    """`causes`: several where it depends on what other nodes there are."""
    found = failure(run)
    assert found["class"] == "capacity"
    assert found["cause"] in causes
    assert words in found["log"]
    assert found["hint"]


def bound(namespace: Namespace) -> str:
    """Where the scheduler puts the pod of a release that cannot end, since nothing runs there."""
    return str(
        hands.wait_for(lambda: [p["spec"]["nodeName"] for p in namespace.pods() if p["spec"].get("nodeName")])[0]
    )


def test_mixed_nodes(namespace: Namespace, world: Callable[..., str], gpu: str, run: Does, kubeconfig: Path) -> None:
    """Two kinds of GPU: one is too few, the other has enough."""
    few = world("t4", {gpu: 1}, labels={"gpu-model": "t4"})
    many = world("a100", {gpu: 4}, labels={"gpu-model": "a100"})
    on_t4 = server(namespace, {gpu: 2}, nodeSelector={"gpu-model": "t4"})
    foreseen = run(preflight(on_t4))
    assert rules(foreseen) == {("error", "too-large")}
    assert f"the largest node that suits it, {few}, has 1" in why(foreseen, "too-large")
    unschedulable(run(deploy(on_t4, **IMPATIENT)), f"Insufficient {gpu}", TOO_FEW)

    anywhere = server(namespace, {gpu: 2})
    assert f"{many} (4 {gpu} free)" in why(run(preflight(anywhere)), "fits")
    begun = deploy(anywhere, on_failure="hold", wait_timeout=5).start(kubeconfig, namespace.name)
    assert bound(namespace) == many
    assert failure(begun)["class"] == "silence"


def test_a_kind_of_node_that_is_not_there(namespace: Namespace, world: Callable[..., str], gpu: str, run: Does) -> None:
    there = world("a100", {gpu: 4}, labels={"gpu-model": "a100"})
    wanted = server(namespace, {gpu: 1}, nodeSelector={"gpu-model": "h100"})
    foreseen = run(preflight(wanted, setting_names={"node selector": "vllm_deploy_node_selector"}))
    assert rules(foreseen) == {("error", "no-node")}
    assert there in why(foreseen, "no-node")
    assert "lacks the label gpu-model=h100" in why(foreseen, "no-node")
    assert "(vllm_deploy_node_selector)" in foreseen.message
    unschedulable(run(deploy(wanted, **IMPATIENT)), "didn't match Pod's node affinity/selector", *UNSUITABLE)


def test_slices_of_a_gpu(namespace: Namespace, world: Callable[..., str], run: Does, kubeconfig: Path) -> None:
    small, large = "nvidia.com/mig-3g.20gb", "nvidia.com/mig-7g.80gb"
    sliced = world("mig", {small: 2}, labels={f"{small}.memory": "20096"})
    too_large = server(namespace, {large: 1})
    assert rules(run(preflight(too_large))) == {("error", "too-large")}
    unschedulable(run(deploy(too_large, **IMPATIENT)), f"Insufficient {large}", TOO_FEW)

    fits = server(namespace, {small: 1})
    assert rules(run(preflight(fits, model_weights="13Gi"))) == {("note", "fits"), ("note", "memory-fits")}
    assert rules(run(preflight(fits, model_weights="26Gi"))) == {("note", "fits"), ("error", "weights-too-large")}
    begun = deploy(fits, on_failure="hold", wait_timeout=5).start(kubeconfig, namespace.name)
    assert bound(namespace) == sliced
    begun.finish()


def test_a_taint(namespace: Namespace, world: Callable[..., str], gpu: str, run: Does) -> None:
    world("dedicated", {gpu: 1}, {"key": "team", "value": "search", "effect": "NoSchedule"})
    outside = server(namespace, {gpu: 1})
    foreseen = run(preflight(outside))
    assert rules(foreseen) == {("error", "no-node")}
    assert "has the taint team=search:NoSchedule" in why(foreseen, "no-node")
    unschedulable(
        run(deploy(outside, **IMPATIENT)), "had untolerated taint", TOO_FEW, "taint_untolerated", "nodes_unsuitable"
    )
    inside = server(namespace, {gpu: 1}, tolerations=[{"key": "team", "operator": "Exists"}])
    assert rules(run(preflight(inside))) == {("note", "fits")}


def test_a_cordoned_node(namespace: Namespace, world: Callable[..., str], gpu: str, run: Does) -> None:
    cordoned = world("cordoned", {gpu: 1}, cordoned=True)
    wanted = server(namespace, {gpu: 1})
    foreseen = run(preflight(wanted))
    assert rules(foreseen) == {("error", "no-node")}
    assert f"{cordoned} is cordoned" in why(foreseen, "no-node")
    unschedulable(run(deploy(wanted, **IMPATIENT)), "were unschedulable", TOO_FEW, "unschedulable", *UNSUITABLE)


def test_an_affinity_that_excludes(namespace: Namespace, world: Callable[..., str], gpu: str, run: Does) -> None:
    world("one", {gpu: 1}, labels={"zone": "a"})
    terms = [{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    wanted = server(namespace, {gpu: 1}, affinity={"nodeAffinity": required})
    foreseen = run(preflight(wanted))
    assert {rule for _level, rule in rules(foreseen)} <= {"no-node", "too-large"}  # other nodes may be in no zone
    assert run(preflight(wanted)).result["failed"]
    unschedulable(run(deploy(wanted, **IMPATIENT)), "node affinity/selector", TOO_FEW, *UNSUITABLE)


def test_too_large_for_any_node(namespace: Namespace, world: Callable[..., str], gpu: str, run: Does) -> None:
    world("small", {gpu: 2})
    largest = world("large", {gpu: 4})
    wanted = server(namespace, {gpu: 8})
    foreseen = run(preflight(wanted, setting_names={"gpus": "vllm_deploy_gpus"}))
    assert f"it asks for 8 {gpu}, and the largest node that suits it, {largest}, has 4" in why(foreseen, "too-large")
    assert "(vllm_deploy_gpus)" in foreseen.message
    unschedulable(run(deploy(wanted, **IMPATIENT)), f"Insufficient {gpu}", TOO_FEW)


def test_gpus_of_pods_that_are_ending(namespace: Namespace, cluster: Cluster, run: Does, kubeconfig: Path) -> None:
    """They are waited for: what ends by itself is no failure."""
    with devices(cluster, 1) as only:
        pod = Server(devices={only: 1}, template={"terminationGracePeriodSeconds": 120}, pre_stop=100).objects()[-1]
        spec = pod["spec"]["template"]["spec"]
        hands.create(namespace, "pods", {"metadata": {"name": "leaving"}, "spec": spec})
        hands.wait_for(lambda: namespace.get("pods", "leaving")["status"].get("phase") == "Running")
        wanted = Server(replicas=1, parts=(), devices={only: 1})
        held = run(preflight(wanted))
        assert rules(held) == {("error", "no-room")}
        assert f"{namespace.name}/leaving (1)" in why(held, "no-room")
        leaving = hands.path(namespace, "pods", "leaving")
        cluster.ask("DELETE", leaving)
        assert rules(run(preflight(wanted))) == {("warning", "fits-after")}
        begun = deploy(wanted).start(kubeconfig, namespace.name)
        begun.wait_for(f"Insufficient {only}")
        cluster.ask("DELETE", leaving, {"gracePeriodSeconds": 0})
        assert not begun.result.get("failed"), f"{begun.message}\n{begun.told}"


def test_two_releases_want_the_last_one(cluster: Cluster, kubeconfig: Path) -> None:
    """One has it, the other is told who has it."""
    with devices(cluster, 1) as only, cluster.namespace() as one, cluster.namespace() as two:
        wanted = Server(replicas=1, parts=(), devices={only: 1})
        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(lambda place: deploy(wanted, **IMPATIENT).run(kubeconfig, place.name), (one, two)))
        lost = [run for run in runs if run.result.get("failed")]
        assert len(lost) == 1, [run.told for run in runs]
        unschedulable(lost[0], f"Insufficient {only}", TOO_FEW)
        place, winner = (one, two) if lost[0] is runs[0] else (two, one)
        foreseen = preflight(wanted).run(kubeconfig, place.name)
        assert f"held by {winner.name}/small-" in why(foreseen, "no-room")


def test_a_quota(namespace: Namespace, run: Does) -> None:
    hands.create(namespace, "resourcequotas", {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    hands.wait_for(lambda: namespace.get("resourcequotas", "none").get("status", {}).get("hard"))
    wanted = Server(replicas=1, parts=())
    foreseen = run(preflight(wanted))
    assert ("error", "quota") in rules(foreseen)
    assert "exceeded quota: none" in why(foreseen, "quota")
    found = failure(run(deploy(wanted, **IMPATIENT)))
    assert (found["class"], found["cause"]) == ("capacity", "quota_exceeded")


def test_a_volume_that_only_one_node_can_have(namespace: Namespace, run: Does) -> None:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "small"}}
    one = Server(replicas=1, parts=("data",), template={"volumes": [volume]})
    refused = run(deploy(replace(one, replicas=2)))
    assert "one cache volume that a single node can mount" in refused.message
    assert ("error", "cache-of-one-node") in rules(run(preflight(replace(one, replicas=2))))
    assert namespace.names("apps/v1/deployments") == set()


def test_a_pod_that_admission_refuses(namespace: Namespace, run: Does) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace.cluster.ask(
        "PATCH", f"/api/v1/namespaces/{namespace.name}", {"metadata": {"labels": labels}}, content_type=hands.MERGE
    )
    foreseen = run(preflight(Server(parts=())))
    assert ("error", "pod-refused") in rules(foreseen)
    assert "violates PodSecurity" in why(foreseen, "pod-refused")


def test_a_pod_that_admission_warns_of(namespace: Namespace, run: Does) -> None:
    labels = {"pod-security.kubernetes.io/warn": "restricted"}
    namespace.cluster.ask(
        "PATCH", f"/api/v1/namespaces/{namespace.name}", {"metadata": {"labels": labels}}, content_type=hands.MERGE
    )
    foreseen = run(preflight(Server(parts=())))
    assert ("warning", "pod-warning") in rules(foreseen)
    assert not foreseen.result.get("failed"), "a warning stops nobody"


def test_no_namespace(cluster: Cluster, kubeconfig: Path) -> None:
    with cluster.namespace(create=False) as nowhere:
        foreseen = preflight(Server(parts=())).run(kubeconfig, nowhere.name)
        assert ("error", "namespace-missing") in rules(foreseen)
        foreseen = preflight(Server(parts=()), namespace_create=True).run(kubeconfig, nowhere.name)
        assert not foreseen.result.get("failed"), foreseen.message
