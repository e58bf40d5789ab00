# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to an API server, and what its answers become, over a real connection to a server of our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    Forbidden,
    InvalidInput,
    NotFound,
)

DEPLOYMENT = Kind("apps/v1", "Deployment")
BODY = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}
ONE = "/apis/apps/v1/namespaces/system/deployments/x"


class Server(ThreadingHTTPServer):
    """Answers with `answers` in their order: (status, body, headers). What it is asked stands in `asked`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.asked: list[tuple[str, str, dict[str, list[str]], Any, str]] = []

    def will_answer(self, status: int, body: Any, **headers: str) -> None:
        self.answers.append((status, body, {name.replace("_", "-"): value for name, value in headers.items()}))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        url = urlsplit(self.path)
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = json.loads(data) if data else None
        self.server.asked.append(
            (self.command, url.path, parse_qs(url.query), sent, self.headers.get("Content-Type", ""))
        )
        status, body, headers = self.server.answers.pop(0)
        payload = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(payload))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    connection = Connection({"host": f"http://127.0.0.1:{server.server_port}", "api_key": "t"}, {})
    yield Api(connection, "system")
    connection.pool.clear()


def test_get(server: Server, api: Api) -> None:
    server.will_answer(200, BODY)
    assert api.get(DEPLOYMENT, "x") == BODY
    assert server.asked == [("GET", ONE, {}, None, "")]


def test_list_fills_in_what_the_server_leaves_out(server: Server, api: Api) -> None:
    server.will_answer(200, {"items": [{"metadata": {"name": "x"}}]})
    assert api.list(DEPLOYMENT, "app=x") == [BODY]
    assert server.asked == [("GET", ONE.removesuffix("/x"), {"labelSelector": ["app=x"]}, None, "")]


@pytest.mark.parametrize("items", [[], None])
def test_an_empty_list(server: Server, api: Api, items: Any) -> None:
    server.will_answer(200, {"items": items})
    assert api.list(DEPLOYMENT) == []


APPLY = {"fieldManager": ["ai_aas.vllm"], "fieldValidation": ["Strict"]}


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, APPLY),
        ({"dry_run": True}, APPLY | {"dryRun": ["All"]}),
        ({"force": True}, APPLY | {"force": ["true"]}),
    ],
)
def test_apply(server: Server, api: Api, options: dict[str, bool], query: dict[str, list[str]]) -> None:
    server.will_answer(201, BODY, Warning='299 - "spec.x: \\"deprecated\\""')
    answer = api.apply(BODY, **options)
    assert (answer.object, answer.created) == (BODY, True)
    assert answer.warnings == ('spec.x: \\"deprecated\\"',)
    assert server.asked == [("PATCH", ONE, query, BODY, "application/apply-patch+yaml")]


def test_replace_is_compare_and_swap(server: Server, api: Api) -> None:
    with pytest.raises(ValueError, match=r"^a replace without resourceVersion would overwrite what others wrote$"):
        api.replace(BODY)
    assert server.asked == []
    read = BODY | {"metadata": {"name": "x", "resourceVersion": "7"}}
    server.will_answer(200, read)
    assert api.replace(read) == read
    assert server.asked == [("PUT", ONE, APPLY, read, "application/json")]


@pytest.mark.parametrize(("version", "more"), [("", {}), ("7", {"resourceVersion": "7"})])
def test_delete_is_of_this_very_object(server: Server, api: Api, version: str, more: dict[str, str]) -> None:
    server.will_answer(200, {"status": "Success"})
    api.delete(DEPLOYMENT, "x", uid="u", resource_version=version)
    ((method, path, _query, body, _type),) = server.asked
    assert (method, path, body["preconditions"]) == ("DELETE", ONE, {"uid": "u"} | more)


def test_an_unknown_kind_costs_one_request_for_its_group(server: Server, api: Api) -> None:
    kind = Kind("example.com/v1", "Policy")
    resources = [
        {"name": "policies/status", "kind": "Policy", "namespaced": True},
        {"name": "policies", "kind": "Policy", "namespaced": True},
    ]
    server.will_answer(200, {"resources": resources})
    server.will_answer(200, {"items": []})
    server.will_answer(200, {"items": []})
    api.list(kind)
    api.list(kind)
    paths = [path for _method, path, *_rest in server.asked]
    assert paths == ["/apis/example.com/v1"] + ["/apis/example.com/v1/namespaces/system/policies"] * 2
    assert api.requests == 3


def test_a_kind_that_its_group_does_not_have(server: Server, api: Api) -> None:
    server.will_answer(200, {"resources": []})
    with pytest.raises(NotFound) as missing:
        api.list(Kind("example.com/v1", "Policy"))
    assert str(missing.value) == "The API server does not know example.com/v1 Policy."
    assert missing.value.kind_missing


def test_a_cluster_scoped_kind_is_refused(server: Server, api: Api) -> None:
    server.will_answer(200, {"resources": [{"name": "policies", "kind": "Policy", "namespaced": False}]})
    with pytest.raises(InvalidInput) as refusal:
        api.list(Kind("example.com/v1", "Policy"))
    assert str(refusal.value) == (
        "Policy is a cluster-scoped kind. A release owns objects of one namespace only. "
        "Create it outside of the release."
    )


def status(message: str, reason: str = "", **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "message": message, "reason": reason, "details": details}


NO_API_SERVER = (
    "What answers for Deployment/x is no Kubernetes API server. It answers with HTTP status 502 and no reason. "
    "Check that the host is the address of an API server."
)
LOG_IN = (
    "The API server at {host} does not accept our credentials. They come from the api_key, and are wrong, expired or "
    "revoked. Log in again, or renew the token or certificate."
)
NOT_ALLOWED = (
    "The API server does not allow Deployment/x. pods is forbidden. Ask for the missing right, or correct the object."
)


@pytest.mark.parametrize(
    ("code", "body", "kind", "message"),
    [
        (
            401,
            status("Unauthorized"),
            Forbidden,
            LOG_IN,
        ),
        (
            403,
            status("pods is forbidden"),
            Forbidden,
            NOT_ALLOWED,
        ),
        (404, status("it is not there"), NotFound, "Not found: Deployment/x. it is not there."),
        (409, status("it has moved"), Conflict, "Conflict: Deployment/x. it has moved."),
        (422, status("spec is wrong"), ApiError, "The API server refuses Deployment/x. spec is wrong."),
        (502, "<html>Bad Gateway</html>", ApiError, NO_API_SERVER),
    ],
)
def test_errors(server: Server, api: Api, code: int, body: Any, kind: type[ApiError], message: str) -> None:
    server.will_answer(code, body)
    with pytest.raises(ApiError) as error:
        api.get(DEPLOYMENT, "x")
    assert (type(error.value), str(error.value), error.value.status) == (
        kind,
        message.format(host=api.connection.host),
        code,
    )


@pytest.mark.parametrize(
    ("details", "namespace", "kind"),
    [
        ({"kind": "namespaces", "name": "system"}, True, False),
        ({"kind": "deployments", "name": "x"}, False, False),
        ({}, False, True),
    ],
)
def test_what_is_not_found(server: Server, api: Api, details: dict[str, str], namespace: bool, kind: bool) -> None:
    server.will_answer(404, status("not found", **details))
    with pytest.raises(NotFound) as error:
        api.get(DEPLOYMENT, "x")
    assert (error.value.namespace_missing, error.value.kind_missing) == (namespace, kind)


@pytest.mark.parametrize(
    ("causes", "ownership"), [([{"reason": "FieldManagerConflict"}], True), ([], False), (None, False)]
)
def test_what_a_conflict_is_about(server: Server, api: Api, causes: Any, ownership: bool) -> None:
    server.will_answer(409, status("conflict", causes=causes))
    with pytest.raises(Conflict) as error:
        api.apply(BODY)
    assert error.value.about_ownership is ownership


def test_a_request_that_was_turned_away_is_sent_again(server: Server, api: Api) -> None:
    server.will_answer(429, status("too many requests"), Retry_After="0")
    server.will_answer(200, BODY)
    assert api.apply(BODY).object == BODY
    assert len(server.asked) == 2


def test_a_redirect_is_not_followed(server: Server, api: Api) -> None:
    server.will_answer(302, "", Location="http://127.0.0.1:1/elsewhere")
    with pytest.raises(ConnectionFailed) as error:
        api.get(DEPLOYMENT, "x")
    assert ". too many redirects. " in str(error.value)
    assert len(server.asked) == 1


def test_what_is_no_json_comes_from_no_api_server(server: Server, api: Api) -> None:
    server.will_answer(200, "<html>Sign in</html>")
    with pytest.raises(ConnectionFailed, match=r"is no Kubernetes API server. Its answer is no JSON. Check"):
        api.get(DEPLOYMENT, "x")


def test_writes_are_counted(server: Server, api: Api) -> None:
    for status in (200, 200, 200, 409):
        server.will_answer(status, {})
    api.get(DEPLOYMENT, "x")
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}
    api.apply(body, dry_run=True)
    api.apply(body)
    with pytest.raises(Conflict):
        api.apply(body)
    assert (api.requests, api.writes) == (4, 1)


def test_requests_are_counted(server: Server, api: Api) -> None:
    for _request in range(20):
        server.will_answer(200, {"items": []})
    assert in_parallel(lambda _number: api.list(DEPLOYMENT), range(20)) == [[]] * 20
    assert (api.requests, len(server.asked)) == (20, 20)


def test_parallel_work_keeps_its_order_and_its_first_error() -> None:
    def work(number: int) -> int:
        if number % 3 == 2:
            raise ValueError(number)
        return number

    assert in_parallel(work, [4, 3, 1]) == [4, 3, 1]
    with pytest.raises(ValueError, match=r"^5$"):
        in_parallel(work, [4, 5, 2])
