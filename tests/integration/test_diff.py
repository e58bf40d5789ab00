# SPDX-License-Identifier: GPL-3.0-or-later
"""What --diff prints, to the letter: what changes, before and after, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import REMOVE, Run, deploy, start, start_deploy

LITERAL = "hf_a-literal-that-nobody-may-see"

REVISION = """\
--- before: Deployment/one-test
+++ after: Deployment/one-test
@@ -2,5 +2,5 @@
   template:
     metadata:
       annotations:
-        vllm.ai-aas/model-revision: main
-        vllm.ai-aas/pod-template-digest: DIGEST
+        vllm.ai-aas/model-revision: v2
+        vllm.ai-aas/pod-template-digest: DIGEST"""

SCALE = """\
--- before: Deployment/one-test
+++ after: Deployment/one-test
@@ -1,2 +1,2 @@
 spec:
-  replicas: 1
+  replicas: 2"""

ENV = """\
--- before: Deployment/one-test
+++ after: Deployment/one-test
@@ -2,8 +2,10 @@
   template:
     metadata:
       annotations:
-        vllm.ai-aas/pod-template-digest: DIGEST
+        vllm.ai-aas/pod-template-digest: DIGEST
     spec:
       containers:
-      - env: []
+      - env:
+        - name: TZ
+          value: UTC
         name: vllm"""

TWO = """\
--- before: Service/one-test
+++ after: Service/one-test
@@ -1,4 +1,4 @@
 spec:
   ports:
   - name: http
-    port: 8000
+    port: 80

--- before: Deployment/one-test
+++ after: Deployment/one-test
@@ -1,2 +1,2 @@
 spec:
-  replicas: 1
+  replicas: 2"""

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a model revision": ({"vllm_deploy_model_revision": "v2"}, REVISION),
    "a scale": ({"vllm_deploy_replicas": 2}, SCALE),
    "an environment variable": ({"vllm_deploy_extra_env": [{"name": "TZ", "value": "UTC"}]}, ENV),
    "two objects": ({"vllm_deploy_replicas": 2, "vllm_deploy_service_port": 80}, TWO),
    "nothing": ({}, ""),
}


def printed(run: Run) -> str:
    assert run.finish().succeeded, run.told
    return re.sub(r"(pod-template-digest: )[0-9a-f]{12}", r"\1DIGEST", run.diff)


@pytest.fixture(scope="module")
def released(shared_namespace: Namespace) -> Namespace:
    run = deploy(shared_namespace.name)
    assert run.succeeded, run.told
    return shared_namespace


@pytest.fixture(scope="module")
def runs(released: Namespace) -> Iterator[dict[str, Run]]:
    """All looks at once: none of them writes."""
    looks = {
        name: start_deploy(released.name, "--check", "--diff", variables=variables)
        for name, (variables, _expected) in CHANGES.items()
    }
    gone = {"vllm_deploy_service_monitor_enabled": False}
    looks["an object goes"] = start_deploy(released.name, "--check", "--diff", variables=gone)
    placed = {"vllm_deploy_namespace": released.name}
    looks["everything goes"] = start(REMOVE, "--limit", "one", "--check", "--diff", variables=placed)
    yield looks
    for run in looks.values():
        run.finish()


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes(runs: dict[str, Run], name: str) -> None:
    assert printed(runs[name]) == CHANGES[name][1]
    assert runs[name].result()["changed"] == bool(CHANGES[name][1])


# What the server writes into every object.
NOISE = re.compile(
    r"^[-+ ]\s*(managedFields|resourceVersion|uid|status|generation|creationTimestamp|selfLink):", re.MULTILINE
)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("an object goes", ["ServiceMonitor"]),
        (
            "everything goes",
            "Deployment NetworkPolicy PodDisruptionBudget PrometheusRule Service ServiceAccount ServiceMonitor".split(),
        ),
    ],
)
def test_what_goes_is_shown_whole_without_noise(runs: dict[str, Run], name: str, kinds: list[str]) -> None:
    text = printed(runs[name])
    assert sorted(re.findall(r"^--- before: (\w+)/one-test$", text, re.MULTILINE)) == kinds
    assert not re.search(r"^\+(?!\+\+ )", text, re.MULTILINE), "something is added"
    assert "-kind: ServiceMonitor" in text
    assert not NOISE.search(text)


def test_a_literal_credential_of_somebody_else_is_not_shown(released: Namespace, runs: dict[str, Run]) -> None:
    for run in runs.values():
        run.finish()  # they look at the same objects
    released.edit_container("one-test", env=[{"name": "HF_TOKEN", "value": LITERAL}])
    run = deploy(released.name, "--check", "--diff")
    assert printed(run) == (
        "--- before: Deployment/one-test\n"
        "+++ after: Deployment/one-test\n"
        "@@ -2,7 +2,5 @@\n"
        "   template:\n"
        "     spec:\n"
        "       containers:\n"
        "-      - env:\n"
        "-        - name: HF_TOKEN\n"
        "-          value: (not shown)\n"
        "+      - env: []\n"
        "         name: vllm"
    )
    assert LITERAL not in run.told + str(run.results)
