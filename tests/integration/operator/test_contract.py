# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation does and says the same inside ansible-playbook and as a module on a host behind ssh, with the newest
and the oldest ansible-core. (The far host runs the newest libraries.)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import capacity
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.operator.bastion import Bastion
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import (
    PREFLIGHT,
    ROLLBACK,
    Project,
    Task,
    health,
    info,
    preflight,
    release,
)
from ansible_collections.ai_aas.vllm.tests.integration.playbook import Run

# What differs from run to run: names, moments, seconds. Names come first: a pod may be called small-77bcbc4d5-5m24s.
VARYING = (
    (r"small-[a-z0-9]+-[a-z0-9]{5}\b", "POD"),
    (r"test-[0-9a-f]{8}", "NAMESPACE"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
    (r"\d{4}-\d\d-\d\dT[\d:]+Z", "MOMENT"),
    (r"\b\d+\.\d+\.\d+\.\d+\b", "ADDRESS"),
    (r"\b\d+(\.\d+)?( ?s\b|m\d\ds\b)", "N s"),
)


# What there is to a preflight, wherever it runs.
NODE = {"metadata": {"name": "a"}, "spec": {}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}
ROOM = capacity.packed(capacity.snapshot([NODE], []))


def story(namespace: str, kubeconfig: str) -> list[Task]:
    """The life of a release, with each operation in it; one that fails must fail everywhere."""
    steps: list[Task] = [
        info(namespace, include_pods=True),
        release(namespace, reason="first") | {"check_mode": True, "diff": True},
        release(namespace, reason="first"),
        release(namespace, reason="first"),
        release(namespace, reason="second") | {"vars": {"weights": "b"}, "diff": True},
        {ROLLBACK: {"name": "small", "namespace": namespace, "reason": "back"}},
        info(namespace, name="small", include_pods=True, include_drift=True),
        info(namespace, name="small", revision=1, include_definition=True),
        info(namespace, name="small", revision=7) | {"ignore_errors": True},
        health(namespace),
        release(namespace, context="nowhere", name="nobody") | {"ignore_errors": True},
        release(namespace, stat="gone") | {"ignore_errors": True},
        info(namespace) | {"loop": [1, 2]},  # one process, two connections
        release(namespace, state="absent", keep_history=True),
        health(namespace) | {"ignore_errors": True},
        info(namespace),
        {PREFLIGHT: {"namespace": namespace}},
        preflight(namespace, capacity=ROOM),
        preflight(namespace, capacity=ROOM, require=["replicas"]) | {"ignore_errors": True},
    ]
    for step in steps:
        next(value for key, value in step.items() if key.startswith("ai_aas."))["kubeconfig"] = kubeconfig
    return steps


def outcome(run: Run) -> list[Any]:
    """What the tasks came to, without what differs from run to run."""
    assert run.succeeded, run.told
    assert "Traceback" not in run.told
    return [alike(each["result"]) | {"status": each["status"]} for each in run.results]


def alike(value: Any) -> Any:
    if isinstance(value, Mapping):
        # A digest is over the namespace, too.
        left_out = {"invocation", "timings", "seconds", "evidence", "requests", "by", "digest", "progress", "holder"}
        left_out |= {"capacity"}  # other tests add nodes and pods
        left_out |= {"failed", "ansible_loop_var", "item"}  # ansible-core's own, in a loop
        kept = {key: part for key, part in value.items() if key not in left_out and not key.startswith("_ansible")}
        return {alike(key): alike(part) for key, part in kept.items()}
    if isinstance(value, list):
        return [alike(part) for part in value]
    if isinstance(value, str):
        for pattern, word in VARYING:
            value = re.sub(pattern, word, value)
    return value


def told(run: Run) -> list[str]:
    """The lines of progress that every run has, whatever the pods were seen to do meanwhile."""
    lines = [alike(line.text) for line in run.progress if line.text.startswith("[")]
    return [line for line in lines if re.search(r"plan:|applying|asking|verified|process|removed", line)]


@pytest.fixture(scope="module")
def expected(
    cluster: Cluster, kubeconfig: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Any], list[str]]:
    """What comes of it in process, with the newest ansible-core."""
    with cluster.namespace() as namespace:
        run = Project(tmp_path_factory.mktemp("contract")).run(*story(namespace.name, str(kubeconfig)))
        return outcome(run), told(run)


@pytest.mark.parametrize("core", ["newest", "oldest"])
@pytest.mark.parametrize("route", ["in process", "over ssh"])
def test_every_operation(
    expected: tuple[list[Any], list[str]],
    project: Project,
    namespace: Namespace,
    kubeconfig: Any,
    bastion: Bastion,
    older: dict[str, str],
    core: str,
    route: str,
) -> None:
    project.inventory["bastions"] = {"hosts": {"bastion": bastion.variables}}
    steps = story(namespace.name, str(kubeconfig))
    if route == "over ssh":
        steps = [step | {"delegate_to": "bastion"} for step in steps]
    run = project.run(*steps, options=("--limit", "here"), environment=older if core == "oldest" else None)
    for result, wanted in zip(outcome(run), expected[0], strict=True):
        assert result == wanted
    assert told(run) == expected[1]


def test_the_story_is_not_empty(expected: tuple[list[Any], list[str]]) -> None:
    results, lines = expected
    assert [result.get("changed") for result in results] == [
        *(False, True, True, False, True, True),
        *(False, False, False, False, False, False),
        *(False, True, False, False),
        *(False, False, False),
    ]
    failed = [place for place, result in enumerate(results) if result["status"] == "failed"]
    assert failed == [8, 10, 11, 14, 18]
    assert sum("verified in" in line for line in lines) == 3, lines
