# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pods fit, and what is said about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import room
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.capacity import Verdict, belongs, fit, snapshot
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.nodes import objection, requests

GPU = "nvidia.com/gpu"
MIG = "nvidia.com/mig-3g.20gb"
LABELS = {"app": "small"}


def node(name: str = "a", *, gpus: int = 4, **changes: Any) -> Object:
    """`changes`: labels, taints, cordoned, and more of allocatable."""
    allocatable = {"cpu": "16", "memory": "64Gi", "pods": "110", GPU: str(gpus)} | changes.get("allocatable", {})
    return {
        "metadata": {"name": name, "labels": changes.get("labels", {})},
        "spec": {"taints": changes.get("taints", []), "unschedulable": changes.get("cordoned", False)},
        "status": {"allocatable": allocatable},
    }


def pod(name: str, *, on: str = "a", gpus: int = 1, ours: bool = False, **changes: Any) -> Object:
    metadata = {"namespace": "system", "name": name, "labels": LABELS if ours else {}}
    if changes.get("ending"):
        metadata |= {"deletionTimestamp": "2026-11-01T00:00:00Z"}
    return {
        "metadata": metadata,
        "spec": spec(gpus) | {"nodeName": on},
        "status": {"phase": changes.get("phase", "Running")},
    }


def spec(gpus: int = 1, resource: str = GPU, **more: Any) -> Object:
    return {"containers": [{"name": "vllm", "resources": {"limits": {resource: str(gpus)}}}]} | more


def deployment(gpus: int = 1, *, replicas: int = 1, **more: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "small", "namespace": "system"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": spec(gpus, **more)},
        },
    }


def told(body: Object, nodes: list[Object], pods: list[Object] | None = None) -> list[Finding]:
    return list(room.findings(body, snapshot(nodes, pods or [])))


def of(verdict: Verdict, nodes: list[Object], pods: list[Object], gpus: int = 1) -> None:
    assert fit(spec(gpus), snapshot(nodes, pods), belongs(deployment())).verdict is verdict


def test_there_is_room() -> None:
    seen = snapshot([node("a"), node("b", gpus=1)], [pod("x", on="b")])
    assert fit(spec(), seen, belongs(deployment())).places == {"a": 4}


@pytest.mark.parametrize(
    ("verdict", "nodes", "pods", "gpus"),
    [
        pytest.param(Verdict.AFTER, [node(gpus=1)], [pod("x", ours=True)], 1, id="a pod of ours has it"),
        pytest.param(Verdict.AFTER, [node(gpus=1)], [pod("x", ending=True)], 1, id="a pod that is ending has it"),
        pytest.param(
            Verdict.AFTER,
            [node(gpus=2)],
            [pod("x", ours=True), pod("y", ending=True)],
            2,
            id="both together",
        ),
        pytest.param(Verdict.FULL, [node(gpus=1)], [pod("x")], 1, id="another one has it"),
        pytest.param(Verdict.FULL, [node(gpus=2)], [pod("x", ours=True), pod("y")], 2, id="another one has a part"),
        pytest.param(Verdict.NOW, [node(gpus=1)], [pod("x", phase="Succeeded")], 1, id="a pod that is over"),
        pytest.param(Verdict.TOO_LARGE, [node(gpus=4)], [], 8, id="too large"),
        pytest.param(Verdict.NO_NODE, [], [], 1, id="no nodes"),
        pytest.param(Verdict.NO_NODE, [node(cordoned=True)], [], 1, id="a cordoned node"),
    ],
)
def test_verdicts(verdict: Verdict, nodes: list[Object], pods: list[Object], gpus: int) -> None:
    of(verdict, nodes, pods, gpus)


def test_the_number_of_pods_counts_too() -> None:
    of(Verdict.FULL, [node(allocatable={"pods": "1"})], [pod("x", gpus=0)])


def affinity(**expression: Any) -> Object:
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


TAINT = {"key": "dedicated", "value": "llm", "effect": "NoSchedule"}
AWAY = {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}
LABELLED = node(labels={"size": "8", "zone": "z"})


