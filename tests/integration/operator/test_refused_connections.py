# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said when the API server cannot be reached, or does not let us: the whole message, and nothing secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.operator.account import (
    RIGHTS,
    address,
    authority,
    expired,
    kubeconfig_for,
    token,
)
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import Project, info, release

NOWHERE = "https://127.0.0.1:1"
PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}
GO_ON = "Name a kubeconfig and a context, or a host and an api_key (options, or K8S_AUTH_* in the environment)."


@pytest.fixture
def options(kubeconfig: Path, tmp_path: Path) -> dict[str, Any]:
    """An address and an authority, without credentials."""
    return {"host": address(kubeconfig), "ca_cert": str(authority(kubeconfig, tmp_path / "ca.crt"))}


def test_an_api_server_that_is_not_there(project: Project) -> None:
    assert project.message(info("nowhere", host=NOWHERE, api_key="secret-token")) == (
        f"The API server at {NOWHERE} cannot be reached. Connection refused. "
        "Check the context or host, the network and the proxy."
    )


def test_a_name_that_nobody_knows(project: Project) -> None:
    assert project.message(info("nowhere", host="https://nowhere.invalid", api_key="secret-token")) == (
        "The API server at https://nowhere.invalid cannot be reached. Its name cannot be resolved. "
        "Check the context or host, the network and the proxy."
    )


def test_an_authority_that_nobody_trusts(project: Project, kubeconfig: Path) -> None:
    host = address(kubeconfig)
    assert project.message(info("default", host=host, api_key="secret-token")) == (
        f"The API server at {host} cannot be trusted. "
        "Its certificate was refused: unable to get local issuer certificate. "
        "Name the certificate of its authority as ca_cert, or correct the host."
    )


def test_a_proxy_that_is_not_there(project: Project, options: dict[str, Any]) -> None:
    task = info("default", **options, api_key="secret-token", proxy="http://user:secret@127.0.0.1:1")
    assert project.message(task) == (
        f"The proxy http://127.0.0.1:1 does not lead to the API server at {options['host']}. Connection refused. "
        "Correct proxy, proxy_headers or no_proxy."
    )


def test_what_answers_is_no_api_server(project: Project, kubeconfig: Path) -> None:
    host = address(kubeconfig).replace("https", "http")
    assert project.message(info("default", host=host, api_key="secret-token")) == (
        "What answers for the list of ConfigMaps is no Kubernetes API server. "
        "It answers with HTTP status 400 and no reason. Check that the host is the address of an API server."
    )


def test_no_such_context(project: Project, kubeconfig: Path) -> None:
    assert project.message(info("default", context="nowhere")) == (
        f"There is no context 'nowhere'. The kubeconfig {kubeconfig} has development, production, staging. "
        "Choose one of them, or correct the kubeconfig."
    )


def test_the_role_names_its_variable_for_the_context(project: Project, kubeconfig: Path) -> None:
    task = info("default", context="nowhere", setting_names={"cluster": "vllm_deploy_context"})
    assert project.message(task) == (
        f"There is no context 'nowhere'. The kubeconfig {kubeconfig} has development, production, staging. "
        "Choose one of them, or correct the kubeconfig (vllm_deploy_context)."
    )


def test_no_kubeconfig(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "missing"
    assert project.message(info("default", kubeconfig=str(path))) == (
        f"The connection to Kubernetes is not configured. There is no file {path}. {GO_ON}"
    )


def test_a_kubeconfig_that_is_no_yaml(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("users:\n- token: [secret-token\n- :")
    assert project.message(info("default", kubeconfig=str(path))) == (
        f"The kubeconfig {path} cannot be read. It is not YAML: expected ',' or ']', but got ':' at line 3. "
        "Correct the file."
    )


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            {"command": "sh", "args": ["-c", "echo 'The session is over. Run: cloud login' >&2; exit 3"]},
            "process returned 3. The session is over. Run: cloud login.",
        ),
        ({"command": "no-such-plugin"}, "No such file or directory: 'no-such-plugin'."),
        (
            {"command": "echo", "args": ["hello"]},
            "failed to decode process output: Expecting value: line 1 column 1 (char 0).",
        ),
    ],
)
def test_a_credential_plugin_that_fails(
    project: Project, kubeconfig: Path, tmp_path: Path, plugin: dict[str, Any], said: str
) -> None:
    path = kubeconfig_for(kubeconfig, tmp_path / "kubeconfig", {"exec": PLUGIN | plugin})
    assert project.message(info("default", kubeconfig=str(path))) == (
        f"The credential plugin '{plugin['command']}' of context 'development' of the kubeconfig {path} failed. "
        f"It says: {said} Log in again the way it wants, or run it by hand to see what it lacks."
    )


