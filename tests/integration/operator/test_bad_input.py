# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about input that cannot be meant: the whole message, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.operator.project import RELEASE, SERVER, Project, release
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT, DEPLOY, play

Object = dict[str, Any]
DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "small"},
    "spec": {
        "selector": {"matchLabels": {"app": "small"}},
        "template": {
            "metadata": {"labels": {"app": "small"}},
            "spec": {"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.33.0"}]},
        },
    },
}
SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "small"},
    "spec": {"selector": {"app": "small"}, "ports": [{"name": "http", "port": 8000}]},
}
SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "key"},
    "stringData": {"k": "secret-token"},
}


def container(**changes: Any) -> Object:
    body: Object = DEPLOYMENT | {"spec": DEPLOYMENT["spec"] | {}}
    pod = {"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.33.0"} | changes]}
    body["spec"]["template"] = DEPLOYMENT["spec"]["template"] | {"spec": pod}
    return body


def named(body: Object, name: str, **more: Any) -> Object:
    return body | {"metadata": {"name": name} | more}


@pytest.fixture
def refused(project: Project, namespace: Namespace, proxy: Proxy) -> Callable[..., str]:
    """The message about a definition, or other options; with nothing written."""

    def message(*definition: Object, **options: Any) -> str:
        wanted = {"definition": list(definition)} if definition else {"template": [SERVER]}
        task = {RELEASE: {"name": "small", "namespace": namespace.name} | wanted | options}
        told = project.message(task, environment={"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)})
        assert proxy.writes() == []
        return told.replace(namespace.name, "NAMESPACE")

    return message


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        pytest.param(
            [SECRET, SERVICE],
            "Secret/key: a release is recorded, and a record must not hold a secret. "
            "Create the Secret with kubernetes.core, External Secrets or Vault, and refer to it by name.",
            id="a Secret",
        ),
        pytest.param(
            [container(env=[{"name": "HF_TOKEN", "value": "secret-token"}])],
            "Deployment/small sets HF_TOKEN to a literal value: "
            "a release is recorded, and a record must not hold a secret. "
            "Take it from a Secret with valueFrom.secretKeyRef.",
            id="a literal credential",
        ),
        pytest.param(
            [SERVICE, SERVICE],
            "Service/small is there twice: the second would overwrite the first. Leave one out.",
            id="two objects with one id",
        ),
        pytest.param(
            [named(SERVICE, "small", namespace="other")],
            "Service/small: it belongs to namespace 'other', the release to 'NAMESPACE'. "
            "Leave metadata.namespace out, or make it a release of its own.",
            id="another namespace",
        ),
        pytest.param(
            [named(SERVICE, "Small_Service")],
            "Service/Small_Service has a name that Kubernetes does not take: "
            "the name of a Service has a letter first, then letters, digits and '-', at most 63 in all. "
            "Choose another name.",
            id="a name that Kubernetes does not take",
        ),
        pytest.param(
            [named(SERVICE, "7-small")],
            "Service/7-small has a name that Kubernetes does not take: "
            "the name of a Service has a letter first, then letters, digits and '-', at most 63 in all. "
            "Choose another name.",
            id="a Service that begins with a digit",
        ),
        pytest.param(
            [container(resources={"requests": {"memory": "24 gigs"}})],
            "'24 gigs' is no quantity: it is the request for memory in the container 'vllm' of Deployment/small. "
            "Write it as a number with a unit that Kubernetes knows, such as 24Gi or 500m.",
            id="a quantity that is none",
        ),
        pytest.param(
            [{"kind": "Service"}],
            "An entry is no Kubernetes object: it has no apiVersion and kind. Correct the template it comes from.",
            id="no object",
        ),
        pytest.param(
            ["text"],
            "An entry is no Kubernetes object: it has no apiVersion and kind. Correct the template it comes from.",
            id="text",
        ),
    ],
)
def test_a_definition(refused: Callable[..., str], definition: list[Object], message: str) -> None:
    assert refused(*definition) == f"small cannot be released. {message}"


def test_a_field_that_does_not_exist(refused: Callable[..., str]) -> None:
    assert refused(container(imagePullPolice="Always")) == (
        "The API server does not take Deployment/small. "
        "failed to create typed patch object (NAMESPACE/small; apps/v1, Kind=Deployment): "
        '.spec.template.spec.containers[name="vllm"].imagePullPolice: field not declared in schema. '
        "Correct the definition."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "apiVersion: v1\nmetadata:\n  name: [small\n",
            "does not render to YAML. Did not find expected ',' or ']' in line 4 of what it renders to. "
            "Correct the template, or the variable that stands there.",
            id="no YAML",
        ),
        pytest.param(
            "apiVersion: v1\nmetadata:\n  name: {{ nobody_knows }}\n",
            "cannot be rendered. Line 3: 'nobody_knows' is undefined. Define it.",
            id="an undefined variable",
        ),
        pytest.param(
            "apiVersion: v1\n{% if %}\n",
            "cannot be rendered. "
            "Line 2: Syntax error in template: Expected an expression, got 'end of statement block'. "
            "Correct the template.",
            id="no template",
        ),
    ],
)
def test_a_template(project: Project, text: str, message: str) -> None:
    path = project.template("wrong.yml.j2", text)
    assert project.message(release("default", template=["wrong.yml.j2"])) == f"The template {path} {message}"


