# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to single objects that cannot be changed: some are refused, some are replaced, data never is."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Side
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import Scenario, deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import LABELS, Server
from ansible_collections.ai_aas.vllm.tests.integration.engine.snapshot import difference, snapshot
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import sweep, undisturbed
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

Does = Callable[[Command], Run]
Object = dict[str, Any]
SERVER = Server(replicas=1, parts=("config",))
CONSTANTS = "deploy apply: PATCH configmaps/constants"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"


def at(side: Side, write: str) -> Point:
    return Point(side=side, writes=(write,))


def uid(namespace: Namespace, kind: str, name: str = "small") -> str:
    return str(namespace.get(kind, name)["metadata"]["uid"])


def pods(namespace: Namespace) -> set[str]:
    """Those of the server."""
    labelled = (pod["metadata"] for pod in namespace.pods() if LABELS.items() <= pod["metadata"]["labels"].items())
    return {metadata["uid"] for metadata in labelled}


def with_another_selector() -> list[Object]:
    objects = SERVER.objects()
    spec = objects[-1]["spec"]
    spec["selector"] = {"matchLabels": {"app": "small", "tier": "gpu"}}
    spec["template"]["metadata"] = {"labels": {"app": "small", "tier": "gpu"}}
    return objects


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_deployment_with_another_selector(namespace: Namespace, done: Does, proxy: Proxy, check_mode: bool) -> None:
    done(deploy(SERVER))
    before, serving = snapshot(namespace), pods(namespace)
    command = replace(deploy(SERVER, definition=with_another_selector()), check_mode=check_mode)
    refused = command.run(proxy.kubeconfig, namespace.name)
    assert refused.message == (
        "Deployment/small has another selector than the one that is there. The selector of a Deployment cannot be "
        "changed. Keep the selector, or release under another name and remove this one afterwards."
    )
    assert refused.result["changed"] is False
    assert proxy.writes() == []
    assert difference(before, snapshot(namespace)) == ""
    assert pods(namespace) == serving


@contextlib.contextmanager
def storage(cluster: Cluster, *, grows: bool) -> Iterator[str]:
    """A class as the cluster's own, whose claims may grow, or may not."""
    listed = cluster.ask("GET", CLASSES)
    assert listed
    default = "storageclass.kubernetes.io/is-default-class"
    (own,) = (one for one in listed["items"] if one["metadata"].get("annotations", {}).get(default) == "true")
    name = f"test-{secrets.token_hex(4)}"
    kept = {key: own[key] for key in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode") if key in own}
    cluster.ask("POST", CLASSES, kept | {"metadata": {"name": name}, "allowVolumeExpansion": grows})
    try:
        yield name
    finally:
        cluster.ask("DELETE", f"{CLASSES}/{name}")


def with_data(storage_class: str, size: str) -> list[Object]:
    """A server that mounts its claim: only one that is bound may grow."""
    mounted = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "small"}}]}
    objects = replace(SERVER, parts=("data",), template=mounted).objects()
    objects[0]["spec"] |= {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    return objects


def claim(namespace: Namespace) -> Object:
    return namespace.get("persistentvolumeclaims", "small")


def test_a_claim_that_grows(namespace: Namespace, cluster: Cluster, done: Does) -> None:
    with storage(cluster, grows=True) as name:
        done(deploy(SERVER, definition=with_data(name, "1Mi")))
        before, serving = claim(namespace), pods(namespace)
        grown = done(deploy(SERVER, definition=with_data(name, "2Mi")))
    assert grown.result["actions"]["updated"] == ["PersistentVolumeClaim/small"]
    assert grown.result["actions"]["recreated"] == []
    assert claim(namespace)["metadata"]["uid"] == before["metadata"]["uid"]
    assert claim(namespace)["spec"]["resources"] == {"requests": {"storage": "2Mi"}}
    assert claim(namespace)["spec"]["volumeName"] == before["spec"]["volumeName"]
    assert pods(namespace) == serving


def test_a_claim_that_cannot_grow(namespace: Namespace, cluster: Cluster, run: Does, done: Does) -> None:
    with storage(cluster, grows=False) as name:
        done(deploy(SERVER, definition=with_data(name, "1Mi")))
        before, bound, serving = snapshot(namespace), claim(namespace), pods(namespace)
        refused = run(deploy(SERVER, definition=with_data(name, "2Mi")))
    assert refused.message == (
        'The API server does not allow PersistentVolumeClaim/small. persistentvolumeclaims "small" is forbidden: '
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support "
        "resize. Ask for the missing right, or correct the object."
    )
    assert refused.result["changed"] is False
    assert difference(before, snapshot(namespace)) == ""
    assert claim(namespace)["metadata"] == bound["metadata"]
    assert pods(namespace) == serving


def test_a_claim_that_is_to_be_another_one(namespace: Namespace, run: Does, done: Does) -> None:
    """What holds data is never replaced, though nothing else would do."""
    server = replace(SERVER, parts=("data",))
    done(deploy(server))
    before, there = snapshot(namespace), uid(namespace, "persistentvolumeclaims")
    objects = server.objects()
    objects[0]["spec"]["accessModes"] = ["ReadWriteMany"]
    refused = run(deploy(server, definition=objects))
    assert refused.message.startswith(
        'The API server does not take PersistentVolumeClaim/small. PersistentVolumeClaim "small" is invalid: spec: '
        "Forbidden: spec is immutable after creation"
    )
    assert refused.message.endswith(" Correct the definition.")
    assert refused.result["changed"] is False
    assert difference(before, snapshot(namespace)) == ""
    assert uid(namespace, "persistentvolumeclaims") == there


def with_job(word: str) -> list[Object]:
    """A Job that says a word."""
    container = {
        "name": "say",
        "image": f"vllm/vllm-openai:{SERVER.tag}",
        "command": ["python3", "-c", f"print({word!r})"],
    }
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    template = {"spec": {"containers": [container], "restartPolicy": "Never", "tolerations": tolerations}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "small"}, "spec": {"template": template}}
    return [job, *SERVER.objects()]


