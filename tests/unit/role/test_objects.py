# SPDX-License-Identifier: GPL-3.0-or-later
"""What every server has, whatever its variables say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.unit.role import more_parameters
from ansible_collections.ai_aas.vllm.tests.unit.role.paths import CONTAINER, POD, TEMPLATE, paths
from ansible_collections.ai_aas.vllm.tests.unit.role.rendering import ROLE, render

ALWAYS = "Deployment Service PodDisruptionBudget".split()
BY_DEFAULT = {*ALWAYS, "ServiceAccount", "NetworkPolicy", "ServiceMonitor", "PrometheusRule"}
# What a model server says of itself (vllm/v1/metrics/loggers.py of 0.32), its HTTP layer, and Prometheus about both.
METRICS = {
    "up",
    "http_requests_total",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:generation_tokens_total",
    "vllm:request_queue_time_seconds_bucket",
}


def everything(**given: Any) -> dict[str, Any]:
    """Every object there can be."""
    variables = {"config_files": more_parameters.FILES, "cache_enabled": True} | given
    return {f"vllm_deploy_{name}": value for name, value in variables.items()}


def test_the_objects_of_a_server() -> None:
    assert {body["kind"] for body in render().objects} == BY_DEFAULT
    more = {"ConfigMap", "Role", "RoleBinding", "PersistentVolumeClaim"}
    assert {body["kind"] for body in render(**everything()).objects} == BY_DEFAULT | more


def test_what_can_be_left_out() -> None:
    off = "network_policy_enabled service_account_create rbac_create service_monitor_enabled prometheus_rule_enabled"
    rendering = render(**dict.fromkeys((f"vllm_deploy_{name}" for name in off.split()), False))
    assert sorted(body["kind"] for body in rendering.objects) == sorted(ALWAYS)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{CONTAINER}.command", ["vllm", "serve"]),
        (f"{CONTAINER}.terminationMessagePolicy", "FallbackToLogsOnError"),
        (f"{CONTAINER}.lifecycle.preStop.sleep.seconds", 15),
        (f"{CONTAINER}.args[--shutdown-timeout]", "90"),
        (f"{POD}.terminationGracePeriodSeconds", 15 + 90 + 15),
        (f"{POD}.enableServiceLinks", False),
        (f"{POD}.automountServiceAccountToken", False),
        ("ServiceAccount.automountServiceAccountToken", False),
        ("Deployment.spec.progressDeadlineSeconds", 20 * 30 + 600),
        ("Deployment.spec.revisionHistoryLimit", 3),
        ("PodDisruptionBudget.spec.maxUnavailable", 1),
        ("Service.spec.ports[http].targetPort", "http"),
        (f"{TEMPLATE}.metadata.annotations[vllm.ai-aas/model]", "meta-llama/Llama-2-7b-hf"),
        (f"{TEMPLATE}.metadata.annotations[vllm.ai-aas/model-revision]", "main"),
        (f"{CONTAINER}.args[--fingerprint-value]", "$(POD_TEMPLATE_DIGEST)"),
        (
            f"{CONTAINER}.env[POD_TEMPLATE_DIGEST].valueFrom.fieldRef.fieldPath",
            "metadata.annotations['vllm.ai-aas/pod-template-digest']",
        ),
        ("ServiceMonitor.metadata.annotations[vllm.ai-aas/optional]", "true"),
        ("PrometheusRule.metadata.annotations[vllm.ai-aas/optional]", "true"),
    ],
)
def test_it_is_always_there(path: str, value: Any) -> None:
    assert paths(render())[path] == value


def test_all_probes_ask_health_and_nothing_else() -> None:
    probes = {name: probe for name, probe in render().container().items() if name.endswith("Probe")}
    assert probes.keys() == {"startupProbe", "livenessProbe", "readinessProbe"}
    assert all(probe["httpGet"] == {"path": "/health", "port": "http"} for probe in probes.values())


def test_the_role_leaves_to_the_engine_what_is_the_engines() -> None:
    rendering = render(**everything())
    assert "strategy" not in rendering.one("Deployment")["spec"]
    assert "minReadySeconds" not in rendering.one("Deployment")["spec"]
    theirs = ("vllm.ai-aas/release]", "vllm.ai-aas/release-uid]", "vllm.ai-aas/pod-template-digest]")
    assert [path for path in paths(rendering) if path.endswith(theirs)] == []


def test_no_preference_is_made_a_condition() -> None:
    (spread,) = render().pod()["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")


def test_pods_meet_the_restricted_pod_security_standard() -> None:
    pod, container = render(**everything()).pod(), render(**everything()).container()
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert {*{kind for volume in pod["volumes"] for kind in volume} - {"name"}} == {
        "emptyDir",
        "configMap",
        "persistentVolumeClaim",
    }


def test_a_user_without_an_entry_in_passwd_finds_a_name_and_a_writable_home() -> None:
    pod, container = render().pod(), render().container()
    named = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (named["HOME"], named["USER"], named["LOGNAME"]) == ("/home/vllm", "vllm", "vllm")
    writable = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    mounted = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in writable}
    assert mounted == {"/home/vllm", "/tmp", "/dev/shm"}


@pytest.mark.parametrize(("gpus", "size"), [(0, "2Gi"), (1, "2Gi"), (2, "4Gi"), (8, "16Gi")])
def test_shared_memory_grows_with_tensor_parallelism(gpus: int, size: str) -> None:
    (shm,) = (volume for volume in render(vllm_deploy_gpus=gpus).pod()["volumes"] if volume["name"] == "shm")
    assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": size}


def test_no_sleep_is_asked_for_where_none_is_wanted() -> None:
    rendering = render(vllm_deploy_pre_stop_seconds=0)
    assert "lifecycle" not in rendering.container()
    assert rendering.pod()["terminationGracePeriodSeconds"] == 90 + 15


@pytest.mark.parametrize(
    ("tag", "sleep", "flag"), [("v0.18.0", 15, True), ("latest", 15, True), ("v0.17.1", 15 + 90, False)]
)
def test_a_version_that_does_not_drain_goes_on_serving_instead(tag: str, sleep: int, flag: bool) -> None:
    rendering = render(vllm_deploy_image_tag=tag)
    assert rendering.container()["lifecycle"]["preStop"]["sleep"]["seconds"] == sleep
    assert ("--shutdown-timeout" in rendering.container()["args"]) is flag
    assert rendering.pod()["terminationGracePeriodSeconds"] == 15 + 90 + 15


def test_nobody_comes_in_where_nobody_is_named() -> None:
    nobody = {f"vllm_deploy_network_policy_{name}": [] for name in ("allowed_namespaces", "metrics_sources")}
    policy = render(**nobody).one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy  # a rule without sources would let everybody in


@pytest.mark.parametrize(("none", "left"), [("allowed_namespaces", "monitoring"), ("metrics_sources", "system")])
def test_each_kind_of_source_comes_in_without_the_other(none: str, left: str) -> None:
    (rule,) = render(**{f"vllm_deploy_network_policy_{none}": []}).one("NetworkPolicy")["spec"]["ingress"]
    (source,) = rule["from"]
    assert source["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": left}


def test_the_role_reads_by_name_what_the_pods_use() -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]
    extra_env = [{"name": "B", "valueFrom": {"secretKeyRef": {"name": "aws", "key": "b"}}}, {"name": "C", "value": ""}]
    given = {"vllm_deploy_env": env, "vllm_deploy_extra_env": extra_env}
    (rule,) = render(**given).one("Role")["rules"]
    assert (rule["resources"], rule["resourceNames"], rule["verbs"]) == (["configmaps"], ["settings"], ["get"])
    rules = render(**given, vllm_deploy_rbac_secrets=True).one("Role")["rules"]
    assert {rule["resources"][0]: rule["resourceNames"] for rule in rules} == {
        "configmaps": ["settings"],
        "secrets": ["aws"],
    }


def test_a_changed_file_is_another_config_map() -> None:
    one, other = (render(vllm_deploy_config_files={"chat.jinja": text}).one("ConfigMap") for text in ("a", "b"))
    assert one["metadata"]["name"] != other["metadata"]["name"]
    assert one["immutable"]


def test_alerts_use_metrics_that_exist() -> None:
    (group,) = render().one("PrometheusRule")["spec"]["groups"]
    used = {name for rule in group["rules"] for name in re.findall(r"([a-z_:]+)\{", rule["expr"])}
    assert used == METRICS
    assert all(rule["annotations"]["summary"] for rule in group["rules"])


def test_every_template_is_rendered() -> None:
    assert sorted(render().task["template"]) == sorted(path.name for path in (ROLE / "templates").iterdir())