def test_a_template_that_is_not_there(project: Project) -> None:
    assert project.message(release("default", template=["missing.yml.j2"])) == (
        f"There is no template missing.yml.j2. It was looked for in {project.folder}/templates. Correct the path."
    )


def test_template_and_definition(project: Project) -> None:
    assert project.message(release("default", definition=[])) == (
        "Both template and definition are given. They exclude each other. Leave one out."
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"state": "gone"}, "Value of state must be one of: present, absent, got: gone"),
        ({"stat": "present", "nam": "x"}, "There is no option nam, stat"),
        ({"verification": {"promt": "x"}}, "There is no option verification.promt"),
        ({"name": None}, "Missing required arguments: name"),
        pytest.param(
            {"wait_timeout": "long"},
            "Argument 'wait_timeout' is of type str and we were unable to convert to int: "
            "\"'long'\" cannot be converted to an int",
            id="a word for a number",
        ),
    ],
)
def test_options_of_the_module(project: Project, options: dict[str, Any], why: str) -> None:
    assert project.message(release("default", **options)) == (
        f"The options of {RELEASE} are not valid. {why}. Correct them; ansible-doc {RELEASE} tells what they are."
    )


def test_async(project: Project) -> None:
    task = release("default") | {"async": 60, "poll": 0}
    assert project.message(task) == (
        f"{RELEASE} does not run in the background. It ends with the playbook that started it, so that nothing changes "
        "a server unseen. Leave async out; hosts are worked on side by side without it."
    )


# --- the role


def role_message(proxy: Proxy, *options: str, inventory: Path | None = None, **variables: Any) -> str:
    run = play(
        DEPLOY,
        *(*options, "--limit", "one" if inventory is None else "llama-2-7b"),
        variables=variables,
        environment={"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)},
        **({"inventory": inventory} if inventory else {}),
    )
    assert not run.succeeded, run.told
    assert "Traceback" not in run.told
    assert proxy.writes() == []
    (result,) = [each["result"] for each in run.results if each["status"] == "failed"]
    return str(result["msg"])


def test_an_unknown_variable(proxy: Proxy) -> None:
    assert role_message(proxy, vllm_deploy_replcas=3) == (
        "The role vllm_deploy has no variable vllm_deploy_replcas (is it vllm_deploy_replicas?). "
        "Nothing was done, because what a misspelt variable was meant to change would silently keep its default. "
        "Correct or remove it; the README of the role lists what there is."
    )


def test_a_wrong_value(proxy: Proxy) -> None:
    assert role_message(proxy, vllm_deploy_state="gone") == (
        "The variables of the role vllm_deploy are not valid. "
        "Value of vllm_deploy_state must be one of: present, absent, got: gone. "
        "Correct them; the README of the role lists what they are."
    )


def test_a_list_as_a_string(proxy: Proxy) -> None:
    assert role_message(proxy, "-e", "vllm_deploy_extra_args=--enforce-eager") == (
        "vllm_deploy_extra_args must be a list or a dictionary and is a string. "
        "The command line makes a string of every -e name=value. "
        "Set it in the inventory, or give it as JSON: -e '{\"vllm_deploy_extra_args\": …}'."
    )


def test_two_inventories(proxy: Proxy) -> None:
    development, production = (CHECKOUT / "inventories" / name for name in ("development", "production"))
    assert role_message(proxy, "-i", str(production), inventory=development) == (
        f"This run mixes {development}/group_vars/vllm.yml and {production}/group_vars/vllm.yml. "
        "Both have the same hosts and group, and the last one would silently win for all of them. "
        "Run one environment after the other."
    )


def test_a_namespace_that_is_not_there(proxy: Proxy) -> None:
    assert role_message(proxy, vllm_deploy_namespace="no-such-namespace") == (
        "There is no namespace 'no-such-namespace'. A release does not create its namespace unless it is told to. "
        "Create it, correct the name, or let the release create it (vllm_deploy_namespace_create)."
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param(
            {"vllm_deploy_memory_limit": "lots"},
            "one-test cannot be released. "
            "'lots' is no quantity: it is the limit for memory in the container 'vllm' of Deployment/one-test. "
            "Write it as a number with a unit that Kubernetes knows, such as 24Gi or 500m (vllm_deploy_memory_limit).",
            id="a quantity",
        ),
        pytest.param(
            {"vllm_deploy_release_name": "Not_A_Name"},
            "Not_A_Name cannot be released. "
            "The release name 'Not_A_Name' does not fit: it becomes a label and a DNS name: "
            "at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit. "
            "Choose a shorter or simpler name (vllm_deploy_release_name).",
            id="a name",
        ),
        pytest.param(
            {"vllm_deploy_extra_env": [{"name": "HF_TOKEN", "value": "secret-token"}]},
            "one-test cannot be released. Deployment/one-test sets HF_TOKEN to a literal value: "
            "a release is recorded, and a record must not hold a secret. "
            "Take it from a Secret with valueFrom.secretKeyRef.",
            id="a literal credential",
        ),
    ],
)
def test_a_variable_whose_value_does_not_do(proxy: Proxy, variables: dict[str, Any], message: str) -> None:
    assert role_message(proxy, **variables) == message
