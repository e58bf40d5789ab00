# SPDX-License-Identifier: GPL-3.0-or-later
"""From options, environment and kubeconfig to an API server and who we are there."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection, effective, names_cluster
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed

Options = dict[str, Any]


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"context": None, "host": None}, {}, {}, id="None is nothing"),
        pytest.param({"context": "a"}, {}, {"context": "a"}, id="an option"),
        pytest.param({}, {"K8S_AUTH_CONTEXT": "b"}, {"context": "b"}, id="the environment"),
        pytest.param({"context": "a"}, {"K8S_AUTH_CONTEXT": "b"}, {"context": "a"}, id="the option wins"),
        pytest.param({}, {"K8S_AUTH_CONTEXT": ""}, {}, id="empty in the environment is nothing"),
        pytest.param(
            {"validate_certs": False}, {"K8S_AUTH_VERIFY_SSL": "yes"}, {"validate_certs": False}, id="False is set"
        ),
        pytest.param({}, {"K8S_AUTH_VALIDATE_CERTS": "no"}, {"validate_certs": False}, id="a switch"),
        pytest.param({}, {"K8S_AUTH_VERIFY_SSL": "False"}, {"validate_certs": False}, id="by its other name"),
        pytest.param({}, {"K8S_AUTH_VERIFY_SSL": "0"}, {"validate_certs": False}, id="as a number"),
        pytest.param({}, {"K8S_AUTH_VERIFY_SSL": "true"}, {"validate_certs": True}, id="switched on"),
        pytest.param({}, {"K8S_AUTH_SSL_CA_CERT": "/ca"}, {"ca_cert": "/ca"}, id="the CA as AWX names it"),
        pytest.param({}, {"K8S_AUTH_CA_CERT": "/ca"}, {"ca_cert": "/ca"}, id="the CA by its own name"),
        pytest.param(
            {}, {"K8S_AUTH_CERT_FILE": "/c", "K8S_AUTH_KEY_FILE": "/k"}, {"client_cert": "/c", "client_key": "/k"}
        ),
        pytest.param(
            {},
            {"K8S_AUTH_IMPERSONATE_GROUPS": "a,b,", "K8S_AUTH_IMPERSONATE_USER": "ann"},
            {"impersonate_groups": ["a", "b"], "impersonate_user": "ann"},
            id="groups are a list",
        ),
        pytest.param({}, {"KUBECONFIG": "/x", "HOST": "y", "K8S_AUTH_OTHER": "z"}, {}, id="not ours"),
        pytest.param({"name": "x", "namespace": "y"}, {}, {}, id="other options"),
    ],
)
def test_effective(options: Options, environ: dict[str, str], expected: Options) -> None:
    assert effective(options, environ) == expected


@pytest.mark.parametrize(
    ("options", "environ", "named"),
    [
        ({}, {}, False),
        ({"kubeconfig": "/x"}, {"K8S_AUTH_KUBECONFIG": "/y", "KUBECONFIG": "/z"}, False),
        ({"context": "a"}, {}, True),
        ({"host": "https://a"}, {}, True),
        ({}, {"K8S_AUTH_CONTEXT": "a"}, True),
        ({}, {"K8S_AUTH_HOST": "https://a"}, True),
        ({}, {"K8S_AUTH_HOST": ""}, False),
    ],
)
def test_names_cluster(options: Options, environ: dict[str, str], named: bool) -> None:
    assert names_cluster(options, environ) is named


HOST = {"host": "https://cluster.example:6443/"}
TOKEN = {"api_key": "t"}
BEARER = ("Authorization", "Bearer t")


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        pytest.param(TOKEN, [BEARER], id="a token"),
        pytest.param({"username": "ann", "password": "pw"}, [("Authorization", "Basic YW5uOnB3")], id="a password"),
        pytest.param(TOKEN | {"impersonate_user": "bob"}, [("Impersonate-User", "bob"), BEARER], id="as another user"),
        pytest.param(
            TOKEN | {"impersonate_user": "bob", "impersonate_groups": ["a", "b"]},
            [("Impersonate-User", "bob"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"), BEARER],
            id="with groups",
        ),
    ],
)
def test_who_we_are(options: Options, headers: list[tuple[str, str]]) -> None:
    connection = Connection(HOST | options, {})
    assert connection.host == "https://cluster.example:6443"
    assert connection.identity() == headers


def kubeconfig(folder: Path, **changes: Any) -> Path:
    cluster = {"name": "c", "cluster": {"server": "https://first.example"}}
    other = {"name": "d", "cluster": {"server": "https://second.example"}}
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "first",
        "clusters": [cluster, other],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [
            {"name": "first", "context": {"cluster": "c", "user": "u"}},
            {"name": "second", "context": {"cluster": "d", "user": "u"}},
        ],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content | changes))
    return path


@pytest.mark.parametrize(
    ("options", "host", "header"),
    [
        pytest.param({}, "https://first.example", BEARER, id="the current context"),
        pytest.param({"context": "second"}, "https://second.example", BEARER, id="a context"),
        pytest.param({"host": "https://third.example"}, "https://third.example", BEARER, id="another host"),
        pytest.param({"api_key": "s"}, "https://first.example", ("Authorization", "Bearer s"), id="another token"),
    ],
)
def test_a_kubeconfig(tmp_path: Path, options: Options, host: str, header: tuple[str, str]) -> None:
    path = kubeconfig(tmp_path)
    sources: list[tuple[Options, dict[str, str]]] = [
        ({"kubeconfig": str(path)}, {"KUBECONFIG": "/nowhere"}),
        ({"kubeconfig": yaml.safe_load(path.read_text())}, {}),
        ({}, {"K8S_AUTH_KUBECONFIG": str(path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}),
        ({}, {"KUBECONFIG": str(path)}),
    ]
    for source, environ in sources:
        connection = Connection(source | options, environ)
        assert (connection.host, connection.identity()) == (host, [header])


NOT_CONFIGURED = (
    "The connection to Kubernetes is not configured. {}. "
    "Name a kubeconfig and a context, or a host and an api_key (options, or K8S_AUTH_* in the environment)."
)


def failure(options: Options) -> str:
    with pytest.raises(ConnectionFailed) as failed:
        Connection(options, {})
    return str(failed.value)


@pytest.mark.parametrize(
    ("content", "context", "why"),
    [
        pytest.param(None, None, "Invalid kube-config file. No configuration found", id="missing"),
        pytest.param("", None, "Invalid kube-config. {path} file is empty", id="empty"),
        pytest.param("clusters: [}", None, "while parsing a flow node", id="no YAML"),
        pytest.param(
            "apiVersion: v1\nkind: Config\ncontexts: []\n",
            None,
            "Invalid kube-config file. Expected key current-context in {path}",
            id="no current context",
        ),
        pytest.param(
            "current-context: a\ncontexts: []\n",
            "b",
            "Invalid kube-config file. Expected object with name b in {path}/contexts list",
            id="no such context",
        ),
    ],
)
def test_a_kubeconfig_that_does_not_do(tmp_path: Path, content: str | None, context: str | None, why: str) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    message = failure({"kubeconfig": str(path), "context": context})
    assert message == NOT_CONFIGURED.format(why.format(path=path))


def test_a_cluster_that_cannot_be_reached() -> None:
    with pytest.raises(ConnectionFailed) as failed:
        Connection({"host": "http://127.0.0.1:1", **TOKEN}, {}).request("PATCH", "/")
    assert str(failed.value) == (
        "The API server at http://127.0.0.1:1 cannot be reached. [Errno 111] Connection refused. "
        "Check the context or host, the network and the proxy."
    )


@pytest.mark.parametrize(
    ("options", "mode", "names_checked"),
    [({}, ssl.CERT_REQUIRED, True), ({"validate_certs": False}, ssl.CERT_NONE, False)],
)
def test_certificates_are_checked_unless_told_otherwise(
    options: Options, mode: ssl.VerifyMode, names_checked: bool
) -> None:
    tls = Connection(HOST | TOKEN | options, {}).tls
    assert (tls.verify_mode, tls.check_hostname) == (mode, names_checked)
    assert not tls.verify_flags & ssl.VERIFY_X509_STRICT


@pytest.mark.parametrize(
    ("options", "proxy"),
    [
        ({}, {"http_no_proxy": ["*"]}),
        (
            {"proxy": "http://proxy.example:3128"},
            {"http_proxy_host": "proxy.example", "http_proxy_port": 3128, "proxy_type": "http"},
        ),
        ({"proxy": "http://proxy.example:3128", "no_proxy": "other,.example"}, {"http_no_proxy": ["*"]}),
        ({"proxy": "http://proxy.example:3128", "no_proxy": "*"}, {"http_no_proxy": ["*"]}),
    ],
)
def test_the_proxy_of_a_tunnel(options: Options, proxy: Options) -> None:
    assert Connection(HOST | TOKEN | options, {}).websocket_proxy() == proxy
