# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that are bad before their server runs: the image, what the pod refers to, the namespace, the nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.ai_aas.vllm.tests.cluster.settings import NODE
from ansible_collections.ai_aas.vllm.tests.integration.causes.case import GOOD, TWO, Case, bad, container
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import LABELS, Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

# Tests beside this one have nodes of their own.
ON_THE_NODE = {
    "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [NODE]}]}]
    }
}


def variable(**source: Any) -> Server:
    load = {"name": "STAND_IN_LOAD_SECONDS", "value": "0"}
    return container(env=[load, {"name": "WORD", "valueFrom": source}])


def volume(**source: Any) -> Server:
    mounts = [{"name": "things", "mountPath": "/things"}]
    return bad(template={"volumes": [{"name": "things"} | source]}, container={"volumeMounts": mounts})


def image(name: str) -> Server:
    return container(image=name)


def quota(**hard: str) -> Callable[[Namespace], None]:
    def limit(namespace: Namespace) -> None:
        names = {name.replace("__", "/").replace("_", "."): value for name, value in hard.items()}
        hands.create(namespace, "resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": names}})
        hands.wait_for(lambda: namespace.get("resourcequotas", "q").get("status", {}).get("hard"))

    return limit


def lose_a_node(namespace: Namespace) -> Callable[[], Any]:
    """A pod of the server is to end, and nobody is there to end it."""
    ask, node = namespace.cluster.ask, f"lost-{namespace.name}"
    taints = [{"key": "test.example/lost", "effect": "NoSchedule"}]
    ask("POST", "/api/v1/nodes", {"metadata": {"name": node}, "spec": {"taints": taints}})
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.33.0"}],
    }
    # A quota of "pods" would forget it once its grace is over.
    quota(count__pods="1")(namespace)
    hands.create(namespace, "pods", {"metadata": {"name": "lost", "labels": LABELS}, "spec": spec})
    ask("DELETE", hands.path(namespace, "pods", "lost"))
    return lambda: ask("DELETE", f"/api/v1/nodes/{node}")


def restrict(namespace: Namespace) -> None:
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    where = f"/api/v1/namespaces/{namespace.name}"
    assert namespace.cluster.ask("PATCH", where, labels, content_type=hands.MERGE)


