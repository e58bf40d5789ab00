# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's processes and their arguments."""

from __future__ import annotations

import sys
from pathlib import Path

from .configuration import MACHINE
from .node import LABELS
from .settings import (
    API_PORT,
    BIN,
    CHECKOUT,
    CONFIG,
    CONTROLLER_MANAGER_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    LOOPBACK,
    NODE,
    NODE_ADDRESS,
    PKI,
    REFUSING_REGISTRY_PORT,
    SCHEDULER_PORT,
    SERVICE_SUBNET,
    STATE,
)

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")

type Arguments = list[str | Path]

# Kubelet in a mount namespace of its own, where the machine is as large as the node claims. /proc and /sys alone are
# private: the mounts of pod volumes must reach containerd.
LARGE_MACHINE = f"""\
set -e
mount --make-rprivate /proc
mount --make-rprivate /sys
mount --bind {MACHINE}/meminfo /proc/meminfo
mount --bind {MACHINE}/node /sys/devices/system/node
mount --bind {MACHINE}/online /sys/devices/system/cpu/online
exec "$@"
"""


def etcd() -> Arguments:
    client, peer = f"http://{LOOPBACK}:{ETCD_PORT}", f"http://{LOOPBACK}:{ETCD_PEER_PORT}"
    return [
        BIN / "etcd",
        f"--data-dir={STATE}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # Nothing here has to outlive a crash of the machine.
        "--unsafe-no-fsync",
    ]


def api_server() -> Arguments:
    return [
        BIN / "kube-apiserver",
        f"--etcd-servers=http://{LOOPBACK}:{ETCD_PORT}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={NODE_ADDRESS}",
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={SERVICE_SUBNET}",
        "--authorization-mode=Node,RBAC",
        f"--client-ca-file={PKI}/ca.crt",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        # By its name the node would be looked up in DNS for logs, exec and port-forward.
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={PKI}/service-account.pub",
        f"--service-account-signing-key-file={PKI}/service-account.key",
    ]


def controller_manager() -> Arguments:
    return [
        BIN / "kube-controller-manager",
        *_client("controller-manager", CONTROLLER_MANAGER_PORT),
        "--use-service-account-credentials",
        f"--root-ca-file={PKI}/ca.crt",
        f"--service-account-private-key-file={PKI}/service-account.key",
        f"--flex-volume-plugin-dir={STATE}/volume-plugins",
        # Makes volumes for the default storage class.
        "--enable-hostpath-provisioner",
    ]


def scheduler() -> Arguments:
    return [BIN / "kube-scheduler", *_client("scheduler", SCHEDULER_PORT)]


def _client(name: str, port: int) -> Arguments:
    file = CONFIG / f"{name}.kubeconfig"
    return [
        f"--kubeconfig={file}",
        f"--authentication-kubeconfig={file}",
        f"--authorization-kubeconfig={file}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        "--leader-elect=false",
    ]


def proxy() -> Arguments:
    return [BIN / "kube-proxy", f"--config={CONFIG}/proxy.json"]


def containerd() -> Arguments:
    return ["containerd", "--config", CONFIG / "containerd.toml"]


def kubelet() -> Arguments:
    labels = ",".join(f"{key}={value}" for key, value in LABELS.items())
    return [
        *("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", LARGE_MACHINE, "kubelet"),
        BIN / "kubelet",
        f"--config={CONFIG}/kubelet.json",
        f"--kubeconfig={CONFIG}/kubelet.kubeconfig",
        f"--root-dir={STATE}/kubelet",
        f"--cert-dir={STATE}/kubelet/pki",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
        f"--node-labels={labels}",
    ]


def registry() -> Arguments:
    return ["docker-registry", "serve", CONFIG / "registry.yml"]


def refusing_registry() -> Arguments:
    return [sys.executable, CHECKOUT / "tests" / "cluster" / "refusing_registry.py", str(REFUSING_REGISTRY_PORT)]
