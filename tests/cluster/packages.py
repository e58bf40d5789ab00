# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that come from Debian's packages: the container runtime, its network and the image tools."""

from __future__ import annotations

import os
import platform
import shutil

from .settings import LOGS
from .steps import StepError, run, step

PROGRAMS = {
    "catatonit": "catatonit",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "docker-registry": "docker-registry",
    "ip": "iproute2",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "runc": "runc",
    "skopeo": "skopeo",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}


ANOTHER_CLUSTER = "name a cluster of your own with CLUSTER_KUBECONFIG=path."


def refuse_wrong_machine() -> None:
    """Raises StepError unless this is Linux, and root asks."""
    what = "The test cluster cannot run here"
    if platform.system() != "Linux":
        raise StepError(what, f"it needs Linux and this is {platform.system()}.", f"N{ANOTHER_CLUSTER[1:]}")
    if os.geteuid() != 0:
        why = "it starts containers and a kubelet, which only root may."
        raise StepError(what, why, f"Run it as root, or {ANOTHER_CLUSTER}")


def install_missing() -> None:
    """Installs what is missing; says nothing when all is there."""
    missing = sorted({package for program, package in PROGRAMS.items() if not _present(program)})
    if not missing:
        return
    todo = f"Install them by hand: {' '.join(missing)}."
    if shutil.which("apt-get") is None:
        raise StepError("Programs are missing", "this machine has no apt-get to install them with.", todo)
    with step(f"install {', '.join(missing)}"[:61]):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        # A foreign package source that is out of reach fails the update although Debian's own was read; the
        # installation then tells what is really missing.
        try:
            run(["apt-get", "update"], log=LOGS / "apt-update.log", todo="", env=environment)
        except StepError:
            pass
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
        run(install, log=LOGS / "apt-install.log", todo=todo, env=environment)


def _present(program: str) -> bool:
    return os.path.exists(program) if program.startswith("/") else shutil.which(program) is not None
