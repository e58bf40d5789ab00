# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests look at in the cluster: plain objects, read without the engine, over the collection's own connection."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection

Object = dict[str, Any]
MERGE_PATCH = "application/strategic-merge-patch+json"


class Cluster:
    """The cluster of a kubeconfig's current context."""

    def __init__(self, kubeconfig: Path) -> None:
        self.connection = Connection({"kubeconfig": str(kubeconfig)}, {})

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Object | None:
        """The answer; None where there is no such object. Fails for every other answer that is none."""
        data = json.dumps(body).encode() if body is not None else None
        status, _headers, answer = self.connection.request(method, path, body=data, **options)
        if status == 404:
            return None
        assert status < 400, f"{method} {path}: {status} {answer.decode()}"
        return dict(json.loads(answer))

    @contextlib.contextmanager
    def namespace(self, *, create: bool = True) -> Iterator[Namespace]:
        """A namespace with a name that nobody had before. It ends by itself, with all that is in it."""
        namespace = Namespace(cluster=self, name=f"test-{secrets.token_hex(4)}")
        if create:
            self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace.name}})
        try:
            yield namespace
        finally:
            self.ask("DELETE", f"/api/v1/namespaces/{namespace.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    cluster: Cluster
    name: str

    @property
    def exists(self) -> bool:
        return self.cluster.ask("GET", f"/api/v1/namespaces/{self.name}") is not None

    def _path(self, kind: str) -> str:
        """`kind`: "pods", "apps/v1/deployments"."""
        version, _slash, plural = kind.rpartition("/")
        return f"{f'/apis/{version}' if version else '/api/v1'}/namespaces/{self.name}/{plural}"

    def get(self, kind: str, name: str) -> Object:
        found = self.cluster.ask("GET", f"{self._path(kind)}/{name}")
        assert found is not None, f"there is no {kind} {name}"
        return found

    def list(self, kind: str) -> list[Object]:
        found = self.cluster.ask("GET", self._path(kind))
        assert found is not None, f"there is no kind {kind}"
        return list(found["items"])

    def names(self, kind: str) -> set[str]:
        return {body["metadata"]["name"] for body in self.list(kind)}

    def create_secret(self, name: str, **values: str) -> None:
        keys = {key.replace("_", "-"): value for key, value in values.items()}
        self.cluster.ask("POST", self._path("secrets"), {"metadata": {"name": name}, "stringData": keys})

    def edit_container(self, deployment: str, **changes: Any) -> None:
        """As somebody with `kubectl edit` does it."""
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "vllm"} | changes]}}}}
        path = f"{self._path('apps/v1/deployments')}/{deployment}"
        query = {"fieldManager": "kubectl-edit"}
        assert self.cluster.ask("PATCH", path, patch, content_type=MERGE_PATCH, query=query), f"no {deployment}"

    def deployment(self, name: str = "one-test") -> Object:
        return self.get("apps/v1/deployments", name)

    def container(self, name: str = "one-test") -> Object:
        """The container of a Deployment."""
        (found,) = self.deployment(name)["spec"]["template"]["spec"]["containers"]
        return dict(found)

    def pods(self) -> list[Object]:
        """Those that nobody is deleting."""
        return [body for body in self.list("pods") if "deletionTimestamp" not in body["metadata"]]

    def head(self, release: str = "one-test") -> Object:
        body = self.get("configmaps", f"vllm-release-{release}")
        return dict(json.loads(body["data"]["head"]))

    def record(self, revision: int, release: str = "one-test") -> Object:
        """What a record holds."""
        body = self.get("configmaps", f"vllm-release-{release}.v{revision}")
        return dict(json.loads(zlib.decompress(base64.b64decode(body["binaryData"]["record"]))))

    def history(self, release: str = "one-test") -> list[tuple[int, str, bool]]:
        """(revision, state, verified), newest first."""
        return [(row["revision"], row["state"], row["verified"]) for row in self.head(release)["history"]]