def with_constants(word: str) -> list[Object]:
    """A ConfigMap that nobody can change."""
    constants = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "constants"}}
    return [constants | {"immutable": True, "data": {"word": word}}, *SERVER.objects()]


@pytest.mark.parametrize(
    ("objects", "kind", "what"),
    [
        pytest.param(with_job, "batch/v1/jobs", "Job/small", id="a job"),
        pytest.param(with_constants, "configmaps", "ConfigMap/constants", id="an immutable ConfigMap"),
    ],
)
def test_what_cannot_be_changed_is_replaced(
    namespace: Namespace, done: Does, objects: Callable[[str], list[Object]], kind: str, what: str
) -> None:
    name = what.partition("/")[2]
    done(deploy(SERVER, definition=objects("one")))
    first, serving = uid(namespace, kind, name), pods(namespace)
    assert done(deploy(SERVER, definition=objects("one"))).result["changed"] is False

    foreseen = done(replace(deploy(SERVER, definition=objects("two")), check_mode=True))
    assert foreseen.result["actions"]["recreated"] == [what]
    assert uid(namespace, kind, name) == first

    replaced = done(deploy(SERVER, definition=objects("two")))
    assert replaced.result["actions"]["recreated"] == [what]
    assert replaced.result["actions"]["unchanged"] == 3
    second = namespace.get(kind, name)
    assert second["metadata"]["uid"] != first
    assert "two" in json.dumps(second.get("data") or second["spec"])
    assert pods(namespace) == serving
    (item,) = (each for each in namespace.head("small")["inventory"] if f"{each['kind']}/{each['name']}" == what)
    assert (item["uid"], item["since"]) == (second["metadata"]["uid"], 2)
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert done(deploy(SERVER, definition=objects("two"))).result["changed"] is False


REPLACING = Scenario(
    name="replace",
    before=(deploy(SERVER, definition=with_constants("one")),),
    command=deploy(SERVER, definition=with_constants("two")),
)


def test_a_run_that_is_killed_when_the_old_one_is_gone(cluster: Cluster, kubeconfig: Path) -> None:
    """The same command again makes the new one."""
    reference = undisturbed(REPLACING, cluster, kubeconfig)
    points = [at("after", "deploy apply: DELETE configmaps/constants"), at("before", CONSTANTS), at("after", CONSTANTS)]
    assert set(points) <= set(reference.points)
    wrong = sweep(REPLACING, points, reference, cluster, kubeconfig)
    assert not wrong, "\n\n".join(f"{point}\n{text}" for point, text in wrong.items())
