# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound set of objects: what a release may consist of, found out without asking a cluster."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import startup_budget

CLUSTER_SCOPED = frozenset(
    "ClusterRole ClusterRoleBinding CustomResourceDefinition IngressClass MutatingWebhookConfiguration Namespace Node "
    "PersistentVolume PriorityClass RuntimeClass StorageClass ValidatingAdmissionPolicy "
    "ValidatingWebhookConfiguration".split()
)
# Names under which people keep credentials. A reference (valueFrom) is fine, a literal is not; the path of a file is.
CREDENTIAL = re.compile(r"(_|^)(TOKEN|KEY|SECRET)$|PASSW(OR)?D(?!.*_(FILE|PATH)$)", re.IGNORECASE)
LONGEST_NAME = 63
# What a progress deadline grants a pod before its container starts; seconds.
IMAGE_PULL_ALLOWANCE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The objects of one release, as given."""

    release: str
    namespace: str
    objects: tuple[Object, ...]

    @property
    def digest(self) -> str:
        return names.digest_of_set(self.objects)


def define(release: str, namespace: str, objects: Iterable[Any]) -> Definition:
    """A definition of these objects, each in the release's namespace unless it names one; empty documents are left
    out."""
    present = [copy.deepcopy(body) for body in objects if body]
    for body in present:
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
            body["metadata"].setdefault("namespace", namespace)
    return Definition(release=release, namespace=namespace, objects=tuple(present))


def findings(definition: Definition) -> Iterator[Finding]:
    """What is wrong with a definition, whatever the workload is."""
    if not definition.objects:
        yield _error(
            "empty",
            "It has no objects",
            "an empty set would remove everything",
            "Use state: absent to remove a release",
        )
    if len(definition.release) > LONGEST_NAME or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", definition.release):
        yield _error(
            "release-name",
            f"The release name {definition.release!r} does not fit",
            f"it becomes a label and a DNS name: at most {LONGEST_NAME} lower-case letters, digits and '-', "
            "beginning and ending with a letter or digit",
            "Choose a shorter or simpler name",
            "release name",
        )
    seen: set[tuple[str, str, str]] = set()
    for body in definition.objects:
        shapeless = _shape(body)
        if shapeless:
            yield shapeless
            continue
        yield from _findings_of(body, definition.namespace)
        key = (body["apiVersion"], body["kind"], body["metadata"]["name"])
        if key in seen:
            yield _error(
                "duplicate",
                f"{names.identity(body)} is there twice",
                "the second would overwrite the first",
                "Leave one out",
            )
        seen.add(key)


def shapeless(definition: Definition) -> Iterator[Finding]:
    """What is no object at all."""
    yield from filter(None, map(_shape, definition.objects))


def required(definition: Definition, require: Iterable[str]) -> Iterator[Finding]:
    """What a definition lacks of `require`: image_tag (none of them "latest"), image_digest, replicas (two or more)."""
    wanted = frozenset(require)
    for body in definition.objects:
        what = names.identity(body)
        for image in dict.fromkeys(str(container.get("image", "")) for container in containers(body)):
            name, _at, image_digest = image.partition("@")
            tag = name.rpartition("/")[2].partition(":")[2]
            if "image_tag" in wanted and not image_digest and tag in ("", "latest"):
                why = "the tag 'latest' means another image tomorrow"
                yield _error("image-tag", f"{what} runs {image}", why, "Name a version as the image tag", "image tag")
            if "image_digest" in wanted and not image_digest:
                why = "a tag can be moved to another image"
                yield _error("image-digest", f"{what} runs {image}", why, "Name the image digest", "image digest")
        if "replicas" in wanted and body["kind"] == "Deployment" and int(body["spec"].get("replicas", 1)) < 2:
            why = "one replica leaves nobody to serve when its node goes"
            yield _error(
                "replicas", f"{what} has fewer than 2 replicas", why, "Ask for at least 2 replicas", "replicas"
            )


def containers(body: Object) -> list[Object]:
    """The containers (init containers first) of an object's pod template; none where it has no pods."""
    template = (body.get("spec") or {}).get("template") or {}
    spec = template.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def stamped(definition: Definition, release_uid: str) -> list[Object]:
    """The objects as they are applied: with the label, the release uid, the pod template's digest, and a strategy and a
    progress deadline where they name none. Nothing else."""
    stamped_objects = []
    for body in copy.deepcopy(definition.objects):
        metadata = body["metadata"]
        metadata["labels"] = (metadata.get("labels") or {}) | {names.RELEASE: definition.release}
        metadata["annotations"] = (metadata.get("annotations") or {}) | {names.RELEASE_UID: release_uid}
        if body["kind"] == "Deployment":
            template = body["spec"]["template"]
            template_metadata = template.setdefault("metadata", {})
            annotations = template_metadata.get("annotations") or {}
            template_metadata["annotations"] = annotations | {names.POD_TEMPLATE_DIGEST: names.digest(template, 12)}
            body["spec"].setdefault(
                "strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
            )
            body["spec"].setdefault("progressDeadlineSeconds", startup_budget(template) + IMAGE_PULL_ALLOWANCE)
        stamped_objects.append(body)
    return stamped_objects


