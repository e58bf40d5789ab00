# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes what the cluster's processes leave on the machine: containers, mounts, the bridge, iptables rules, files.

Each step looks at what is there, so it does not matter how the processes ended, and all may be repeated.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .configuration import NETWORK
from .settings import BRIDGE, HOSTPATH_PROVISIONER, LOGS, RUN, RUNC_ROOT, STATE

# Directories outside our own that are made for the cluster; they go when nobody else has put anything there.
EMPTY = (
    HOSTPATH_PROVISIONER,
    *(Path("/var/lib/kubelet/device-plugins"), Path("/var/lib/kubelet")),
    *(Path("/var/lib/cni/results"), Path("/var/lib/cni/networks"), Path("/var/lib/cni")),
    *(Path("/var/log/containers"), Path("/var/log/pods")),
)
OUR_CHAIN = re.compile(r"(KUBE|CNI)-")


def other_kubernetes() -> bool:
    """Whether kube-proxy of another cluster has its rules here. To be asked when ours are gone."""
    return ":KUBE-SERVICES " in _quietly("iptables-save", "--table", "nat")


def remove() -> None:
    """Removes all of it. The cluster's processes must have ended."""
    _containers()
    _mounts()
    # Chains of these names may be another cluster's; ours are there only as long as our bridge is, which so goes last.
    if Path("/sys/class/net", BRIDGE).exists():
        for family in ("iptables", "ip6tables"):
            _chains(family)
        _quietly("ip", "link", "delete", BRIDGE)
    _files()


def _containers() -> None:
    for root in RUNC_ROOT.glob("*"):
        listing = _quietly("runc", "--root", root, "list", "--format", "json")
        containers = json.loads(listing or "null") or []
        # Each takes a tenth of a second or more, nearly all of it waiting.
        with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
            for container in containers:
                pool.submit(_quietly, "runc", "--root", root, "delete", "--force", container["id"])


def _mounts() -> None:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in reversed(points):
        path = Path(point)
        if path.is_relative_to(RUN) or path.is_relative_to(STATE) or path == HOSTPATH_PROVISIONER:
            _quietly("umount", "--lazy", path)


def _chains(family: str) -> None:
    """One transaction per table that takes out the rules which lead into our chains, then the chains."""
    saved = _quietly(f"{family}-save")
    for table, lines in _tables(saved):
        chains = [line.split()[0][1:] for line in lines if line.startswith(":")]
        ours = [chain for chain in chains if OUR_CHAIN.match(chain)]
        if not ours:
            continue
        leading = [line for line in lines if re.match(r"-A (?!KUBE-|CNI-)\S+ .*-j (KUBE|CNI)-", line)]
        script = [f"*{table}", *(f"-D{rule[2:]}" for rule in leading)]
        script += [f"-F {chain}" for chain in ours] + [f"-X {chain}" for chain in ours] + ["COMMIT", ""]
        restore = [f"{family}-restore", "--noflush"]
        subprocess.run(restore, input="\n".join(script), text=True, capture_output=True, check=True)


def _tables(saved: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\*", saved, flags=re.MULTILINE)[1:]:
        name, *lines = part.splitlines()
        yield name, lines


def _files() -> None:
    # The network plugins' own record of what they gave to which pod.
    for file in Path("/var/lib/cni/results").glob(f"{NETWORK}-*-eth0"):
        pod = file.name.removeprefix(f"{NETWORK}-").removesuffix("-eth0")
        file.with_name(f"cni-loopback-{pod}-lo").unlink(missing_ok=True)
        file.unlink()
    # Links that kubelet makes for log collectors.
    for link in Path("/var/log/containers").glob("*.log"):
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(LOGS):
                link.unlink()
    for folder in [*EMPTY, *Path("/sys/fs/cgroup").glob("k8s.io"), *Path("/sys/fs/cgroup").glob("*/k8s.io")]:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _quietly(*argv: str | Path) -> str:
    """What the command prints; that what it should remove is not there is no failure."""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
