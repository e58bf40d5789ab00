# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release may consist of, and what the engine adds to it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.definition import (
    CLUSTER_SCOPED,
    define,
    findings,
    optional,
    required,
    shapeless,
    stamped,
)

Object = dict[str, Any]
SERVICE: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {}}


def deployment(image: str = "vllm/vllm-openai:v0.33.0", *, env: list[Object] | None = None, **spec: Any) -> Object:
    container = {"name": "vllm", "image": image, "env": env or []}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {}, "spec": {"containers": [container]}},
        }
        | spec,
    }


def told(finding: Finding) -> str:
    return f"{finding.rule}, {finding.level}: {finding.what}: {finding.why}. {finding.do}"


def found(*objects: Any, release: str = "x") -> list[str]:
    return [told(finding) for finding in findings(define(release, "system", objects))]


NAMELESS = {"apiVersion": "v1", "kind": "Service", "metadata": {}}
EMPTY = "empty, error: It has no objects: an empty set would remove everything. Use state: absent to remove a release"
NO_OBJECT = (
    "shape, error: An entry is no Kubernetes object: it has no apiVersion and kind. Correct the template it comes from"
)
NO_NAME = "shape, error: A Service has no name: metadata.name is missing. Correct the template it comes from"

TWICE = "duplicate, error: Service/x is there twice: the second would overwrite the first. Leave one out"
ELSEWHERE = (
    "namespace, error: Service/x: it belongs to namespace 'other', the release to 'system'. "
    "Leave metadata.namespace out, or make it a release of its own"
)
NEVER_RECORDED = (
    "secret, error: Secret/x: a release is recorded, and a record must not hold a secret. "
    "Create the Secret with kubernetes.core, External Secrets or Vault, and refer to it by name"
)
LITERAL = (
    "literal-credential, error: Deployment/x sets HF_TOKEN to a literal value: a release is recorded, and a record "
    "must not hold a secret. Take it from a Secret with valueFrom.secretKeyRef"
)
CLUSTER = "cluster-scoped, error: {}/x: a release owns objects of one namespace only. Create it outside of the release"
NAME = (
    "release-name, error: The release name {!r} does not fit: it becomes a label and a DNS name: at most 63 lower-case "
    "letters, digits and '-', beginning and ending with a letter or digit. Choose a shorter or simpler name"
)


@pytest.mark.parametrize(
    ("objects", "messages"),
    [
        pytest.param(
            [],
            [EMPTY],
            id="empty",
        ),
        pytest.param(
            [None, {}],
            [EMPTY],
            id="only empty documents",
        ),
        pytest.param(["text"], [NO_OBJECT], id="a text"),
        pytest.param([["list"]], [NO_OBJECT], id="a list"),
        pytest.param([{"kind": "Service", "metadata": {"name": "x"}}], [NO_OBJECT], id="no apiVersion"),
        pytest.param([{"apiVersion": "v1", "metadata": {"name": "x"}}], [NO_OBJECT], id="no kind"),
        pytest.param([{"apiVersion": "v1", "kind": "Service"}], [NO_NAME], id="no metadata"),
        pytest.param([NAMELESS], [NO_NAME], id="no name"),
        pytest.param([SERVICE | {"metadata": {"name": 7}}], [NO_NAME], id="a name that is a number"),
        pytest.param(
            [SERVICE, SERVICE],
            [TWICE],
            id="duplicate",
        ),
        pytest.param([SERVICE, deployment()], [], id="one name for two kinds is no duplicate"),
        pytest.param([SERVICE | {"metadata": {"name": "x", "namespace": "system"}}], [], id="its own namespace, named"),
        pytest.param(
            [SERVICE | {"metadata": {"name": "x", "namespace": "other"}}],
            [ELSEWHERE],
            id="another namespace",
        ),
        pytest.param(
            [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}],
            [NEVER_RECORDED],
            id="a Secret",
        ),
        pytest.param(
            [deployment(env=[{"name": "HF_TOKEN", "value": "hf_x"}])],
            [LITERAL],
            id="a literal credential",
        ),
        pytest.param(
            [deployment(env=[{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}])],
            [],
            id="a credential from a Secret",
        ),
        pytest.param([deployment(env=[{"name": "HF_TOKEN", "value": ""}])], [], id="an empty credential is none"),
        pytest.param([deployment(env=[{"name": "TOKENIZERS_PARALLELISM", "value": "false"}])], [], id="no credential"),
    ],
)
def test_findings(objects: list[Any], messages: list[str]) -> None:
    assert found(*objects) == messages