def optional(body: Object) -> bool:
    return (body["metadata"].get("annotations") or {}).get(names.OPTIONAL) == "true"


def _findings_of(body: Object, namespace: str) -> Iterator[Finding]:
    what = names.identity(body)
    if body["kind"] in CLUSTER_SCOPED:
        yield _error(
            "cluster-scoped", what, "a release owns objects of one namespace only", "Create it outside of the release"
        )
    elif body["metadata"]["namespace"] != namespace:
        yield _error(
            "namespace",
            what,
            f"it belongs to namespace {body['metadata']['namespace']!r}, the release to {namespace!r}",
            "Leave metadata.namespace out, or make it a release of its own",
        )
    if body["kind"] == "Secret":
        yield _error(
            "secret",
            what,
            "a release is recorded, and a record must not hold a secret",
            "Create the Secret with kubernetes.core, External Secrets or Vault, and refer to it by name",
        )
    for container in containers(body):
        for entry in container.get("env") or []:
            if entry.get("value") and CREDENTIAL.search(str(entry.get("name"))):
                yield _error(
                    "literal-credential",
                    f"{what} sets {entry['name']} to a literal value",
                    "a release is recorded, and a record must not hold a secret",
                    "Take it from a Secret with valueFrom.secretKeyRef",
                )


def _shape(body: Any) -> Finding | None:
    if not isinstance(body, dict) or not all(isinstance(body.get(key), str) for key in ("apiVersion", "kind")):
        return _error(
            "shape",
            "An entry is no Kubernetes object",
            "it has no apiVersion and kind",
            "Correct the template it comes from",
        )
    if not isinstance(body.get("metadata"), dict) or not isinstance(body["metadata"].get("name"), str):
        return _error(
            "shape", f"A {body['kind']} has no name", "metadata.name is missing", "Correct the template it comes from"
        )
    if body["kind"] == "Deployment" and (lacking := _lacking(body)):
        return _error(
            "shape", f"{names.identity(body)} is no Deployment", lacking, "Correct the template it comes from"
        )
    return None


def _lacking(deployment: Object) -> str:
    """What a Deployment is not to be understood without; empty if it has it."""
    spec = _below(deployment, "spec")
    if not _below(spec, "selector", "matchLabels"):
        return "it has no spec.selector.matchLabels"
    listed = _below(spec, "template", "spec").get("containers")
    if (
        not isinstance(listed, list)
        or not listed
        or not all(isinstance(one, dict) and one.get("name") for one in listed)
    ):
        return "it has no spec.template.spec.containers, each with a name"
    replicas = spec.get("replicas", 1)
    return "" if isinstance(replicas, int) and replicas >= 0 else f"its spec.replicas is {replicas!r}"


def _below(value: Any, *path: str) -> dict[str, Any]:
    """The mapping at the end of a path; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _error(rule: str, what: str, why: str, do: str, setting: str = "") -> Finding:
    return Finding(rule=rule, level="error", what=what, why=why, do=do, setting=setting)
