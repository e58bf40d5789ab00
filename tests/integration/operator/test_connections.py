# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to say where the API server is and who we are."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace
from ansible_collections.ai_aas.vllm.tests.integration.operator.account import (
    RIGHTS,
    address,
    authority,
    kubeconfig_for,
    token,
)
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import (
    INFO,
    Project,
    Task,
    health,
    info,
    release,
)
from ansible_collections.ai_aas.vllm.tests.integration.operator.tunneling import HttpProxy
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT, play

# Without what `make integration` sets.
BARE = {"K8S_AUTH_KUBECONFIG": "", "HOME": "/nonexistent"}


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[tuple[Namespace, str]]:
    """A namespace and the token of an account that has RIGHTS there, and nothing else."""
    with cluster.namespace() as namespace:
        yield namespace, token(namespace, "deployer", RIGHTS)


@pytest.fixture
def ca(kubeconfig: Path, tmp_path: Path) -> str:
    return str(authority(kubeconfig, tmp_path / "ca.crt"))


def works(project: Project, *tasks: Task, environment: dict[str, str] | None = None, **keywords: Any) -> None:
    run = project.run(*tasks, environment=BARE | (environment or {}), **keywords)
    assert run.succeeded, run.told
    assert run.results, run.told


def test_host_and_token_do_with_the_one_role(
    project: Project, place: tuple[Namespace, str], kubeconfig: Path, ca: str
) -> None:
    namespace, key = place
    options = {"host": address(kubeconfig), "api_key": key, "ca_cert": ca}
    tasks = release(namespace.name, **options), health(namespace.name, **options), info(namespace.name, **options)
    works(project, *tasks, release(namespace.name, state="absent", **options))


def test_the_environment_as_awx_sets_it(
    project: Project, place: tuple[Namespace, str], kubeconfig: Path, ca: str
) -> None:
    namespace, key = place
    environment = {
        "K8S_AUTH_HOST": address(kubeconfig),
        "K8S_AUTH_API_KEY": key,
        "K8S_AUTH_SSL_CA_CERT": ca,
        "K8S_AUTH_VERIFY_SSL": "True",
    }
    works(project, info(namespace.name), environment=environment)
    works(project, info(namespace.name) | {"environment": environment})


def test_certificates_are_not_checked_when_told_so(
    project: Project, place: tuple[Namespace, str], kubeconfig: Path
) -> None:
    namespace, key = place
    options = {"host": address(kubeconfig), "api_key": key, "validate_certs": False}
    run = project.run(info(namespace.name, **options), environment=BARE)
    assert run.succeeded, run.told
    assert "Warning" not in run.stderr


def test_client_certificates(project: Project, kubeconfig: Path, ca: str, tmp_path: Path) -> None:
    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    files = {}
    for option, key in (("client_cert", "client-certificate-data"), ("client_key", "client-key-data")):
        path = tmp_path / option
        path.write_bytes(base64.b64decode(user[key]))
        files[option] = str(path)
    works(project, info("default", host=address(kubeconfig), ca_cert=ca, **files))


def test_kubeconfig_and_context(project: Project, kubeconfig: Path) -> None:
    works(project, info("default", kubeconfig=str(kubeconfig), context="staging"))
    works(project, info("default"), environment={"KUBECONFIG": str(kubeconfig)})
    works(project, info("default") | {"environment": {"KUBECONFIG": str(kubeconfig)}})
    works(project, info("default", kubeconfig=yaml.safe_load(kubeconfig.read_text())))


def test_no_private_key_is_left_behind(project: Project, kubeconfig: Path) -> None:
    # Ansible puts a socket in there, whose path must be short.
    with tempfile.TemporaryDirectory() as folder:
        works(project, info("default", kubeconfig=str(kubeconfig)), environment={"TMPDIR": folder})
        left = [path for path in Path(folder).rglob("*") if path.is_file()]
        assert [path for path in left if b"PRIVATE KEY" in path.read_bytes()] == []


def test_a_credential_plugin(project: Project, place: tuple[Namespace, str], kubeconfig: Path, tmp_path: Path) -> None:
    namespace, key = place
    version = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": key}}
    plugin = {"apiVersion": version, "command": "echo", "args": [json.dumps(answer)], "interactiveMode": "Never"}
    path = kubeconfig_for(kubeconfig, tmp_path / "kubeconfig", {"exec": plugin})
    works(project, info(namespace.name, kubeconfig=str(path)))


def test_a_token_file_is_read_again_when_it_changes(
    place: tuple[Namespace, str], kubeconfig: Path, tmp_path: Path
) -> None:
    namespace, key = place
    path = kubeconfig_for(kubeconfig, tmp_path / "kubeconfig", {"tokenFile": "token"})  # beside the kubeconfig
    file = tmp_path / "token"
    file.write_text("yesterday\n")
    connection = Connection({"kubeconfig": str(path)}, {})
    url = f"/api/v1/namespaces/{namespace.name}/configmaps"
    assert connection.request("GET", url)[0] == 401
    file.write_text(f"{key}\n")
    assert connection.request("GET", url)[0] == 200


