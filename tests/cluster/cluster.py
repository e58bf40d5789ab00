# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, keeps and stops the cluster. `up` leaves a healthy one alone, else clears away what is there and starts."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import build, certificates, components, configuration, kubeconfig, leftovers, node, packages, processes, registry
from .api import Api
from .settings import (
    API_SERVER,
    BIN,
    BRIDGE,
    CONFIG,
    CONTAINERD_SOCKET,
    CONTEXTS,
    HOSTPATH_PROVISIONER,
    KUBECONFIG,
    LOGS,
    NODE_ADDRESS,
    POD_SUBNET,
    RUN,
    SERVICE_SUBNET,
    SOURCE,
    STATE,
    VOLUMES,
)
from .steps import StepError, last_line, run, step, wait_for

# The files that say what the cluster is. While they are the same, a running one is as good as a new one.
DEFINED_BY = (
    *("cluster.py", "settings.py", "certificates.py", "components.py", "configuration.py", "node.py", "storage.json"),
    *("kubernetes/go.mod", "kubernetes/go.sum", "kubernetes/main.go", "crds/go.sum"),
)
VERSION = STATE / "version"
# A node may miss its heartbeats for a while on a busy machine; that is no reason to throw away what runs.
NODE_PATIENCE = 20.0
# All pods are one group beside the machine's processes. Left alone, it weighs as much as a single one of them: 1024.
# (cgroup v1; v2 has other files.)
CPU, WEIGHT_OF_PODS = Path("/sys/fs/cgroup/cpu"), "8192"
BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
# Whoever asks a Service that leads to no pod is refused. kube-proxy's own refusal comes too late for pods: the network
# plugin lets everything of theirs pass before it, and the request would leave the machine by its default route. The
# plugin asks this chain first.
REFUSE = (
    ("--new-chain", "CNI-ADMIN"),
    ("--append", "CNI-ADMIN", "--destination", SERVICE_SUBNET, "--jump", "REJECT"),
    ("--append", "OUTPUT", "--destination", SERVICE_SUBNET, "--jump", "CNI-ADMIN"),
)
COMPONENTS = {
    "etcd": components.etcd,
    "kube-apiserver": components.api_server,
    "containerd": components.containerd,
    "registry": components.registry,
    "refusing-registry": components.refusing_registry,
    "kube-controller-manager": components.controller_manager,
    "kube-scheduler": components.scheduler,
    "kube-proxy": components.proxy,
    "kubelet": components.kubelet,
}
BEFORE_API = ("etcd", "kube-apiserver", "containerd", "registry", "refusing-registry")


def up() -> None:
    """Leaves a healthy cluster with the current images, and its kubeconfig in the checkout."""
    packages.refuse_wrong_machine()
    with _alone():
        packages.install_missing()
        if problem := what_is_wrong():
            binary, definitions = build.kubernetes(), build.definitions()
            registry.prepare()
            if STATE.joinpath("etcd").exists() or processes.running():
                print(f"  ({problem}: it is started afresh)", flush=True)
            with step("clear away what is left of an earlier cluster"):
                clear()
            _refuse_a_second_kubernetes()
            _start(binary, definitions)
        else:
            node.restore_gpus(Api())
            print(f"  the cluster at {API_SERVER} is healthy and stays", flush=True)
        registry.publish()
        kubeconfig.write(KUBECONFIG, "admin", CONTEXTS)


def down() -> None:
    """Removes all that runs and all that was changed on the machine. Images, caches and logs stay."""
    packages.refuse_wrong_machine()
    with _alone(), step("stop the cluster"):
        clear()
    KUBECONFIG.unlink(missing_ok=True)


def clear() -> None:
    """Ends the processes and removes their traces, in whatever state they are."""
    VERSION.unlink(missing_ok=True)
    processes.kill()
    leftovers.remove()
    for folder in ("etcd", "kubelet", "containerd", "config", "pki", "bin", "volumes", "volume-plugins", "logs/pods"):
        shutil.rmtree(STATE / folder, ignore_errors=True)
    shutil.rmtree(RUN, ignore_errors=True)


def what_is_wrong() -> str | None:
    """Why the cluster that may be there cannot be used as it is; None when it can."""
    if not VERSION.exists():
        return "no finished cluster is there"
    if VERSION.read_text() != _version():
        return "the cluster that runs was made by other sources"
    if missing := COMPONENTS.keys() - processes.running().keys():
        return f"{', '.join(sorted(missing))} does not run"
    try:
        api = Api()
        deadline = time.monotonic() + NODE_PATIENCE
        while not (ready := node.is_ready(api)) and time.monotonic() < deadline:
            time.sleep(0.5)
    except OSError as error:
        return f"the API server does not answer ({error})"
    return None if ready else "its node is not ready"