def test_a_literal_credential_of_an_init_container_is_found() -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["initContainers"] = [{"name": "i", "env": [{"name": "A_KEY", "value": "x"}]}]
    assert [text.split(":")[0] for text in found(body)] == ["literal-credential, error"]


@pytest.mark.parametrize(
    ("spec", "lacking"),
    [
        ({"selector": None}, "it has no spec.selector.matchLabels"),
        ({"selector": {"matchExpressions": []}}, "it has no spec.selector.matchLabels"),
        ({"template": None}, "it has no spec.template.spec.containers, each with a name"),
        ({"template": {"spec": {"containers": []}}}, "it has no spec.template.spec.containers, each with a name"),
        ({"template": {"spec": {"containers": [{}]}}}, "it has no spec.template.spec.containers, each with a name"),
        ({"replicas": None}, "its spec.replicas is None"),
        ({"replicas": "2"}, "its spec.replicas is '2'"),
    ],
)
def test_what_no_deployment_is_without(spec: Object, lacking: str) -> None:
    message = f"shape, error: Deployment/x is no Deployment: {lacking}. Correct the template it comes from"
    assert found(deployment(**spec)) == [message]
    assert [told(one) for one in shapeless(define("x", "system", [deployment(**spec), deployment()]))] == [message]


@pytest.mark.parametrize("kind", sorted(CLUSTER_SCOPED))
def test_cluster_scoped_kinds_are_refused(kind: str) -> None:
    assert found({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}) == [CLUSTER.format(kind)]


@pytest.mark.parametrize("name", ["llama-2-7b-production", "x", "7b", "a" * 63])
def test_names_that_fit(name: str) -> None:
    assert found(SERVICE, release=name) == []


@pytest.mark.parametrize("name", ["", "-x", "x-", "X", "a.b", "a_b", "ä", "a" * 64])
def test_names_that_do_not_fit(name: str) -> None:
    assert found(SERVICE, release=name) == [NAME.format(name)]


def test_all_findings_are_told_at_once() -> None:
    texts = found("text", NAMELESS, SERVICE, SERVICE, release="X")
    assert [text.split(",")[0] for text in texts] == ["release-name", "shape", "shape", "duplicate"]


def test_the_namespace_is_filled_in_and_the_given_objects_are_left_alone() -> None:
    given = copy.deepcopy(SERVICE)
    definition = define("x", "system", [given])
    assert definition.objects[0]["metadata"] == {"name": "x", "namespace": "system"}
    assert given == SERVICE


def test_the_digest_knows_contents_and_not_order() -> None:
    digest = define("x", "system", [SERVICE, deployment()]).digest
    assert len(digest) == 16
    assert define("x", "system", [deployment(), SERVICE]).digest == digest
    assert define("x", "system", [None, SERVICE, {}, deployment()]).digest == digest
    assert define("x", "system", [dict(reversed(SERVICE.items())), deployment()]).digest == digest
    assert define("x", "system", [SERVICE, deployment(replicas=3)]).digest != digest
    assert define("x", "other", [SERVICE, deployment()]).digest != digest


TAG = (
    "image-tag, error: Deployment/x runs {image}: the tag 'latest' means another image tomorrow. "
    "Name a version as the image tag"
)
DIGEST = "image-digest, error: Deployment/x runs {image}: a tag can be moved to another image. Name the image digest"
FEW = (
    "replicas, error: Deployment/x has fewer than 2 replicas: one replica leaves nobody to serve when its node goes. "
    "Ask for at least 2 replicas"
)


