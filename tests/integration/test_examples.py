# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped inventories with their own numbers, and a load of a minute. Their probes take their time, so all of them
run at once; each test looks at one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT, DEPLOY, INVENTORY, Run, start

LOAD = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A server of an inventory, and what its Deployment must say."""

    inventory: str
    host: str
    release: str
    replicas: int
    requests: dict[str, str]
    limits: dict[str, str]
    arguments: dict[str, str]
    startup: int
    secret: dict[str, str] | None = None


EXAMPLES = {
    "development 7B": Example(
        inventory="development",
        host="llama-2-7b",
        release="llama-2-7b-development",
        replicas=1,
        requests={"cpu": "4", "memory": "24Gi", "nvidia.com/gpu": "1"},
        limits={"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
        arguments={"--served-model-name": "meta-llama/Llama-2-7b-hf", "--tensor-parallel-size": "1"},
        startup=20,
    ),
    "production 70B": Example(
        inventory="production",
        host="llama-2-70b",
        release="llama-2-70b-production",
        replicas=3,
        requests={"cpu": "16", "memory": "96Gi", "nvidia.com/gpu": "2"},
        limits={"cpu": "32", "memory": "128Gi", "nvidia.com/gpu": "2"},
        arguments={"--served-model-name": "meta-llama/Llama-2-70b-hf", "--tensor-parallel-size": "2"},
        startup=40,
    ),
    "S3": Example(
        inventory="examples",
        host="my-custom-model",
        release="my-custom-model-development",
        replicas=1,
        requests={"cpu": "4", "memory": "24Gi", "nvidia.com/gpu": "1"},
        limits={"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
        arguments={"--served-model-name": "my-custom-model"},
        startup=20,
        secret={"access-key-id": "AKIA-nobody", "secret-access-key": "a-secret-that-nobody-may-see"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    run: Run
    namespace: Namespace


@pytest.fixture(scope="module")
def started(cluster: Cluster) -> Iterator[dict[str, Started]]:
    with ExitStack() as stack:
        runs: dict[str, Started] = {}

        def begin(name: str, namespace: Namespace, inventory: Path, limit: str, **variables: Any) -> None:
            placed = {"vllm_deploy_namespace": namespace.name} | variables
            run = start(DEPLOY, "--limit", limit, variables=placed, inventory=inventory)
            runs[name] = Started(run=run, namespace=namespace)
            stack.callback(runs[name].run.finish)

        for name, example in EXAMPLES.items():
            namespace = stack.enter_context(cluster.namespace())
            if example.secret:
                namespace.create_secret("aws-credentials", **example.secret)
            inventory = CHECKOUT / "inventories" / example.inventory
            begin(name, namespace, inventory, example.host)
        slow = {
            "vllm_deploy_env": [{"name": "STAND_IN_LOAD_SECONDS", "value": str(LOAD)}],
            "vllm_deploy_startup_failure_threshold": 2 * LOAD,
        }
        begin("slow", stack.enter_context(cluster.namespace()), INVENTORY, "one", **slow)
        yield runs


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_deployed_as_it_stands_and_serves(started: dict[str, Started], name: str) -> None:
    example, run, namespace = EXAMPLES[name], started[name].run.finish(), started[name].namespace
    assert run.succeeded, run.told
    result = run.result(example.host)
    assert result["release"]["name"] == example.release
    assert result["release"]["verified"]
    assert result["verification"]["passed"]

    spec = namespace.deployment(example.release)["spec"]
    container = namespace.container(example.release)
    assert spec["replicas"] == example.replicas == len(result["verification"]["pods"]) == len(namespace.pods())
    assert container["resources"]["requests"].items() >= example.requests.items()
    assert container["resources"]["limits"].items() >= example.limits.items()
    assert container["startupProbe"]["failureThreshold"] == example.startup
    assert container["startupProbe"]["periodSeconds"] == 30
    arguments = dict(itertools.pairwise(container["args"]))
    assert arguments.items() >= example.arguments.items()
    if example.secret:
        references = {
            entry["name"]: entry["valueFrom"]["secretKeyRef"]
            for entry in container["env"]
            if entry["name"].startswith("AWS_")
        }
        assert references == {
            "AWS_ACCESS_KEY_ID": {"name": "aws-credentials", "key": "access-key-id"},
            "AWS_SECRET_ACCESS_KEY": {"name": "aws-credentials", "key": "secret-access-key"},
        }
        for secret in example.secret.values():
            assert secret not in run.told + str(run.results) + str(namespace.list("configmaps"))


def test_a_long_load_is_never_silent(started: dict[str, Started]) -> None:
    run = started["slow"].run.finish()
    assert run.succeeded, run.told
    moments = [line.at for line in run.progress]
    assert moments[-1] - moments[0] > LOAD
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert max(gaps) < 20, run.stderr  # 15 s, and the time until the next look on a busy machine

    loading = [found for line in run.progress if (found := re.search(r"loading, (.*) of 2m01s$", line.text))]
    assert len(loading) >= 4, run.stderr
    for line in run.progress:
        assert re.match(r"\[one-test\] (plan: |revision 1\b)", line.text)
    assert re.fullmatch(r"\[one-test\] revision 1 verified in 1m\d\ds", run.progress[-1].text)
