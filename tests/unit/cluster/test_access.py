# SPDX-License-Identifier: GPL-3.0-or-later
"""From options, environment and kubeconfig to an API server, and to who we are there."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.access import Access, expiry
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed

Options = dict[str, Any]
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
    access = Access(HOST | options, {})
    assert access.host == "https://cluster.example:6443"
    assert access.headers() == headers


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
        access = Access(source | options, environ)
        assert (access.host, access.headers()) == (host, [header])


CHOICES = "Name a kubeconfig and a context, or a host and an api_key (options, or K8S_AUTH_* in the environment)."


def failure(options: Options) -> str:
    with pytest.raises(ConnectionFailed) as failed:
        Access(options, {})
    return str(failed.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            None, f"The connection to Kubernetes is not configured. There is no file {{path}}. {CHOICES}", id="missing"
        ),
        pytest.param(
            "",
            f"The kubeconfig {{path}} cannot be read. Invalid kube-config. {{path}} file is empty. {CHOICES}",
            id="empty",
        ),
        pytest.param(
            "clusters:\n- secret: [}",
            "The kubeconfig {path} cannot be read. "
            "It is not YAML: expected the node content, but found '}}' at line 2. Correct the file.",
            id="no YAML",
        ),
        pytest.param(
            "[]",
            "The kubeconfig {path} cannot be read. It is no kubeconfig. Name another file, or correct it.",
            id="another document",
        ),
        pytest.param(
            "contexts: []",
            "The kubeconfig {path} cannot be used. Invalid kube-config file. Expected key current-context in {path}. "
            + CHOICES,
            id="no current context",
        ),
    ],
)
def test_a_kubeconfig_that_does_not_do(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    assert failure({"kubeconfig": str(path)}) == message.format(path=path)


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path)
    assert failure({"kubeconfig": str(path), "context": "third"}) == (
        f"There is no context 'third'. The kubeconfig {path} has first, second. "
        "Choose one of them, or correct the kubeconfig."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"ca_cert": "/nowhere"},
            "The CA certificate /nowhere cannot be used. No such file or directory. Correct the path or the file.",
        ),
        (
            {"client_cert": "/nowhere"},
            "The client certificate /nowhere cannot be used. No such file or directory. Correct the path or the file.",
        ),
        (
            {"ca_cert": __file__},
            (
                f"The CA certificate {__file__} cannot be used. It is no PEM file, or its key does not belong to it. "
                "Correct the path or the file."
            ),
        ),
        (
            {"host": "cluster.example"},
            "'cluster.example' is no address of an API server. It has no scheme. Write it as https://name:port.",
        ),
    ],
)
def test_options_that_do_not_do(options: Options, message: str) -> None:
    assert failure(HOST | TOKEN | options) == message


def with_user(folder: Path, **user: Any) -> str:
    return str(kubeconfig(folder, users=[{"name": "u", "user": user}]))


def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    access = Access({"kubeconfig": with_user(tmp_path, tokenFile="token")}, {})
    assert access.headers() == [("Authorization", "Bearer one")]
    token.write_text("two")
    assert access.headers() == [("Authorization", "Bearer two")]
    token.unlink()
    with pytest.raises(ConnectionFailed) as failed:
        access.headers()
    assert str(failed.value) == (
        f"The token file {token} cannot be read. No such file or directory: {token}. Correct the path or the file."
    )


@pytest.mark.parametrize("token", ["t\nu", "tö", "t\x00"])
def test_a_token_that_cannot_be_sent_is_not_shown(token: str) -> None:
    with pytest.raises(ConnectionFailed) as failed:
        Access(HOST | {"api_key": token}, {}).headers()
    assert str(failed.value) == (
        "The token cannot be sent. It comes from the api_key, and holds characters that no token has, such as a line "
        "break. Give the token alone."
    )


def plugin(folder: Path, script: str) -> str:
    command = folder / "plugin"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    api = "client.authentication.k8s.io/v1"
    return with_user(folder, exec={"apiVersion": api, "command": str(command), "interactiveMode": "Never"})


def test_a_credential_plugin_gives_the_token(tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from the plugin"},
    }
    access = Access({"kubeconfig": plugin(tmp_path, f"echo '{json.dumps(credential)}'")}, {})
    assert access.headers() == [("Authorization", "Bearer from the plugin")]


def test_a_credential_plugin_that_fails_is_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = plugin(tmp_path, "echo 'session expired' >&2; exit 3")
    message = failure({"kubeconfig": path})
    assert message == (
        f"The credential plugin '{tmp_path}/plugin' of context 'first' of the kubeconfig {path} failed. "
        "It says: process returned 3. session expired. "
        "Log in again the way it wants, or run it by hand to see what it lacks."
    )
    assert caplog.records


def jwt(**claims: Any) -> str:
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"


@pytest.mark.parametrize(
    ("authorization", "expired"),
    [
        (f"Bearer {jwt(exp=1700000000)}", "2023-11-14T22:13:20Z"),
        (f"Bearer {jwt(exp=9999999999)}", ""),
        (f"Bearer {jwt()}", ""),
        (f"Bearer {jwt(exp='soon')}", ""),
        ("Bearer a.b.c", ""),
        ("Bearer opaque", ""),
        ("", ""),
    ],
)
def test_when_a_token_ran_out(authorization: str, expired: str) -> None:
    assert expiry(authorization) == expired


@pytest.mark.parametrize(
    ("api_key", "why"),
    [
        ("opaque", "They come from the api_key, and are wrong, expired or revoked"),
        (jwt(exp=1700000000), "They come from the api_key, and the token expired at 2023-11-14T22:13:20Z"),
    ],
)
def test_credentials_that_are_not_accepted(api_key: str, why: str) -> None:
    assert str(Access(HOST | {"api_key": api_key}, {}).rejected()) == (
        f"The API server at https://cluster.example:6443 does not accept our credentials. {why}. "
        "Log in again, or renew the token or certificate."
    )


def test_no_credentials_at_all(tmp_path: Path) -> None:
    path = with_user(tmp_path)
    assert str(Access({"kubeconfig": path}, {}).rejected()) == (
        "The API server at https://first.example does not accept our credentials. "
        f"There are none in context 'first' of the kubeconfig {path}. Log in again, or renew the token or certificate."
    )


@pytest.mark.parametrize(
    ("options", "mode", "names_checked"),
    [({}, ssl.CERT_REQUIRED, True), ({"validate_certs": False}, ssl.CERT_NONE, False)],
)
def test_certificates_are_checked_unless_told_otherwise(
    options: Options, mode: ssl.VerifyMode, names_checked: bool
) -> None:
    tls = Access(HOST | TOKEN | options, {}).tls
    assert (tls.verify_mode, tls.check_hostname) == (mode, names_checked)
    assert not tls.verify_flags & ssl.VERIFY_X509_STRICT