@pytest.mark.parametrize(
    ("require", "image", "message"),
    [
        (["image_tag"], "vllm/vllm-openai:v0.33.0", ""),
        (["image_tag"], "vllm/vllm-openai:latest", TAG),
        (["image_tag"], "vllm/vllm-openai", TAG),
        (["image_tag"], "registry.example:5000/vllm", TAG),
        (["image_tag"], "registry.example:5000/vllm:v1", ""),
        (["image_tag"], "vllm/vllm-openai:latest@sha256:0", ""),
        (["image_digest"], "vllm/vllm-openai:v0.33.0", DIGEST),
        (["image_digest"], "vllm/vllm-openai@sha256:0", ""),
        (["image_digest"], "vllm/vllm-openai:v0.33.0@sha256:0", ""),
        ([], "vllm/vllm-openai", ""),
        (["cluster", "model_revision"], "vllm/vllm-openai", ""),
    ],
)
def test_required_images(require: list[str], image: str, message: str) -> None:
    definition = define("x", "system", [SERVICE, deployment(image)])
    assert [told(finding) for finding in required(definition, require)] == (
        [message.format(image=image)] if message else []
    )


@pytest.mark.parametrize(("replicas", "enough"), [({"replicas": 2}, True), ({"replicas": 1}, False), ({}, False)])
def test_required_replicas(replicas: dict[str, int], enough: bool) -> None:
    body = deployment()
    del body["spec"]["replicas"]
    body["spec"] |= replicas
    messages = [told(finding) for finding in required(define("x", "system", [SERVICE, body]), ["replicas"])]
    assert messages == ([] if enough else [FEW])


def test_a_finding_names_the_setting_that_cures_it() -> None:
    definition = define("x", "system", [deployment("vllm/vllm-openai", replicas=1)])
    everything = required(definition, ["image_tag", "image_digest", "replicas"])
    assert [finding.setting for finding in everything] == ["image tag", "image digest", "replicas"]


def test_an_image_is_named_once_however_many_containers_run_it() -> None:
    body = deployment("vllm/vllm-openai")
    body["spec"]["template"]["spec"]["initContainers"] = [{"name": "i", "image": "vllm/vllm-openai"}]
    assert len(list(required(define("x", "system", [body]), ["image_tag"]))) == 1


def test_stamping_adds_exactly_what_it_says() -> None:
    definition = define("x", "system", [SERVICE, deployment()])
    service, server = stamped(definition, "uid-1")
    tied = {"labels": {names.RELEASE: "x"}, "annotations": {names.RELEASE_UID: "uid-1"}}
    assert service == SERVICE | {"metadata": {"name": "x", "namespace": "system"} | tied}
    digest = server["spec"]["template"]["metadata"].pop("annotations")
    assert digest == {names.POD_TEMPLATE_DIGEST: names.digest(definition.objects[1]["spec"]["template"], 12)}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert server == deployment(strategy=strategy, progressDeadlineSeconds=1200) | {"metadata": service["metadata"]}


def test_stamping_keeps_what_is_there() -> None:
    body = deployment(strategy={"type": "Recreate"}, progressDeadlineSeconds=90)
    body["metadata"] |= {"labels": {"team": "search"}, "annotations": {"note": "n"}}
    body["spec"]["template"]["metadata"] = {"annotations": {"vllm.ai-aas/model": "m"}}
    definition = define("x", "system", [body])
    (server,) = stamped(definition, "uid-1")
    assert server["metadata"]["labels"] == {"team": "search", names.RELEASE: "x"}
    assert server["metadata"]["annotations"] == {"note": "n", names.RELEASE_UID: "uid-1"}
    assert set(server["spec"]["template"]["metadata"]["annotations"]) == {
        "vllm.ai-aas/model",
        names.POD_TEMPLATE_DIGEST,
    }
    assert (server["spec"]["strategy"], server["spec"]["progressDeadlineSeconds"]) == ({"type": "Recreate"}, 90)
    assert definition.objects[0]["metadata"]["labels"] == {"team": "search"}


def test_the_template_digest_moves_with_the_template_alone() -> None:
    def digest(body: Object) -> str:
        (server,) = stamped(define("x", "system", [body]), "uid-1")
        text: str = server["spec"]["template"]["metadata"]["annotations"][names.POD_TEMPLATE_DIGEST]
        return text

    assert len(digest(deployment())) == 12
    assert digest(deployment(replicas=9)) == digest(deployment())
    assert digest(deployment("v:2")) != digest(deployment())


@pytest.mark.parametrize(
    ("annotations", "expected"), [({names.OPTIONAL: "true"}, True), ({names.OPTIONAL: "false"}, False), (None, False)]
)
def test_optional(annotations: dict[str, str] | None, expected: bool) -> None:
    assert optional({"metadata": {"annotations": annotations}}) is expected