@pytest.mark.parametrize(
    ("pod_spec", "place", "expected"),
    [
        pytest.param({}, node(), "", id="nothing against it"),
        pytest.param({"nodeSelector": {"zone": "z"}}, LABELLED, "", id="selected"),
        pytest.param({"nodeSelector": {"zone": "y"}}, LABELLED, "lacks the label zone=y", id="not selected"),
        pytest.param(affinity(key="zone", operator="In", values=["z"]), LABELLED, "", id="in"),
        pytest.param(affinity(key="zone", operator="NotIn", values=["z"]), LABELLED, "affinity", id="not in"),
        pytest.param(affinity(key="zone", operator="Exists"), LABELLED, "", id="exists"),
        pytest.param(affinity(key="zone", operator="DoesNotExist"), LABELLED, "affinity", id="does not exist"),
        pytest.param(affinity(key="size", operator="Gt", values=["4"]), LABELLED, "", id="greater"),
        pytest.param(affinity(key="size", operator="Lt", values=["4"]), LABELLED, "affinity", id="less"),
        pytest.param(affinity(key="zone", operator="Gt", values=["4"]), LABELLED, "affinity", id="no number"),
        pytest.param({}, node(taints=[TAINT]), "has the taint dedicated=llm:NoSchedule", id="a taint"),
        pytest.param(
            {"tolerations": [{"key": "dedicated", "value": "llm"}]}, node(taints=[TAINT]), "", id="a taint tolerated"
        ),
        pytest.param(
            {"tolerations": [{"key": "dedicated", "value": "web"}]}, node(taints=[TAINT]), "taint", id="another value"
        ),
        pytest.param({"tolerations": [{"operator": "Exists"}]}, node(taints=[TAINT], cordoned=True), "", id="any"),
        pytest.param(
            {"tolerations": [{"operator": "Exists", "effect": "NoExecute"}]},
            node(taints=[TAINT]),
            "taint",
            id="another effect",
        ),
        pytest.param(
            {}, node(taints=[{"key": "soft", "effect": "PreferNoSchedule"}]), "", id="a taint that only prefers"
        ),
        pytest.param(
            {},
            node(taints=[{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}]),
            "is not ready",
            id="away",
        ),
        pytest.param({}, node(cordoned=True), "is cordoned", id="cordoned"),
        pytest.param({"nodeName": "b"}, node(), "is not the node b", id="another node"),
    ],
)
def test_where_a_pod_may_go(pod_spec: Object, place: Object, expected: str) -> None:
    (seen,) = snapshot([place], [])["nodes"]
    why = objection(pod_spec, seen)
    assert expected in why if expected else why == ""


def test_what_a_pod_asks_for() -> None:
    def container(cpu: str, **more: Any) -> Object:
        return {"resources": {"requests": {"cpu": cpu}, "limits": {"cpu": "9"}}} | more

    asked = requests(
        {
            "containers": [container("1"), container("500m")],
            "initContainers": [container("4"), container("1", restartPolicy="Always")],
            "overhead": {"cpu": "100m"},
        }
    )
    assert asked == {"cpu": Decimal("4.1"), "pods": 1}
    assert requests(spec(2, MIG)) == {MIG: 2, "pods": 1}


@pytest.mark.parametrize(
    ("body", "nodes", "pods", "rule", "level", "setting"),
    [
        pytest.param(deployment(), [node()], [], "fits", "note", "", id="fits"),
        pytest.param(deployment(8), [node()], [], "too-large", "error", "gpus", id="too large"),
        pytest.param(
            deployment(8),
            [node(labels={"karpenter.sh/nodepool": "p"})],
            [],
            "too-large",
            "warning",
            "gpus",
            id="an autoscaler may add a larger one",
        ),
        pytest.param(deployment(), [node(gpus=1)], [pod("x")], "no-room", "error", "gpus", id="full"),
        pytest.param(
            deployment(), [node(gpus=1)], [pod("x", ours=True)], "fits-after", "warning", "strategy", id="a gap"
        ),
        pytest.param(
            deployment(replicas=2),
            [node(gpus=2)],
            [pod("x", ours=True), pod("y", ours=True)],
            "fits-after",
            "note",
            "",
            id="one at a time",
        ),
        pytest.param(deployment(replicas=3), [node(gpus=2)], [], "too-few-places", "error", "replicas", id="too few"),
        pytest.param(
            deployment(nodeSelector={"a": "b"}), [node()], [], "no-node", "error", "node selector", id="not selected"
        ),
        pytest.param(deployment(), [node(taints=[TAINT])], [], "no-node", "error", "tolerations", id="tainted"),
        pytest.param(
            deployment(**affinity(key="a", operator="Exists")),
            [node()],
            [],
            "no-node",
            "error",
            "affinity",
            id="affinity",
        ),
        pytest.param(deployment(), [node(cordoned=True)], [], "no-node", "error", "", id="cordoned"),
    ],
)
def test_what_is_said(
    body: Object, nodes: list[Object], pods: list[Object], rule: str, level: str, setting: str
) -> None:
    (finding,) = told(body, nodes, pods)
    assert (finding.rule, finding.level, finding.setting) == (rule, level, setting)


def test_who_holds_it_is_named() -> None:
    (finding,) = told(deployment(2), [node(gpus=2), node("b", cordoned=True)], [pod("x"), pod("y", gpus=1)])
    assert finding.why == (
        "it asks for 2 nvidia.com/gpu, and a has 0 free, held by system/x (1), system/y (1) (b is cordoned)"
    )


def test_the_largest_node_is_named() -> None:
    (finding,) = told(deployment(8), [node("a", gpus=2), node("b", gpus=4)])
    assert finding.why == "it asks for 8 nvidia.com/gpu, and the largest node that suits it, b, has 4"


def test_the_free_ones_are_counted() -> None:
    (finding,) = told(deployment(), [node(gpus=4)], [pod("x")])
    assert finding.why == "on a (3 nvidia.com/gpu free)"


def test_what_is_not_known_is_said() -> None:
    assert room.unknown(deployment(), "nodes may not be listed").rule == "nodes-unknown"
