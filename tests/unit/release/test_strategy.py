# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object, Strategy
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import Observation
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.strategy import (
    RECREATE,
    REPLACE,
    SURGE,
    choose,
    claims,
    contradictions,
    own,
    single,
    stuck,
    takes_place,
    with_strategy,
)

GPU = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/1 nodes."
QUOTA = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'
ROLLING = ("f:type", "f:rollingUpdate")


def deployment(digest: str = "new", *, replicas: int = 2) -> Object:
    template = {"metadata": {"annotations": {names.POD_TEMPLATE_DIGEST: digest}}, "spec": {}}
    return {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replicas": replicas, "template": template}}


def live(
    digest: str = "old",
    strategy: Strategy = SURGE,
    *,
    replicas: int = 2,
    ready: int = 2,
    updated: int = 2,
    fields: tuple[str, ...] = ROLLING,
) -> Object:
    body = with_strategy(deployment(digest, replicas=replicas), strategy)
    entry = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "fieldsV1": {"f:spec": {"f:strategy": {field: {} for field in fields}}},
    }
    body["metadata"] = {"name": "x", "managedFields": [entry] if fields else []}
    body["status"] = {"readyReplicas": ready, "updatedReplicas": updated}
    return body


@pytest.mark.parametrize(
    ("wanted", "before", "volume", "expected"),
    [
        pytest.param("auto", None, "", ("surge", ""), id="a first release"),
        pytest.param("auto", live(), "", ("surge", ""), id="another template"),
        pytest.param(
            "auto", live("new", REPLACE), "", ("replace", ""), id="the same template: it stays as it was left"
        ),
        pytest.param("surge", live("new", REPLACE), "", ("replace", ""), id="the same, whatever is asked for"),
        pytest.param("auto", live("old", REPLACE), "", ("surge", ""), id="the next rollout begins anew"),
        pytest.param(
            "auto", live("old", REPLACE, ready=1), "", ("surge", ""), id="the next one, while a pod is not ready"
        ),
        pytest.param(
            "auto",
            live("old", REPLACE, updated=1),
            "",
            ("replace", "a rollout that had no room for a further pod is not over"),
            id="a rollout without room that is not over",
        ),
        pytest.param(
            "auto", live(ready=0), "", ("replace", "no pod is ready that would have to be kept"), id="nobody to protect"
        ),
        pytest.param(
            "auto",
            live(),
            "data",
            ("replace", "only one node at a time can mount PersistentVolumeClaim/data"),
            id="a volume of one node",
        ),
        pytest.param("replace", live(), "", ("replace", "as asked for"), id="asked for"),
        pytest.param("surge", live(ready=0), "data", ("surge", "as asked for"), id="insisted on"),
        pytest.param("auto", live("new", REPLACE, fields=()), "", ("surge", ""), id="changed by somebody"),
        pytest.param("auto", live("new", REPLACE, fields=("f:type",)), "", ("surge", ""), id="changed in part"),
        pytest.param("auto", live("new", RECREATE, fields=("f:type",)), "", ("recreate", ""), id="all at once"),
    ],
)
def test_the_choice(wanted: str, before: Object | None, volume: str, expected: tuple[str, str]) -> None:
    ready = bool(before and before["status"]["readyReplicas"])
    chosen = choose(wanted, deployment(), before, volume=volume, ready=ready)
    assert (chosen.name, chosen.reason) == expected


def test_a_single_pod_with_a_volume_of_one_node_ends_first() -> None:
    assert choose("auto", deployment(replicas=1), live(replicas=1), volume="data").spec == {"type": "Recreate"}


def test_the_pods_are_believed_rather_than_the_count_in_the_status() -> None:
    assert choose("auto", deployment(), live(ready=0), ready=True).name == "surge"


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (SURGE, "surge 1, unavailable 0"),
        (choose("replace", deployment(), None), "surge 0, unavailable 1 (as asked for)"),
        (RECREATE, "all pods at once"),
    ],
)
def test_how_it_is_told(strategy: Strategy, text: str) -> None:
    assert str(strategy) == text


