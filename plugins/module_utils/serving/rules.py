# SPDX-License-Identifier: GPL-3.0-or-later
"""What vLLM would refuse, or accept and not survive: found in the objects of a release, without a cluster or a server.

Each rule yields findings about one server; errors stop a release, warnings do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Finding, Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.quantity import amount
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import flags
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import CONTAINER, server_of, values
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.subject import Subject

# Seconds until nobody sends a pod that is going anything new.
NOTICED = 15
MOVING = ("", "main")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# The default of `vllm serve`, whose socket is guarded by the API key below these.
GUARDED = ("/v1", "/v2", "/inference", "/cohere")
ANSWERS = ("/health", "/ping", "/version", "/metrics", "/load")


def findings(objects: Iterable[Object]) -> Iterator[Finding]:
    """What is wrong or doubtful with the servers among these objects."""
    everything = tuple(objects)
    for body in everything:
        if body["kind"] == "Deployment":
            for container in body["spec"]["template"]["spec"].get("containers") or []:
                if container["name"] == CONTAINER:
                    argv = tuple(map(str, [*(container.get("command") or []), *(container.get("args") or [])]))
                    subject = Subject(deployment=body, container=container, argv=argv, objects=everything)
                    for rule in RULES:
                        yield from rule(subject)


def required(objects: Iterable[Object], require: Iterable[str]) -> Iterator[Finding]:
    """What the servers among `objects` lack of `require`: model_revision (a name that does not move)."""
    if "model_revision" not in frozenset(require):
        return
    for body in objects:
        server = server_of(body["spec"]["template"]) if body["kind"] == "Deployment" else None
        if server and server.model_revision in MOVING:
            yield _error(
                "model-revision",
                f"Deployment/{body['metadata']['name']} serves model revision {server.model_revision!r}",
                "a branch means other weights tomorrow, and a rollback would not bring the old ones back",
                "Name a commit or tag as the model revision",
                "model revision",
            )


def _parallelism(subject: Subject) -> Iterator[Finding]:
    limits = (subject.container.get("resources") or {}).get("limits") or {}
    gpus = sum(int(amount(value)) for name, value in limits.items() if name.startswith("nvidia.com/"))
    tensor = subject.number("--tensor-parallel-size", "-tp")
    pipeline = subject.number("--pipeline-parallel-size", "-pp")
    data = subject.number("--data-parallel-size", "-dp")
    if gpus and tensor * pipeline * data != gpus:
        yield _error(
            "parallelism",
            f"{subject.name} has {gpus} GPUs and shares the model among {tensor * pipeline * data}",
            f"tensor * pipeline * data parallel size is {tensor} * {pipeline} * {data}: fewer GPUs do not start, "
            "more stand idle and are paid for",
            "Make --tensor-parallel-size and the number of GPUs agree",
            "--tensor-parallel-size",
        )


def _service_name(subject: Subject) -> Iterator[Finding]:
    for service in subject.others("Service"):
        if service["metadata"]["name"] == "vllm":
            yield _error(
                "service-called-vllm",
                "Service/vllm has a name that stops vLLM",
                "every pod of the namespace gets a VLLM_PORT=tcp://… for it, which vLLM takes for its own setting",
                "Choose another name",
                "release name",
            )


def _secrets(subject: Subject) -> Iterator[Finding]:
    for flag, variable in (("--api-key", "VLLM_API_KEY"), ("--hf-token", "HF_TOKEN")):
        if any(value and not value.startswith("$(") for value in values(list(subject.argv), flag)):
            yield _error(
                "literal-credential",
                f"{subject.name} has a literal value behind {flag}",
                "everybody who may read pods sees it, and a record must not hold a secret",
                f"Leave the flag out, and set {variable} from a Secret with valueFrom.secretKeyRef",
                flag,
            )


def _drain(subject: Subject) -> Iterator[Finding]:
    pre_stop = ((subject.container.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
    waits, drains = int(pre_stop.get("seconds", 0)), subject.number("--shutdown-timeout", default=0)
    grace = int(subject.pod.get("terminationGracePeriodSeconds", 30))
    if waits + drains >= grace:
        yield _error(
            "grace-too-short",
            f"{subject.name} is killed before its requests have ended",
            f"the preStop sleep ({waits} s) and --shutdown-timeout ({drains} s) need more than the "
            f"{grace} s of terminationGracePeriodSeconds",
            "Lengthen the grace period, or shorten one of the two",
            "--shutdown-timeout",
        )
    version = flags.version_of(str(subject.container.get("image", "")))
    if version and flags.lacks(version, "--shutdown-timeout") and not drains and waits <= NOTICED:
        yield _warning(
            "no-drain",
            f"{subject.name} ends running requests when it is told to stop",
            f"this version has no --shutdown-timeout, and the preStop sleep ({waits} s) is no longer than it takes "
            "everybody to notice that a pod is going",
            "Lengthen the preStop sleep by the time that requests take",
            "--shutdown-timeout",
        )


def _budget(subject: Subject) -> Iterator[Finding]:
    startup = subject.container.get("startupProbe")
    if not startup:
        if subject.container.get("livenessProbe"):
            yield _error(
                "liveness-without-startup",
                f"{subject.name} has a liveness probe and no startup probe",
                "loading a model takes minutes, and the kubelet would kill it meanwhile, again and again",
                "Switch the startup probe on, or the liveness probe off",
                "startup probe",
            )
        return
    budget = int(startup.get("initialDelaySeconds", 0))
    budget += int(startup.get("failureThreshold", 3)) * int(startup.get("periodSeconds", 10))
    deadline = subject.deployment["spec"].get("progressDeadlineSeconds")
    if deadline is not None and budget >= int(deadline):
        yield _error(
            "deadline-too-short",
            f"{subject.name} may load for {budget} s and is given up after {deadline} s",
            "its progressDeadlineSeconds is not longer than the budget of its startup probe",
            "Lengthen progressDeadlineSeconds, or leave it out",
            "startup probe",
        )


def _probe_paths(subject: Subject) -> Iterator[Finding]:
    has_key = any(entry.get("name") == "VLLM_API_KEY" for entry in subject.container.get("env") or [])
    has_key = has_key or "--api-key" in subject.argv
    for probe in PROBES:
        path = ((subject.container.get(probe) or {}).get("httpGet") or {}).get("path")
        if path is None:
            continue
        if path.startswith(GUARDED) and has_key:
            why = "vLLM asks for the API key there, which a probe does not have"
        elif path.startswith((*GUARDED, *ANSWERS)):
            continue
        else:
            why = "vLLM answers 404 there, so that the pod never becomes ready, or is killed"
        yield _error("probe-path", f"The {probe} of {subject.name} asks {path}", why, "Let it ask /health")
    if not subject.container.get("readinessProbe"):
        why = "requests are sent to it while it still loads, and while it drains"
        yield _warning("no-readiness", f"{subject.name} has no readiness probe", why, "Switch it on", "readiness probe")


def _memory(subject: Subject) -> Iterator[Finding]:
    resources = subject.container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for resource in sorted(limits.keys() & requests.keys()):
        if amount(limits[resource]) < amount(requests[resource]):
            yield _error(
                "limit-below-request",
                f"{subject.name} may use less {resource} than it asks for",
                f"the limit is {limits[resource]}, the request {requests[resource]}",
                "Raise the limit, or lower the request",
                "gpus" if "/" in resource else f"{resource} limit",
            )
    shm: Object = next((volume for volume in subject.pod.get("volumes") or [] if volume.get("name") == "shm"), {})
    size = (shm.get("emptyDir") or {}).get("sizeLimit")
    if size and "memory" in limits and Decimal(amount(size)) >= amount(limits["memory"]):
        yield _error(
            "shm-too-large",
            f"{subject.name} may fill its memory with /dev/shm alone",
            f"the {size} of /dev/shm count against the memory limit of {limits['memory']}",
            "Lower the size of /dev/shm, or raise the memory limit",
            "shm size",
        )


def _flags(subject: Subject) -> Iterator[Finding]:
    image = str(subject.container.get("image", ""))
    version = flags.version_of(image)
    if version is None:
        return
    for flag in dict.fromkeys(word.partition("=")[0] for word in subject.argv if word.startswith("--")):
        why = flags.lacks(version, flag)
        if why:
            yield _error(
                "flag-unknown", f"{image} does not know {flag}", why, "Leave it out, or use another version", flag
            )


def _volumes(subject: Subject) -> Iterator[Finding]:
    replicas = int(subject.deployment["spec"].get("replicas", 1))
    mine = {(volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in subject.pod.get("volumes") or []}
    for claim in subject.others("PersistentVolumeClaim"):
        modes = claim["spec"].get("accessModes") or []
        if claim["metadata"]["name"] in mine and replicas > 1 and modes == ["ReadWriteOnce"]:
            yield _error(
                "cache-of-one-node",
                f"{subject.name} has {replicas} replicas and one cache volume that a single node can mount",
                "pods on other nodes would wait for the volume for ever",
                "Use an access mode for many nodes (ReadWriteMany), one replica, or no cache",
                "cache access mode",
            )
    server = server_of(subject.deployment["spec"]["template"])
    path = next(iter(subject.argv[2:3]), "") if subject.argv[:2] == ("vllm", "serve") else ""
    mounts = [str(mount.get("mountPath", "")).rstrip("/") for mount in subject.container.get("volumeMounts") or []]
    if server and path.startswith("/") and not any(mount and (path + "/").startswith(mount + "/") for mount in mounts):
        why = "unless the image brings it along, vLLM will take the path for the name of a repository"
        do = "Mount the volume that holds the model"
        yield _warning(
            "model-not-mounted", f"No volume is mounted where {subject.name} looks for {path}", why, do, "volumes"
        )


def _disruption(subject: Subject) -> Iterator[Finding]:
    replicas = int(subject.deployment["spec"].get("replicas", 1))
    for budget in subject.others("PodDisruptionBudget"):
        least, most = budget["spec"].get("minAvailable"), budget["spec"].get("maxUnavailable")
        never = str(most) in ("0", "0%") or (str(least).isdigit() and int(least) >= replicas) or str(least) == "100%"
        if never:
            yield _error(
                "budget-never-met",
                f"PodDisruptionBudget/{budget['metadata']['name']} never lets a pod go",
                f"with {replicas} replicas none may be missing, and no node that runs one could ever be drained",
                "Let at least one be unavailable",
                "replicas",
            )


def _scaler(subject: Subject) -> Iterator[Finding]:
    if "replicas" not in subject.deployment["spec"]:
        return
    for scaler in (*subject.others("HorizontalPodAutoscaler"), *subject.others("ScaledObject")):
        if (scaler["spec"].get("scaleTargetRef") or {}).get("name") == subject.deployment["metadata"]["name"]:
            yield _error(
                "replicas-twice",
                f"{subject.name} names its replicas, and {scaler['kind']}/{scaler['metadata']['name']} sets them, too",
                "each release would undo what the scaler has done",
                "Leave the replicas to one of them",
                "replicas",
            )


Rule = Callable[[Subject], Iterator[Finding]]
RULES: tuple[Rule, ...] = (
    _parallelism,
    _service_name,
    _secrets,
    _drain,
    _budget,
    _probe_paths,
    _memory,
    _flags,
    _volumes,
    _disruption,
    _scaler,
)


def _error(rule: str, what: str, why: str, do: str, setting: str = "") -> Finding:
    return Finding(rule=rule, level="error", what=what, why=why, do=do, setting=setting)


def _warning(rule: str, what: str, why: str, do: str, setting: str) -> Finding:
    return Finding(rule=rule, level="warning", what=what, why=why, do=do, setting=setting)