def test_the_account_of_the_pod(project: Project, place: tuple[Namespace, str], kubeconfig: Path, ca: str) -> None:
    """In a mount namespace of its own, in which the files of a pod's account are where a pod has them."""
    namespace, key = place
    host, port = address(kubeconfig).removeprefix("https://").split(":")
    (project.folder / "token").write_text(key)
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = (
        f"mkdir -p /var/run/secrets && mount -t tmpfs tmpfs /var/run/secrets && mkdir -p {account} && "
        f"cp {project.folder}/token {account}/token && cp {ca} {account}/ca.crt && "
        f"ansible-playbook -i {project.folder}/hosts.yml {project.write(info(namespace.name))}"
    )
    environment = os.environ | BARE | {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    command = ["unshare", "-m", "sh", "-ec", script]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("source", ["option", "kubeconfig", "environment"])
def test_a_proxy(project: Project, place: tuple[Namespace, str], kubeconfig: Path, tmp_path: Path, source: str) -> None:
    """Requests and port-forwards go through it, with its password."""
    namespace, key = place
    with HttpProxy("user:secret") as proxy:
        cluster = {"proxy-url": proxy.url} if source == "kubeconfig" else {}
        path = kubeconfig_for(kubeconfig, tmp_path / "kubeconfig", {"token": key}, **cluster)
        options: dict[str, Any] = {"kubeconfig": str(path)}
        if source == "option":
            options |= {"proxy": proxy.address, "proxy_headers": {"proxy_basic_auth": "user:secret"}}
        environment = {"HTTPS_PROXY": proxy.url} if source == "environment" else {}
        tasks = release(namespace.name, **options), health(namespace.name, **options)
        works(project, *tasks, release(namespace.name, state="absent", **options), environment=environment)
        assert len(proxy.connects) > 5
        assert set(proxy.connects) == {address(kubeconfig).removeprefix("https://")}


def test_no_proxy(project: Project, kubeconfig: Path) -> None:
    environment = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "example.org,127.0.0.0/8"}
    works(project, info("default", kubeconfig=str(kubeconfig)), environment=environment)
    works(project, info("default", kubeconfig=str(kubeconfig), proxy="http://127.0.0.1:1", no_proxy="127.0.0.1"))


def test_module_defaults_of_the_group(project: Project, kubeconfig: Path) -> None:
    """One play serves two clusters: each host has its own, by module_defaults."""
    hosts = {name: {"ansible_connection": "local", "my_kubeconfig": str(kubeconfig)} for name in ("a", "b")}
    hosts["b"]["my_kubeconfig"] = "/nonexistent/kubeconfig"
    project.inventory = {"all": {"hosts": hosts}}
    defaults = {"group/ai_aas.vllm.vllm": {"kubeconfig": "{{ my_kubeconfig }}", "namespace": "default"}}
    path = project.write({INFO: {}, "ignore_errors": True}, module_defaults=defaults)
    run = project.play(path, environment=BARE)
    assert {each["host"]: each["status"] for each in run.results} == {"a": "ok", "b": "failed"}
    (failed,) = [each["result"]["msg"] for each in run.results if each["host"] == "b"]
    assert "There is no file /nonexistent/kubeconfig." in failed


def test_one_play_serves_two_clusters(project: Project, kubeconfig: Path, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with (
        cluster.namespace() as namespace,
        Proxy(kubeconfig, tmp_path / "one") as one,
        Proxy(kubeconfig, tmp_path / "two") as two,
    ):
        hosts = {
            name: {"ansible_connection": "local", "where": str(proxy.kubeconfig)}
            for name, proxy in (("a", one), ("b", two))
        }
        project.inventory = {"all": {"hosts": hosts}}
        works(project, info(namespace.name, kubeconfig="{{ where }}"))
        for proxy in (one, two):
            assert [request.path for request in proxy.requests] == [f"/api/v1/namespaces/{namespace.name}/configmaps"]


def test_the_role_of_the_readme_is_enough(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    """Without its optional rules: for every playbook, with the objects of the role."""
    readme = (CHECKOUT / "README.md").read_text()
    (role,) = re.findall(r"```yaml\n(apiVersion: rbac\S*\nkind: Role\n.*?)```", readme, re.DOTALL)
    rules = yaml.safe_load(role.partition("  # Optional")[0])["rules"]
    with cluster.namespace() as namespace:
        key = token(namespace, "deployer", rules)
        path = kubeconfig_for(kubeconfig, tmp_path / "kubeconfig", {"token": key})
        placed = {"vllm_deploy_namespace": namespace.name}
        for name, more in (
            ("preflight", {}),
            ("deploy", {}),
            ("deploy", {"vllm_deploy_model_revision": "other"}),
            *((name, {}) for name in ("status", "history", "verify", "rollback", "remove")),
        ):
            environment = {"K8S_AUTH_KUBECONFIG": str(path)}
            run = play(f"ai_aas.vllm.{name}", "--limit", "one", variables=placed | more, environment=environment)
            assert run.succeeded, run.told
