# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of a namespace with the rights that a test gives them, and kubeconfig files for them."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.ai_aas.vllm.tests.cluster.settings import PKI
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

# All that a deploy of server.yml.j2, its verification, a look at it and its removal need.
RIGHTS: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "update", "patch", "delete"]},
    {"apiGroups": ["", "apps"], "resources": ["services", "deployments"], "verbs": ["get", "list", "create", "patch"]},
    {"apiGroups": ["", "apps"], "resources": ["services", "deployments"], "verbs": ["delete"]},
    {"apiGroups": ["", "apps"], "resources": ["pods", "replicasets", "events"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
]
RBAC = "rbac.authorization.k8s.io/v1"


def token(namespace: Namespace, account: str, rules: list[dict[str, Any]]) -> str:
    """A token of a new ServiceAccount with these rights."""
    path = f"/api/v1/namespaces/{namespace.name}/serviceaccounts"
    ask = namespace.cluster.ask
    ask("POST", path, {"metadata": {"name": account}})
    rbac = f"/apis/{RBAC}/namespaces/{namespace.name}"
    ask("POST", f"{rbac}/roles", {"metadata": {"name": account}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace.name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    ask("POST", f"{rbac}/rolebindings", {"metadata": {"name": account}, "subjects": [subject], "roleRef": role})
    answer = ask("POST", f"{path}/{account}/token", {"spec": {"expirationSeconds": 3600}})
    assert answer
    return str(answer["status"]["token"])


def expired(valid: str) -> str:
    """The same token an hour after its end: signed with the cluster's own key where it is ours, so that nothing but the
    time is wrong with it."""
    head, claims, signature = valid.split(".")
    content = json.loads(_decoded(claims))
    content |= {"iat": int(time.time()) - 7200, "nbf": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
    body = f"{head}.{_encoded(json.dumps(content).encode())}"
    key_file = PKI / "service-account.key"
    if key_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        r, s = utils.decode_dss_signature(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
        signature = _encoded(r.to_bytes(32) + s.to_bytes(32))
    return f"{body}.{signature}"


def kubeconfig_for(original: Path, path: Path, user: dict[str, Any], **cluster: Any) -> Path:
    """The kubeconfig with another user in all contexts, and changes of the cluster."""
    document = yaml.safe_load(original.read_text())
    for entry in document["users"]:
        entry["user"] = user
    for entry in document["clusters"]:
        entry["cluster"] |= cluster
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))
    return path


def authority(original: Path, path: Path) -> Path:
    """The certificate of a kubeconfig's authority as a file."""
    cluster = yaml.safe_load(original.read_text())["clusters"][0]["cluster"]
    path.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return path


def address(original: Path) -> str:
    return str(yaml.safe_load(original.read_text())["clusters"][0]["cluster"]["server"])


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