def test_an_expired_token(project: Project, namespace: Namespace, options: dict[str, Any]) -> None:
    old = expired(token(namespace, "late", RIGHTS))
    message = project.message(info(namespace.name, **options, api_key=old))
    head, end = message.rsplit(" expired at ", 1)
    assert head == (
        f"The API server at {options['host']} does not accept our credentials. "
        "They come from the api_key, and the token"
    )
    assert end[19:] == "Z. Log in again, or renew the token or certificate."


def test_a_token_that_is_none(project: Project, options: dict[str, Any]) -> None:
    assert project.message(info("default", **options, api_key="secret-token")) == (
        f"The API server at {options['host']} does not accept our credentials. "
        "They come from the api_key, and are wrong, expired or revoked. "
        "Log in again, or renew the token or certificate."
    )


def test_a_token_with_a_line_break(project: Project, options: dict[str, Any]) -> None:
    assert project.message(info("default", **options, api_key="secret\ntoken")) == (
        "The token cannot be sent. "
        "It comes from the api_key, and holds characters that no token has, such as a line break. Give the token alone."
    )


def test_no_credentials(project: Project, kubeconfig: Path, tmp_path: Path) -> None:
    path = kubeconfig_for(kubeconfig, tmp_path / "kubeconfig", {})
    assert project.message(info("default", kubeconfig=str(path))) == (
        "The API server does not allow the list of ConfigMaps. It found no credentials in the request. "
        "Name a context or an api_key that says who you are."
    )


@pytest.mark.parametrize(
    ("missing", "verb", "allow", "lacks"),
    [
        ("configmaps", "get", "ConfigMap/vllm-release-small", "resource 'configmaps'"),
        ("services", "list", "the list of Services", "resource 'services'"),
        ("deployments", "patch", "Deployment/small", "resource 'deployments' of API group 'apps'"),
    ],
)
def test_a_missing_right(
    project: Project, namespace: Namespace, options: dict[str, Any], missing: str, verb: str, allow: str, lacks: str
) -> None:
    rules = [
        rule
        | {"resources": [resource], "verbs": [each for each in rule["verbs"] if (resource, each) != (missing, verb)]}
        for rule in RIGHTS
        for resource in rule["resources"]
    ]
    key = token(namespace, "helper", rules)
    account = f"system:serviceaccount:{namespace.name}:helper"
    assert project.message(release(namespace.name, **options, api_key=key)) == (
        f"The API server does not allow {allow}. "
        f"The account '{account}' cannot {verb} {lacks} in namespace '{namespace.name}'. "
        f"Add the verb {verb} on {missing} to a Role of that account."
    )
    assert namespace.list("services") == []


def test_the_right_to_a_port_forward(project: Project, namespace: Namespace, options: dict[str, Any]) -> None:
    rules = [rule for rule in RIGHTS if rule["resources"] != ["pods/portforward"]]
    assert project.run(release(namespace.name)).succeeded
    key = token(namespace, "helper", rules)
    (pod,) = namespace.pods()
    message = project.message(
        {"ai_aas.vllm.vllm_health": {"name": "small", "namespace": namespace.name, **options, "api_key": key}}
    )
    assert message == (
        f"The API server does not allow a port-forward into {pod['metadata']['name']}. "
        "It needs the verbs get and create on pods/portforward. Add them to a Role of this account."
    )