OUTSIDE = (
    # --- The image.
    Case(
        name="the image's tag does not exist",
        server=bad(tag="v0.99.9"),
        verdict="named_cause",
        cause="image_not_found",
        says="the image vllm/vllm-openai:v0.99.9 does not exist",
        cure="Correct the image's repository or tag",
    ),
    Case(
        name="the image's name is none",
        server=bad(tag="v0.33.0:x"),
        verdict="contract",
        cause="image_name_invalid",
        says="'vllm/vllm-openai:v0.33.0:x' is no image name",
        cure="Correct the image",
    ),
    Case(
        name="the image is not on the node and never pulled",
        server=container(image="vllm/absent:1", imagePullPolicy="Never"),
        verdict="contract",
        cause="image_never_pulled",
        says="vllm/absent:1 is not on the node",
        cure="Load the image or change the pull policy",
    ),
    Case(
        name="the registry wants a login",
        server=image("127.0.0.1:15001/401/model:1"),
        verdict="capacity",
        cause="image_unauthorized",
        says="the registry does not let the node pull the image 127.0.0.1:15001/401/model:1",
        cure="imagePullSecrets",
    ),
    Case(
        name="the registry refuses for now",
        server=image("127.0.0.1:15001/429/model:1"),
        verdict="capacity",
        cause="image_rate_limited",
        says="429",
        cure="mirror",
    ),
    Case(
        name="the registry fails",
        server=image("127.0.0.1:15001/500/model:1"),
        verdict="capacity",
        cause="image_registry_fails",
        says="500 Internal Server Error",
        cure="Wait for the registry",
    ),
    Case(
        name="there is no registry",
        server=image("127.0.0.1:9/model:1"),
        verdict="capacity",
        cause="image_registry_unreachable",
        says="connection refused",
        cure="Check the registry's name",
    ),
    # --- What it refers to.
    Case(
        name="a Secret is missing for good",
        server=variable(secretKeyRef={"name": "absent", "key": "word"}),
        verdict="absent_reference",
        cause="secret_missing",
        says="the Secret absent does not exist",
        cure="Create the Secret absent",
    ),
    Case(
        name="a Secret is missing that should be a volume",
        server=volume(secret={"secretName": "absent"}),
        verdict="absent_reference",
        cause="secret_missing",
        says="the Secret absent does not exist",
        cure="Create the Secret absent",
    ),
    Case(
        name="a ConfigMap is missing that should be a volume",
        server=volume(configMap={"name": "absent"}),
        verdict="absent_reference",
        cause="config_map_missing",
        says="the ConfigMap absent does not exist",
        cure="Create the ConfigMap absent",
    ),
    Case(
        name="a key is missing",
        server=replace(variable(configMapKeyRef={"name": "small", "key": "nokey"}), parts=("config",)),
        verdict="named_cause",
        cause="config_key_missing",
        says="does not have the key nokey",
        cure="Add the key",
    ),
    Case(
        name="a volume claim is missing",
        server=volume(persistentVolumeClaim={"claimName": "absent"}),
        verdict="absent_reference",
        cause="volume_claim_missing",
        says="the PersistentVolumeClaim absent does not exist",
        cure="Create it",
    ),
    Case(
        name="a volume cannot be mounted",
        server=volume(hostPath={"path": "/no/such/models", "type": "Directory"}),
        verdict="capacity",
        cause="volume_not_mounted",
        says="/no/such/models is not a directory",
        cure="Correct the volume",
    ),
    # --- The namespace does not let pods in.
    Case(
        name="a quota is used up for good",
        hand=quota(pods="0"),
        server=GOOD,
        verdict="capacity",
        cause="quota_exceeded",
        says="exceeded quota: q",
        cure="Free some of the quota",
    ),
    Case(
        name="a quota is used up by the first of two pods",
        first=GOOD,
        hand=quota(pods="1"),
        server=TWO,
        verdict="capacity",
        cause="quota_exceeded",
        says="exceeded quota: q",
        cure="Free some of the quota",
    ),
    Case(
        name="a quota does not let ReplicaSets in",
        hand=quota(count__replicasets_apps="0"),
        server=GOOD,
        verdict="capacity",
        cause="quota_exceeded",
        says="no ReplicaSet can be made",
        cure="Free some of the quota",
    ),
    Case(
        name="a quota is held by a pod that does not end",
        hand=lose_a_node,
        server=GOOD,
        verdict="capacity",
        cause="pod_not_ending",
        says="lost should have ended by now, but its node",
        cure="Look at the node",
    ),
    # Where the template is new, the plan refuses these; see test_refused_in_the_plan.
    Case(
        name="a quota wants limits",
        first=GOOD,
        hand=quota(limits_cpu="100"),
        server=TWO,
        verdict="named_cause",
        cause="quota_must_specify",
        says="must specify limits.cpu",
        cure="Correct the definition",
    ),
    Case(
        name="Pod Security refuses",
        first=GOOD,
        hand=restrict,
        server=TWO,
        verdict="named_cause",
        cause="pod_security",
        says='violates PodSecurity "restricted:latest"',
        cure="Correct the definition",
    ),
    # --- No node takes it.
    Case(
        name="no node has the labels",
        server=bad(
            template={
                "nodeSelector": {"test.example/no-such-label": "true"},
                "tolerations": [{"operator": "Exists"}],
            }
        ),
        verdict="capacity",
        cause="node_selector_unmet",
        says="no node has the labels that the pod selects",
        cure="Correct the node selector",
    ),
    Case(
        name="a taint is not tolerated",
        server=bad(template={"tolerations": [], "affinity": {"nodeAffinity": ON_THE_NODE}}),
        verdict="capacity",
        cause="taint_untolerated",
        says="does not tolerate the taint",
        cure="Add a toleration of the taint",
    ),
)