def test_a_deployment_may_say_so_itself_but_not_two() -> None:
    body = with_strategy(deployment(), RECREATE)
    assert own(body).data == {
        "name": "own",
        "max_surge": None,
        "max_unavailable": None,
        "reason": "named by the Deployment",
    }
    assert list(contradictions([body], "auto")) == []
    assert list(contradictions([deployment()], "surge")) == []
    (finding,) = contradictions([body], "surge")
    assert (finding.rule, finding.level, finding.setting) == ("strategy-twice", "error", "strategy")


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        (["ReadWriteOnce"], True),
        (["ReadWriteOncePod"], True),
        (["ReadWriteMany"], False),
        (["ReadWriteOnce", "ReadOnlyMany"], False),
        ([], False),
    ],
)
def test_volumes_of_one_node(modes: list[str], expected: bool) -> None:
    assert single({"spec": {"accessModes": modes}}) is expected


def test_claims() -> None:
    body = deployment()
    body["spec"]["template"]["spec"] = {
        "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "c"}}]
    }
    assert claims(body) == ["c"]


def pod(owner: str, *, message: str = "", ending: bool = False, **spec: Any) -> Object:
    metadata: Object = {"name": "p", "ownerReferences": [{"uid": owner, "controller": True}]}
    if ending:
        metadata["deletionTimestamp"] = "2026-11-01T00:00:00Z"
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    return {"metadata": metadata, "spec": spec, "status": {"conditions": conditions if message else []}}


def seen(*pods: Object, failure: str = "") -> Observation:
    conditions = [{"type": "ReplicaFailure", "status": "True", "message": failure}] if failure else []
    return Observation(
        deployment=deployment(),
        replica_set={"metadata": {"uid": "new"}, "status": {"conditions": conditions}},
        pods=pods,
        deaths={},
        autopsies={},
        now=datetime(2026, 11, 1, tzinfo=UTC),
    )


OLD = pod("old")
EXCLUDED = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/2 Insufficient"


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        pytest.param(seen(OLD, pod("new", message=GPU)), GPU.partition(". ")[0], id="no GPU"),
        pytest.param(seen(OLD, pod("new", message=EXCLUDED)), "", id="nothing that an old pod would give back"),
        pytest.param(seen(pod("new", message=GPU)), "", id="no old pod"),
        pytest.param(seen(OLD, pod("old", ending=True), pod("new", message=GPU)), "", id="a pod is ending"),
        pytest.param(seen(OLD, pod("new")), "", id="it is placed"),
        pytest.param(seen(OLD, failure=QUOTA), QUOTA, id="no quota"),
        pytest.param(seen(OLD, failure="serviceaccount not found"), "", id="another failure"),
    ],
)
def test_no_room(observation: Observation, expected: str) -> None:
    assert stuck(observation) == expected


def asking(gpus: int, **more: Any) -> Object:
    return {"containers": [{"name": "vllm", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}]} | more


AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists"}
ADMITTED = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("fresh", "old", "expected"),
    [
        pytest.param(asking(1), asking(1), True, id="the same"),
        pytest.param(asking(1), asking(2), True, id="less"),
        pytest.param(asking(2), asking(1), False, id="more"),
        pytest.param(asking(1, nodeSelector={"a": "b"}), asking(1), False, id="other nodes"),
        pytest.param(asking(1), asking(1, nodeSelector={"a": "b"}), True, id="more nodes"),
        pytest.param(asking(1, affinity=AFFINITY), asking(1), False, id="another affinity"),
        pytest.param(asking(1, affinity=AFFINITY), asking(1, affinity=AFFINITY), True, id="the same affinity"),
        pytest.param(asking(1), asking(1, tolerations=[TOLERATION]), False, id="a toleration less"),
        pytest.param(
            asking(1, tolerations=[TOLERATION]),
            asking(1, tolerations=[TOLERATION, ADMITTED]),
            True,
            id="those that every pod has",
        ),
    ],
)
def test_who_fits_where_another_one_is(fresh: Object, old: Object, expected: bool) -> None:
    assert takes_place(seen(pod("old", **old), pod("new", **fresh))) is expected
