# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the Kubernetes API that a release needs, on plain objects. Counts what it asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import PARALLEL, Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER, PLURALS, Kind, collection
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.refusals import CHECK_HOST, refusal
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    ApiError,
    ConnectionFailed,
    InvalidInput,
    NotFound,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object

CONFIG_MAP = Kind("v1", "ConfigMap")
NAMESPACES = "/api/v1/namespaces"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
APPLY_PATCH = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
# Objects in one answer, of lists that may be long.
PAGE = 500

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What the server made of an applied object, and the warnings it sent along."""

    object: Object
    created: bool
    warnings: tuple[str, ...] = ()


class Api:
    """One namespace of one cluster.

    Every method raises ConnectionFailed when no answer can be had, and ApiError (NotFound, Conflict, Forbidden) when
    the answer is no. `requests` counts the requests that were sent, `writes` those that have changed something."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection, self.namespace = connection, namespace
        self.requests = self.writes = 0
        # Called right before a request that changes something is sent; it may refuse by raising.
        self.before_write: Callable[[], None] = _nothing
        self._plurals = dict(PLURALS)
        self._lock = threading.Lock()

    def get(self, kind: Kind, name: str) -> Object:
        return self._send("GET", f"{self._path(kind)}/{name}", about=f"{kind}/{name}")[0]

    def list(self, kind: Kind, selector: str = "", fields: str = "") -> list[Object]:
        """All objects of a kind in the namespace, or those that a label selector and a field selector take. Raises
        NotFound (`kind_missing`) where the kind is not served."""
        query = {"labelSelector": selector} if selector else {}
        query |= {"fieldSelector": fields} if fields else {}
        items = self._send("GET", self._path(kind), query=query, about=f"the list of {kind}s")[0].get("items") or []
        for item in items:  # the server leaves these out inside lists
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.name)
        return items

    def everywhere(self, kind: Kind, fields: str = "") -> Iterator[Object]:
        """All objects of a kind, of all namespaces or of the cluster, in pages."""
        query: dict[str, str | int] = {"limit": PAGE} | ({"fieldSelector": fields} if fields else {})
        path = f"{kind.base}/{PLURALS[kind.api_version, kind.name]}"
        while True:
            answer = self._send("GET", path, query=query, about=f"the list of all {kind}s")[0]
            yield from answer.get("items") or []
            query["continue"] = (answer.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return

    def apply(
        self, body: Object, *, dry_run: bool = False, force: bool = False, manager: str = FIELD_MANAGER
    ) -> Applied:
        """Server-side apply. `metadata.uid` and `metadata.resourceVersion` in the body are fences: the server refuses
        with a Conflict when the object is another one, or has moved. resourceVersion "1" means: it must not be
        there."""
        name = body["metadata"]["name"]
        query: dict[str, str | int] = {"fieldManager": manager, "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        if force:
            query["force"] = "true"
        kind = kind_of(body)
        answer, status, warnings = self._send(
            "PATCH",
            f"{self._path(kind)}/{name}",
            query=query,
            body=body,
            content_type=APPLY_PATCH,
            about=f"{kind}/{name}",
        )
        return Applied(object=answer, created=status == 201, warnings=warnings)

    def create(self, body: Object) -> Object:
        """POST. Only for objects that are never applied: what a POST sets, no later apply can take away."""
        kind = kind_of(body)
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return self._send("POST", self._path(kind), query=query, body=body, about=f"{kind}/{body['metadata']['name']}")[
            0
        ]

    def create_namespace(self) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self._send(
            "POST", NAMESPACES, query={"fieldManager": FIELD_MANAGER}, body=body, about=f"Namespace/{self.namespace}"
        )

    def replace(self, body: Object, *, dry_run: bool = False) -> Object:
        """PUT, as compare and swap: the body must carry the resourceVersion that was read."""
        if not body["metadata"].get("resourceVersion"):
            raise ValueError("a replace without resourceVersion would overwrite what others wrote")
        kind, name = kind_of(body), body["metadata"]["name"]
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self._send("PUT", f"{self._path(kind)}/{name}", query=query, body=body, about=f"{kind}/{name}")[0]

    def patch(self, kind: Kind, name: str, patch: Sequence[Object]) -> Object:
        """JSON patch (RFC 6902). A "replace" of /metadata/resourceVersion in it is a fence, as in apply."""
        query = {"fieldManager": FIELD_MANAGER}
        path = f"{self._path(kind)}/{name}"
        return self._send("PATCH", path, query=query, body=patch, content_type=JSON_PATCH, about=f"{kind}/{name}")[0]

    def rights(self) -> Object:
        """The status of a SelfSubjectRulesReview: what this account may do in the namespace. Everybody may ask that."""
        body = {"spec": {"namespace": self.namespace}}
        about = "the rights of this account"
        return dict(self._send("POST", REVIEWS, query={"dryRun": "All"}, body=body, about=about)[0].get("status") or {})

    def try_pod(self, body: Object) -> tuple[str, ...]:
        """Asks admission for a pod without making one. The server's warnings; raises what the pod would meet."""
        return self._send("POST", self._path(Kind("v1", "Pod")), query={"dryRun": "All"}, body=body, about="a pod")[2]

    def delete(self, kind: Kind, name: str, *, uid: str, resource_version: str = "") -> None:
        """DELETE of exactly this object: a Conflict means that it is another one by now, or has moved."""
        preconditions = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": preconditions,
            "propagationPolicy": "Background",
        }
        self._send("DELETE", f"{self._path(kind)}/{name}", body=body, about=f"{kind}/{name}")

    def logs(self, pod: str, container: str, *, previous: bool = False, lines: int = 1000) -> str:
        """The last `lines` of a container's log; of the run before the current one if `previous`."""
        query = {"container": container, "tailLines": lines, "previous": str(previous).lower()}
        path = f"{self._path(Kind('v1', 'Pod'))}/{pod}/log"
        status, _headers, data = self._request("GET", path, query=query)
        if status >= 400:
            raise self._refusal(status, data, f"the log of {pod}")
        return data.decode(errors="replace")

    def _path(self, kind: Kind) -> str:
        key = (kind.api_version, kind.name)
        if key not in self._plurals:
            resources = self._send("GET", kind.base, about=f"the API group {kind.api_version}")[0].get("resources", [])
            for resource in resources:
                if resource["kind"] == kind.name and "/" not in resource["name"]:
                    if not resource["namespaced"]:
                        raise InvalidInput(
                            f"{kind} is a cluster-scoped kind",
                            "A release owns objects of one namespace only",
                            "Create it outside of the release",
                        )
                    self._plurals[key] = resource["name"]
        if key not in self._plurals:
            raise NotFound(f"The API server does not know {kind.api_version} {kind}", status=404)
        return collection(kind, self._plurals[key], self.namespace)

    def _send(
        self, method: str, path: str, *, about: str, body: Any = None, **kw: Any
    ) -> tuple[Object, int, tuple[str, ...]]:
        data = json.dumps(body, separators=(",", ":")).encode() if body is not None else None
        status, headers, answer = self._request(method, path, body=data, **kw)
        if status >= 400:
            raise self._refusal(status, answer, about)
        warnings = headers.getlist("Warning") if hasattr(headers, "getlist") else []
        try:
            body = json.loads(answer) if answer else {}
        except ValueError:
            raise ConnectionFailed(
                f"What answers for {about} is no Kubernetes API server", "Its answer is no JSON", CHECK_HOST
            ) from None
        return body, status, tuple(_warning(text) for text in warnings)

    def _request(self, method: str, path: str, **kw: Any) -> tuple[int, Any, bytes]:
        write = method != "GET" and "dryRun" not in (kw.get("query") or {})
        with self._lock:
            self.requests += 1
        answer = self.connection.request(method, path, before=self.before_write if write else _nothing, **kw)
        with self._lock:
            self.writes += write and answer[0] < 400
        return answer

    def _refusal(self, status: int, data: bytes, about: str) -> ApiError:
        return self.connection.rejected() if status == 401 else refusal(status, data, about)


def kind_of(body: Object) -> Kind:
    return Kind(body["apiVersion"], body["kind"])


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], tick: Callable[[], None] | None = None
) -> list[Result]:
    """The results of `work` for all items, in their order; as many at once as the pool has connections.

    When several fail, the error of the first in order is raised, after all have ended: nothing is left running. `tick`
    is called about once a second meanwhile, from the calling thread.
    """
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = [pool.submit(work, item) for item in items]
        while tick and wait(futures, timeout=1).not_done:
            tick()
        return [future.result() for future in futures]


def _nothing() -> None:
    pass


def _warning(header: str) -> str:
    """The text of a Warning header: `299 - "text"`."""
    return header.split('"', 1)[1].rsplit('"', 1)[0] if '"' in header else header
