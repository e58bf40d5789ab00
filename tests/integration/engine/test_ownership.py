# SPDX-License-Identifier: GPL-3.0-or-later
"""Others who have a hand in the same objects: tools that apply them, scalers, and those who made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, remove, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
DEPLOYMENT = "apps/v1/deployments"
SERVER = Server(replicas=1, parts=("config",))


def by_flux(namespace: Namespace) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "small"}, "data": {"greeting": "from flux"}}
    hands.apply(namespace, "configmaps", body, manager="flux")


def test_what_another_tool_applies(namespace: Namespace, run: Does, done: Does) -> None:
    done(deploy(SERVER))
    by_flux(namespace)
    refused = run(deploy(SERVER))
    assert refused.message == (
        "ConfigMap/small cannot be applied. Somebody else applies the same fields, and would take them back: "
        ".data.greeting (flux: 'from flux', here: 'hello'). Let one of the two own them, or force it."
    )
    assert refused.result["changed"] is False
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "from flux"}
    assert namespace.head("small")["operation"] is None

    done(deploy(SERVER, force_conflicts=True))
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "hello"}
    assert done(deploy(SERVER)).result["changed"] is False


def test_a_way_back_is_not_stopped_by_another_tool(namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    done(deploy(replace(SERVER, greeting="second")))
    by_flux(namespace)
    done(rollback())
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "hello"}


def scaled(namespace: Namespace, replicas: int) -> None:
    """As the horizontal pod autoscaler does it."""
    change = {"spec": {"replicas": replicas}}
    hands.patch(namespace, DEPLOYMENT, change, manager="kube-controller-manager", subresource="scale", sort=hands.MERGE)


def replicas(namespace: Namespace) -> int:
    return int(namespace.deployment("small")["spec"]["replicas"])


def test_a_scaler_has_the_number_of_replicas(namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    scaled(namespace, 2)
    done(deploy(SERVER))
    assert replicas(namespace) == 2
    assert done(deploy(SERVER)).result["changed"] is False
    done(deploy(replace(SERVER, greeting="second", env={"LANGUAGE": "en"})))
    assert replicas(namespace) == len(namespace.pods()) == 2
    scaled(namespace, 1)
    assert done(deploy(replace(SERVER, greeting="second", env={"LANGUAGE": "en"}))).result["changed"] is False
    done(rollback(revision=1))
    assert replicas(namespace) == 1
    done(deploy(replace(SERVER, replicas=2), force_conflicts=True))
    assert replicas(namespace) == 2


def test_the_number_of_replicas_is_handed_over(namespace: Namespace, done: Does) -> None:
    """A definition that stops to name it leaves it as it is: dropping the field would make it 1."""
    two = replace(SERVER, replicas=2)
    done(deploy(two))
    pods = {pod["metadata"]["uid"] for pod in namespace.pods()}
    done(deploy(replace(two, replicas=None)))
    assert replicas(namespace) == 2
    assert {pod["metadata"]["uid"] for pod in namespace.pods()} == pods
    done(deploy(two))
    assert replicas(namespace) == 2


def made_by(namespace: Namespace, manager: str) -> None:
    """The same objects, with more in them than the release has."""
    config, service, deployment = replace(SERVER, greeting="theirs").objects()
    config["data"]["more"] = "theirs"
    service["spec"]["ports"].append({"name": "more", "port": 9000})
    deployment["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "THEIRS", "value": "1"})
    for kind, body in (("configmaps", config), ("services", service), (DEPLOYMENT, deployment)):
        body["metadata"]["labels"] = {"app.kubernetes.io/managed-by": manager}
        hands.create(namespace, kind, body, manager=manager)


@pytest.mark.parametrize("manager", ["helm", "kubectl-create"])
def test_objects_that_others_have_made(namespace: Namespace, run: Does, done: Does, manager: str) -> None:
    made_by(namespace, manager)
    refused = run(deploy(SERVER, setting_names={"adopt": "vllm_deploy_adopt"}))
    assert refused.message == (
        "ConfigMap/small exists already and does not belong to this release. It does not carry the label "
        "vllm.ai-aas/release=small. Adopt it, remove it, or choose another release name (vllm_deploy_adopt)."
    )

    adopted = done(deploy(SERVER, adopt=True))
    assert adopted.result["actions"]["adopted"] == ["ConfigMap/small", "Service/small", "Deployment/small"]
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "hello"}
    assert [port["name"] for port in namespace.get("services", "small")["spec"]["ports"]] == ["http"]
    assert [entry["name"] for entry in namespace.container("small")["env"]] == ["STAND_IN_LOAD_SECONDS"]
    assert done(deploy(SERVER)).result["changed"] is False
    done(remove())
    assert namespace.names("services") == set()


def test_an_object_of_another_release(kubeconfig: Path, namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    for adopt in (False, True):
        refused = deploy(SERVER, adopt=adopt).run(kubeconfig, namespace.name, name="other")
        assert refused.message == (
            "ConfigMap/small exists already and belongs to release small. Two releases would take it from each other. "
            "Give it another name, or remove that release first."
        )


UNHEARD = {"apiVersion": "example.org/v1", "kind": "Unheard", "metadata": {"name": "small"}, "spec": {}}


def test_a_kind_that_the_cluster_does_not_serve(run: Does, done: Does) -> None:
    refused = run(deploy(SERVER, definition=[*SERVER.objects(), UNHEARD]))
    assert refused.message == (
        "Unheard/small cannot be created. This cluster does not serve example.org/v1 Unheard. Install its "
        "CustomResourceDefinition, or leave the object out (vllm.ai-aas/optional: 'true' does that)."
    )
    optional = UNHEARD | {"metadata": {"name": "small", "annotations": {"vllm.ai-aas/optional": "true"}}}
    command = deploy(SERVER, definition=[*SERVER.objects(), optional])
    assert done(command).result["actions"]["skipped"] == ["Unheard/small"]
    assert done(command).result["changed"] is False
