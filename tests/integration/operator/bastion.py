# SPDX-License-Identifier: GPL-3.0-or-later
"""A host behind ssh: a real server on the loopback, with keys and a port of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SSHD = "/usr/sbin/sshd"
# Debian starts a service when it is installed, unless this file says no.
POLICY = Path("/usr/sbin/policy-rc.d")
PATIENCE = 20


class Bastion:
    """Runs from `with` to its end; `variables` are those of an inventory's host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.chmod(0o700)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    @property
    def variables(self) -> dict[str, Any]:
        options = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ControlPath={self.folder}/c-%C"
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_ssh_private_key_file": str(self.folder / "user"),
            "ansible_ssh_common_args": options,
            "ansible_python_interpreter": sys.executable,
        }

    def __enter__(self) -> Self:
        _install()
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)], check=True)
        (self.folder / "user.pub").rename(self.folder / "authorized")
        (self.folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        )
        log = (self.folder / "log").open("w")
        self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(self.folder / "config")], stderr=log)
        log.close()
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "sshd does not listen"
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def _install() -> None:
    """Installs sshd where it is missing, without starting it. One process at a time."""
    with contextlib.closing(Path(__file__).open()) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(SSHD):
            _install_server()


def _install_server() -> None:
    possible = shutil.which("apt-get") is not None and os.geteuid() == 0
    assert possible, f"There is no {SSHD}. The route over ssh is tested with a real server. Install openssh-server."
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        command = ["apt-get", "install", "--yes", "--no-install-recommends", "openssh-server"]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if ours:
            POLICY.unlink()
