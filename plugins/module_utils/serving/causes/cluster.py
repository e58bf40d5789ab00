# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kubernetes says about a pod that does not run: its events, and how a container ended."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.row import Row

# An event about fetching an image, to its end.
_PULL = r"(?:[Ff]ailed to pull|[Ff]ailed to resolve|pull and unpack|rpc error|manifests)[^\n]*"

EVENTS: tuple[Row, ...] = (
    # --- The container cannot be made.
    Row(
        id="driver_too_old",
        signs=r"unsatisfied condition: cuda\s*>=\s*(?P<needed>[\d.]*\d)",
        sentence="the node's NVIDIA driver is too old: the image needs CUDA {needed}",
        cure="Update the node's driver, or use an image that was built for an older CUDA",
        setting="image tag",
    ),
    Row(
        id="gpu_none",
        signs=r"nvidia-container-cli: \w+ error|could not select device driver"
        r"|no runtime for \"?nvidia\"? is configured|Allocate failed due to (?P<error>[^\n]{1,200})",
        sentence="the node cannot give the container its GPU[: {error}]",
        cure="Check the NVIDIA driver, runtime and device plugin of the node",
        setting="node selector",
        facts=(r"nvidia-container-cli: (?P<error>[^\n]{1,200})",),
        transient=True,  # on a new node the driver and the device plugin may still be coming
    ),
    Row(
        id="executable_missing",
        signs=r'exec: "(?P<command>[^"]+)": (?:executable file not found|stat [^\n]*no such file)',
        sentence="the image has no {command}",
        cure="Correct the command or the image",
        setting="image tag",
    ),
    Row(
        id="config_key_missing",
        signs=r"couldn't find key (?P<key>\S+) in (?P<object>\w+ \S+)|references non-existent (?:secret|config) key",
        sentence="[{object}][volume {volume}] does not have the key {key}",
        cure="Add the key, or refer to another one",
        facts=(r'volume "(?P<volume>[^"]+)"', r"non-existent (?:secret|config) key: (?P<key>\S+)"),
    ),
    Row(
        id="secret_missing",
        signs=r'secrets? "(?P<name>[^"]+)" not found',
        sentence="the Secret {name} does not exist",
        cure="Create the Secret {name}, or correct its name",
        transient=True,
    ),
    Row(
        id="config_map_missing",
        signs=r'configmaps? "(?P<name>[^"]+)" not found',
        sentence="the ConfigMap {name} does not exist",
        cure="Create the ConfigMap {name}, or correct its name",
        transient=True,
    ),
    # --- The image.
    Row(
        id="image_rate_limited",
        signs=_PULL + r"(?:429 Too Many Requests|toomanyrequests)|pull QPS exceeded",
        sentence="the registry answers 429: too many pulls",
        cure="Wait, or pull with an account (imagePullSecrets) or through a mirror",
        setting="image pull secrets",
        transient=True,
    ),
    Row(
        id="image_unauthorized",
        signs=_PULL + r"(?:401 Unauthorized|403 Forbidden|pull access denied|insufficient_scope|authorization failed"
        r"|no basic auth credentials|: denied)",
        sentence="the registry does not let the node pull the image[ {image}], or has none of this name",
        cure="Correct the image's name, or the pull secret (imagePullSecrets)",
        setting="image pull secrets",
        facts=(
            r'[Ff]ailed to pull image "(?P<image>[^"]+)"',
            r'reference "(?:docker\.io/(?:library/)?)?(?P<image>[^"]+)"',
        ),
        transient=True,
    ),
    Row(
        id="image_registry_fails",
        signs=_PULL + r"(?P<error>\b5\d\d (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out))",
        sentence="the registry answers {error}",
        cure="Wait for the registry, or use another one",
        setting="image repository",
        transient=True,
    ),
    Row(
        id="image_registry_unreachable",
        signs=_PULL + r"(?P<error>no such host|server misbehaving|connection refused|i/o timeout|network is unreachable"
        r"|no route to host|TLS handshake timeout|x509: [^\n]{1,100}|deadline exceeded)",
        sentence="the node cannot reach the registry: {error}",
        cure="Check the registry's name, DNS, proxy and certificates on the node",
        setting="image repository",
        transient=True,
    ),
    Row(
        id="disk_full",
        signs=_PULL + "no space left on device",
        sentence="the node's disk is full",
        cure="Free the node's disk, or let the pod request ephemeral-storage",
        setting="cache size",
        transient=True,
    ),
    Row(
        id="image_not_found",
        signs=_PULL + r"(?:code = NotFound|manifest unknown|: not found)",
        sentence="the image[ {image}] does not exist",
        cure="Correct the image's repository or tag",
        setting="image tag",
        facts=(
            r'[Ff]ailed to pull image "(?P<image>[^"]+)"',
            r'reference "(?:docker\.io/(?:library/)?)?(?P<image>[^"]+)"',
        ),
    ),
    # --- The volumes.
    Row(
        id="volume_in_use",
        signs=r'Multi-Attach error for volume "(?P<volume>[^"]+)"',
        sentence="the volume {volume} is still attached to another node",
        cure="Wait until the pod that uses it has ended, or use a volume that several nodes can mount (ReadWriteMany)",
        setting="cache access mode",
        transient=True,
    ),
    Row(
        id="volume_claim_missing",
        signs=r'persistentvolumeclaim "(?P<name>[^"]+)" not found',
        sentence="the PersistentVolumeClaim {name} does not exist",
        cure="Create it, or correct its name",
        transient=True,
    ),
    Row(
        id="volume_claim_unbound",
        signs=r"unbound immediate PersistentVolumeClaims|no persistent volumes available for this claim"
        r'|storageclass\S* "(?P<name>[^"]+)" not found',
        sentence="a PersistentVolumeClaim has no volume[: the storage class {name} does not exist]",
        cure="Correct the claim's storage class or size",
        setting="cache storage class",
        transient=True,
    ),
    Row(
        id="volume_not_mounted",
        signs=r"(?:MountVolume\.\w+|AttachVolume\.Attach|hostPath type check) failed|Unable to attach or mount volumes",
        sentence="the volume[ {volume}] cannot be mounted[: {error}]",
        cure="Correct the volume, or its server's export and network",
        setting="volumes",
        facts=(
            r'Volume\.\w+ failed for volume "(?P<volume>[^"]+)"',
            r"unmounted volumes=\[(?P<volume>[^\]]+)\]",
            r"failed for volume \"[^\"]+\"\s*: (?P<error>[^\n]{1,300})",
            r"(?P<error>hostPath type check failed: [^\n]{1,200})",
            r"(?P<error>timed out waiting for the condition)",
        ),
        transient=True,
    ),
    # --- The kubelet ended it.
    Row(
        id="startup_too_slow",
        signs=r"failed startup probe, will be restarted",
        sentence="the server was still loading when its startup probe's time was up",
        cure="Raise the startup probe's failureThreshold",
        setting="startup probe",
    ),
    Row(
        id="liveness_failed",
        signs=r"failed liveness probe, will be restarted",
        sentence="the server stopped answering its liveness probe and was restarted",
        cure="Read the container's log of that time; if it was only busy, raise the liveness probe's timeoutSeconds",
        setting="liveness probe",
        transient=True,
    ),
    Row(
        id="evicted",
        signs=r"low on resource: (?P<resource>[\w-]+)",
        sentence="the node evicted the pod, since it ran out of {resource}",
        cure="Let the pod request what it needs, so that it goes to a node that has it",
        setting="memory request",
        transient=True,
    ),
)

