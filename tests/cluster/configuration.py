# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that containerd, its network, the registry, kubelet and kube-proxy read."""

from __future__ import annotations

import json
from typing import Any

from .settings import (
    BRIDGE,
    CONFIG,
    CONTAINERD_SOCKET,
    KUBELET_HEALTH_PORT,
    KUBELET_PORT,
    LOGS,
    LOOPBACK,
    NODE,
    NODE_ADDRESS,
    NODE_CPUS,
    NODE_MEMORY_KIB,
    PAUSE_IMAGE,
    PKI,
    POD_SUBNET,
    PROXY_HEALTH_PORT,
    PROXY_METRICS_PORT,
    REGISTRY,
    REGISTRY_STORAGE,
    RUN,
    RUNC_ROOT,
    STATE,
)

NETWORK = "ai-aas-vllm"
CERTS_D = CONFIG / "certs.d"
CNI_CONF = CONFIG / "cni"
MACHINE = CONFIG / "machine"

CONTAINERD = f"""\
version = 2
root = "{STATE}/containerd"
state = "{RUN}/containerd"

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  netns_mounts_under_state_dir = true
  disable_hugetlb_controller = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{RUNC_ROOT}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{CNI_CONF}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{CERTS_D}"
"""

# The default registry of image names is the local one, and nothing else: a tag that it lacks is not found.
MIRROR = f"""\
server = "http://{REGISTRY}"
[host."http://{REGISTRY}"]
  capabilities = ["pull", "resolve"]
"""

REGISTRY_CONFIG = f"""\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {REGISTRY_STORAGE}}}
http:
  addr: {REGISTRY}
"""


def write() -> None:
    """Writes all of them under CONFIG."""
    for folder in (CERTS_D / "docker.io", CNI_CONF):
        folder.mkdir(parents=True)
    (CONFIG / "containerd.toml").write_text(CONTAINERD)
    (CERTS_D / "docker.io" / "hosts.toml").write_text(MIRROR)
    (CONFIG / "registry.yml").write_text(REGISTRY_CONFIG)
    _write_json("cni/10-bridge.conflist", _network())
    _write_json("kubelet.json", _kubelet())
    _write_json("proxy.json", _proxy())
    _write_machine()


def _network() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(RUN / "cni"),
            "ranges": [[{"subnet": POD_SUBNET, "gateway": NODE_ADDRESS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    # Lets the pods' packages pass on machines that forward nothing by default, as those with Docker.
    firewall = {"type": "firewall"}
    return {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge, ports, firewall]}


def _kubelet() -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": KUBELET_PORT,
        "healthzBindAddress": LOOPBACK,
        "healthzPort": KUBELET_HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(PKI / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "podLogsDir": str(LOGS / "pods"),
        "volumePluginDir": str(STATE / "volume-plugins"),
        # There is no DNS in this cluster. Without an address here every pod gets a warning about it.
        "clusterDNS": ["198.19.0.10"],
        "clusterDomain": "cluster.local",
        "registerWithTaints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}],
        # Works on machines with the first version of control groups, and within a container.
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # A developer's disk may be fuller than a node's should be.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "nodeStatusUpdateFrequency": "5s",
    }


def _proxy() -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_SUBNET,
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": str(CONFIG / "proxy.kubeconfig")},
        "healthzBindAddress": f"{LOOPBACK}:{PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{LOOPBACK}:{PROXY_METRICS_PORT}",
        # 0 leaves the machine's own connection tracking as it is.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
    }


def _write_machine() -> None:
    """What kubelet is shown in place of the machine's own memory and processors."""
    for number in range(NODE_CPUS):
        topology = MACHINE / "node" / "node0" / f"cpu{number}" / "topology"
        topology.mkdir(parents=True)
        (topology / "core_id").write_text(f"{number}\n")
        (topology / "physical_package_id").write_text("0\n")
    (MACHINE / "online").write_text(f"0-{NODE_CPUS - 1}\n")
    names = ("MemTotal", "MemFree", "MemAvailable")
    lines = [f"{name + ':':<15} {NODE_MEMORY_KIB:>12} kB\n" for name in names]
    (MACHINE / "meminfo").write_text("".join([*lines, f"{'SwapTotal:':<15} {0:>12} kB\n"]))


def _write_json(name: str, document: dict[str, Any]) -> None:
    (CONFIG / name).write_text(json.dumps(document, indent=2) + "\n")