def _start(binary: Path, definitions: list[Path]) -> None:
    with step("write certificates and configuration"):
        for folder in (BIN, LOGS, RUN, VOLUMES):
            folder.mkdir(parents=True, exist_ok=True)
        for name in components.NAMES:
            (BIN / name).symlink_to(binary)
        certificates.create()
        configuration.write()
        for client in ("controller-manager", "scheduler", "proxy", "kubelet"):
            kubeconfig.write(CONFIG / f"{client}.kubeconfig", client, ["default"])
        _prepare_machine()
    with step("start etcd, the API server, containerd and the registry"):
        for name in BEFORE_API:
            processes.start(name, COMPONENTS[name]())
        _wait_for_containerd()
        registry.import_pause()
        api = Api()
        _wait("kube-apiserver", api.ready, seconds=60)
    with step("start the controllers, the scheduler, kubelet and kube-proxy"):
        for name in COMPONENTS.keys() - set(BEFORE_API):
            processes.start(name, COMPONENTS[name]())
        for file in definitions:
            name = f"{file.stem.removeprefix('monitoring.coreos.com_')}.monitoring.coreos.com"
            api.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", file.read_bytes())
        storage = (SOURCE / "storage.json").read_bytes()
        api.apply("/apis/storage.k8s.io/v1/storageclasses/standard", storage)
        _wait("kubelet", lambda: node.is_ready(api), seconds=60)
        node.set_gpus(api)
        # A pod cannot be made in a namespace before its service account is there.
        _wait("kube-controller-manager", lambda: _has_service_account(api), seconds=30)
    VERSION.write_text(_version())


def _refuse_a_second_kubernetes() -> None:
    if leftovers.other_kubernetes():
        why = "another Kubernetes has its rules in this machine's network, and the two would undo each other's."
        raise StepError("The test cluster cannot start", why, f"Stop that one, or {packages.ANOTHER_CLUSTER}")


def _has_service_account(api: Api) -> bool:
    return api.get("/api/v1/namespaces/default/serviceaccounts/default") is not None


def _prepare_machine() -> None:
    """The bridge of the pods, whose address is the node's; forwarding, but not of what is meant for Services; and the
    place where volumes are made."""
    log = LOGS / "network.log"
    todo = "The test cluster needs the right to change the network and to mount."
    run(["ip", "link", "add", BRIDGE, "type", "bridge"], log=log, todo=todo)
    prefix = POD_SUBNET.rpartition("/")[2]
    run(["ip", "address", "add", f"{NODE_ADDRESS}/{prefix}", "dev", BRIDGE], log=log, todo=todo)
    run(["ip", "link", "set", BRIDGE, "up"], log=log, todo=todo)
    if not BRIDGED.exists():
        run(["modprobe", "br_netfilter"], log=log, todo="Load the kernel module br_netfilter: Services need it.")
    for setting in (Path("/proc/sys/net/ipv4/ip_forward"), BRIDGED):
        try:
            setting.write_text("1")
        except OSError as error:
            raise StepError("The network cannot be set up", f"{error}.", todo) from None
    for rule in REFUSE:
        run(["iptables", "--wait", *rule], log=log, todo=todo)
    if CPU.is_dir():
        (CPU / "k8s.io").mkdir(exist_ok=True)
        (CPU / "k8s.io/cpu.shares").write_text(WEIGHT_OF_PODS)
    HOSTPATH_PROVISIONER.mkdir(exist_ok=True)
    run(["mount", "--bind", VOLUMES, HOSTPATH_PROVISIONER], log=log, todo=todo)


def _wait_for_containerd() -> None:
    def answers() -> bool:
        command: list[str | Path] = ["ctr", "--address", CONTAINERD_SOCKET, "version"]
        return CONTAINERD_SOCKET.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0

    _wait("containerd", answers, seconds=20)


def _wait(component: str, ready: Callable[[], bool], *, seconds: float) -> None:
    log = processes.log_of(component)

    def probe() -> bool | None:
        if component not in processes.running():
            raise StepError(f"{component} ended", f"{last_line(log)}.", "Read its log, then run `up` again.", log)
        return ready() or None

    def late() -> StepError:
        why = f"it was not ready after {seconds:.0f} s; its log ends with: {last_line(log)}."
        return StepError(f"{component} did not start", why, "Read its log, then run `up` again.", log)

    wait_for(probe, seconds=seconds, failure=late)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two `up` at the same time: the second waits and then finds the cluster of the first."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("  (another run is at work on the cluster: waiting for it)", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _version() -> str:
    digest = hashlib.sha256()
    for name in DEFINED_BY:
        digest.update((SOURCE / name).read_bytes())
    return digest.hexdigest()