STARTUP_TOO_SLOW = Row(
    id="startup_too_slow",
    sentence="the server was killed after {ran}: it was still loading, and its startup probe gives it {budget}",
    cure="Raise the startup probe's failureThreshold so that it has at least {more}",
    setting="startup probe",
)
OUT_OF_MEMORY = Row(
    id="oom_killed",
    sentence="the container took more memory than its limit, and the kernel killed it[ after {ran}]",
    cure="Raise the container's memory limit; what lies in /dev/shm counts, too",
    setting="memory limit",
    transient=True,  # a crowded node does it, too
)
NODE_LOST = Row(
    id="node_lost",
    sentence="the node lost the container[ after {ran}]",
    cure="Look whether the node was restarted or is not ready",
    transient=True,
)

# How a container ends, by its exit code (128 + n: by the signal n).
EXITS: dict[int, Row] = {
    # vLLM's API server ends so by itself when its engine dies while it serves.
    0: Row(
        id="engine_died",
        sentence="the server ended[ after {ran}] with exit code 0: vLLM does so when its engine dies",
        cure="Read the container's log of that time; if it names no error, suspect its memory limit",
        transient=True,
    ),
    2: Row(
        id="bad_flag",
        sentence="vLLM does not take its command line (exit code 2)",
        cure="Correct the server's arguments: which ones there are differs from version to version",
    ),
    126: Row(
        id="executable_missing",
        sentence="the container's command cannot be executed (exit code 126)",
        cure="Correct the command or the image",
    ),
    127: Row(
        id="executable_missing",
        sentence="the container's command does not exist (exit code 127)",
        cure="Correct the command or the image",
    ),
    128: Row(
        id="start_error",
        sentence="the container could not be started (exit code 128)",
        cure="Read the container's message: its command, working directory or mounts are wrong",
    ),
    130: Row(
        id="killed_while_loading",
        sentence="the server was interrupted[ after {ran}], while it loaded (exit code 130)",
        cure="If nobody deleted the pod, raise the startup probe's failureThreshold",
        setting="startup probe",
        transient=True,
    ),
    132: Row(
        id="cpu_unsupported",
        sentence="the node's processor lacks an instruction that the image uses (exit code 132)",
        cure="Use a node with a newer processor",
        setting="node selector",
    ),
    135: Row(
        id="shm_small",
        sentence="the server was ended by a bus error (exit code 135), which a full /dev/shm causes",
        cure="Mount a larger emptyDir of medium Memory at /dev/shm",
        setting="shm size",
    ),
    137: Row(
        id="killed",
        sentence="the server was killed[ after {ran}], though not for its memory limit (exit code 137)",
        cure="Look in the pod's events for a liveness probe, an eviction or a drain",
        transient=True,
    ),
    139: Row(
        id="crashed",
        sentence="the server crashed[ after {ran}] (exit code 139, segmentation fault)",
        cure="Try another vLLM version, or --enforce-eager; report it to vLLM",
        setting="image tag",
        transient=True,
    ),
    143: Row(
        id="killed_while_loading",
        sentence="the server was told to stop[ after {ran}], before it could refuse (exit code 143)",
        cure="If nobody deleted the pod, raise the startup probe's failureThreshold",
        setting="startup probe",
        transient=True,
    ),
}
