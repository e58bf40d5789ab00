# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cluster lives and which numbers it uses. There is one per machine, so nothing here can be chosen.

The state lies in the home of root as the password database gives it, not as $HOME does: a run with another HOME
must find the cluster that is already there.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
CHECKOUT = SOURCE.parent.parent
KUBECONFIG = CHECKOUT / ".cache" / "cluster" / "kubeconfig"

STATE = Path(pwd.getpwuid(0).pw_dir, ".local", "state", "ai_aas.vllm", "cluster")
RUN = Path("/run/ai-aas-vllm")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ai_aas.vllm")

BIN = STATE / "bin"
CONFIG = STATE / "config"
PKI = STATE / "pki"
LOGS = STATE / "logs"
REGISTRY_STORAGE = STATE / "registry"
VOLUMES = STATE / "volumes"
# Kubernetes' host path provisioner writes nowhere else.
HOSTPATH_PROVISIONER = Path("/tmp/hostpath_pv")

KUBERNETES_VERSION = "v1.35.4"
CONTEXTS = ("development", "staging", "production")

NODE = "gpu-a"
NODE_CPUS = 128
NODE_MEMORY_KIB = 1024**3
NODE_GPUS = 16

# The benchmark range of RFC 2544: no office network and no other cluster uses it.
BRIDGE = "vllm-pods"
POD_SUBNET = "198.18.0.0/24"
NODE_ADDRESS = "198.18.0.1"
SERVICE_SUBNET = "198.19.0.0/24"
API_SERVICE_ADDRESS = "198.19.0.1"

LOOPBACK = "127.0.0.1"
ETCD_PORT = 12379
ETCD_PEER_PORT = 12380
API_PORT = 16443
KUBELET_PORT = 20250
KUBELET_HEALTH_PORT = 20248
CONTROLLER_MANAGER_PORT = 20257
SCHEDULER_PORT = 20259
PROXY_HEALTH_PORT = 20256
PROXY_METRICS_PORT = 20249
REGISTRY_PORT = 15000
REFUSING_REGISTRY_PORT = 15001

API_SERVER = f"https://{LOOPBACK}:{API_PORT}"
REGISTRY = f"{LOOPBACK}:{REGISTRY_PORT}"
CONTAINERD_SOCKET = RUN / "containerd.sock"
RUNC_ROOT = RUN / "runc"
PAUSE_IMAGE = "cluster.local/pause:1"
