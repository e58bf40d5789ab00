# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a release has made of a namespace, without what is new each time: uids, times, generated names."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.release.ownership import live_digest
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Object = dict[str, Any]
KINDS = {
    "configmaps": "ConfigMap",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "serviceaccounts": "ServiceAccount",
    "services": "Service",
    "apps/v1/deployments": "Deployment",
    "networking.k8s.io/v1/networkpolicies": "NetworkPolicy",
    "policy/v1/poddisruptionbudgets": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1/roles": "Role",
}
# What every namespace has.
GIVEN = ("kube-root-ca.crt", "default")
NEW_EACH_TIME = ("uid", "resourceVersion", "creationTimestamp", "generation")
PASSING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"small-[0-9a-z]{6,10}-[0-9a-z]{5}"), "POD"),
    (re.compile(r"\b\d+ s\b"), "SECONDS"),
    (re.compile(r'(?<=_seconds": )[\d.]+'), '"SECONDS"'),
    (re.compile(r'(?<=")[\w.:/-]+(?=@sha256:)'), "IMAGE"),  # a node may know it under several names
    (re.compile(r"\b198\.19\.\d+\.\d+"), "ADDRESS"),
)
DIGEST = re.compile(r"\b[0-9a-f]{16}\b")


def snapshot(namespace: Namespace, release: str = "small") -> Object:
    """Objects, head, records and pods. Fails where the inventory does not tell what is there."""
    objects = {
        f"{kind}/{body['metadata']['name']}": body
        for kind in KINDS
        for body in namespace.list(kind)
        if body["metadata"]["name"] not in GIVEN
    }
    head_name = f"configmaps/vllm-release-{release}"
    records = {name: objects.pop(name) for name in list(objects) if name.startswith(f"{head_name}.v")}
    found: Object = {
        "head": None,
        "records": {name: namespace.record(int(name.rpartition("v")[2]), release) for name in sorted(records)},
        # Those that end may take their time, unless it was for them that somebody has waited.
        "pods": sorted(
            _pod(body)
            for body in (namespace.pods() if "apps/v1/deployments/small" in objects else namespace.list("pods"))
        ),
    }
    if objects.pop(head_name, None):
        head = namespace.head(release)
        _check_inventory(head, objects)
        found["head"] = _head(head)
    found["objects"] = {name: _plain(body) for name, body in sorted(objects.items())}
    return dict(json.loads(passing(json.dumps(found, sort_keys=True), namespace.name)))


def difference(wanted: Object, found: Object) -> str:
    """Line by line; empty if there is none."""
    lines = [json.dumps(value, indent=1, sort_keys=True).splitlines() for value in (wanted, found)]
    return "\n".join(unified_diff(*lines, "wanted", "found", lineterm="", n=2))


def passing(text: str, namespace: str) -> str:
    """A text without what is different each time."""
    text = text.replace(namespace, "NAMESPACE")
    for pattern, word in PASSING:
        text = pattern.sub(word, text)
    # A definition's digest is another one in each namespace; which are equal stays the same.
    for number, digest in enumerate(dict.fromkeys(DIGEST.findall(text)), 1):
        text = text.replace(digest, f"DIGEST {number}")
    return text


def _plain(body: Object) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key not in NEW_EACH_TIME}
    entries = [entry for entry in metadata.pop("managedFields", []) if entry.get("subresource") != "status"]
    metadata["managedFields"] = sorted(
        ({key: value for key, value in entry.items() if key != "time"} for entry in entries), key=json.dumps
    )
    metadata.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)  # how many templates there were
    return {key: value for key, value in body.items() if key != "status"} | {"metadata": metadata}


def _pod(body: Object) -> str:
    return str(body["metadata"].get("annotations", {}).get("vllm.ai-aas/pod-template-digest"))


def _head(head: Object) -> Object:
    inventory = [
        {key: value for key, value in item.items() if key not in ("uid", "digest")} for item in head["inventory"]
    ]
    return head | {"inventory": sorted(inventory, key=json.dumps)}


def _check_inventory(head: Object, objects: dict[str, Object]) -> None:
    """uids and digests are new each time, but have to be those of the objects that are there."""
    live = {(KINDS[name.rpartition("/")[0]], name.rpartition("/")[2]): body for name, body in objects.items()}
    for item in head["inventory"]:
        body = live.get((item["kind"], item["name"]))
        assert body, f"the inventory names {item['kind']}/{item['name']}, which is not there"
        assert body["metadata"]["uid"] == item["uid"], f"another {item['kind']} is there: {item}"
        assert live_digest(body) == item["digest"], f"{item['kind']} is not as it was applied: {item}"
