# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the cluster: made when their sources change, and pushed to the registry that kubelet pulls from.

The stand-in server's images are a Debian with Python (cached) under a thin layer of its sources.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .image import File, Image, write_archive, write_layer
from .settings import CACHE, CONTAINERD_SOCKET, LOGS, PAUSE_IMAGE, REGISTRY, REGISTRY_STORAGE, SOURCE, STATE
from .steps import run, step

REPOSITORY = "vllm/vllm-openai"
VERSIONS = {"v0.33.0": ("v0.33.0", "latest"), "v0.10.2": ("v0.10.2",)}
PUBLISHED = STATE / "images"
STAND_IN = SOURCE / "stand_in"
LOG_FILES = SOURCE.parent / "fixtures" / "vllm-logs"
LIBRARY = "usr/lib/python3/dist-packages/stand_in"

DEBIAN = (
    *("mmdebstrap", "--quiet", "--variant=essential", "--include=python3-minimal,libpython3-stdlib,python3-yaml"),
    *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"),
    *("--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/i18n/*"),
    # The user that vLLM's own image brings, with its home directory.
    '--customize-hook=echo "vllm:x:2000:0::/home/vllm:/bin/sh" >> "$1/etc/passwd"',
    '--customize-hook=install --directory --owner=2000 --group=0 --mode=0775 "$1/home/vllm" "$1/vllm-workspace"',
    '--customize-hook=rm -rf "$1/var/lib/apt/lists" "$1/var/cache"',
    "bookworm",
)


def prepare() -> None:
    """Makes what takes long and will be needed (a Debian with Python), before a running cluster is stopped."""
    if not _is_published():
        _debian()


def import_pause() -> None:
    """Gives containerd the image of pod sandboxes. It is not pulled: no registry is needed for it."""
    with tempfile.TemporaryDirectory() as folder:
        layer, archive = Path(folder, "layer.tar"), Path(folder, "pause.tar")
        program = shutil.which("catatonit") or "/usr/bin/catatonit"
        write_layer(layer, {"catatonit": File(content=Path(program).read_bytes(), mode=0o755)})
        write_archive(archive, Image(name=PAUSE_IMAGE, layers=[layer], entrypoint=["/catatonit", "-P"]))
        run([*_ctr(), "images", "import", archive], log=LOGS / "pause.log", todo="Read the log of containerd.")


def publish() -> None:
    """Pushes the stand-in's images if their sources have changed since, and makes kubelet pull them again."""
    if _is_published():
        return
    prepare()
    with step("push the stand-in's images to the registry"):
        PUBLISHED.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for version, tags in VERSIONS.items():
                archive = Path(folder, f"{version}.tar")
                write_stand_in(archive, version)
                for tag in tags:
                    _push(archive, tag)
        PUBLISHED.write_text(_key())


def _push(archive: Path, tag: str) -> None:
    target = f"docker://{REGISTRY}/{REPOSITORY}:{tag}"
    copy = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"docker-archive:{archive}", target]
    run(copy, log=LOGS / "push.log", todo="Read the log of the registry.")
    # What kubelet has pulled under this tag is old now; pods that run keep it.
    forget = [*_ctr(), "images", "remove", f"docker.io/{REPOSITORY}:{tag}"]
    subprocess.run(forget, capture_output=True, check=False)


def write_stand_in(target: Path, version: str) -> None:
    """Writes the stand-in for vLLM `version` as a docker archive."""
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder, "layer.tar")
        write_layer(layer, dict(_sources()))
        labels = {
            "org.opencontainers.image.title": "Stand-in for vLLM, for tests. It is not vLLM.",
            "org.opencontainers.image.version": version,
        }
        image = Image(
            name=f"{REPOSITORY}:{version}",
            layers=[_debian(), layer],
            entrypoint=["vllm", "serve"],
            environment={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHONUNBUFFERED": "1",
                "STAND_IN_VERSION": version.removeprefix("v"),
                "VLLM_USAGE_SOURCE": "production-docker-image",
            },
            labels=labels,
            working_directory="/vllm-workspace",
        )
        write_archive(target, image)


def _sources() -> Iterator[tuple[str, File]]:
    for path in [*sorted(STAND_IN.glob("*.py")), STAND_IN / "flags.txt"]:
        yield f"{LIBRARY}/{path.name}", File(content=path.read_bytes())
    for path in sorted(LOG_FILES.glob("*.log")):
        yield f"{LIBRARY}/logs/{path.name}", File(content=path.read_bytes())
    starter = b"#!/usr/bin/python3\nfrom stand_in.__main__ import main\n\nmain()\n"
    yield "usr/local/bin/vllm", File(content=starter, mode=0o755)


def _is_published() -> bool:
    return PUBLISHED.exists() and REGISTRY_STORAGE.exists() and PUBLISHED.read_text() == _key()


def _key() -> str:
    digest = hashlib.sha256()
    for name, file in _sources():
        digest.update(f"{name} {file.mode} {len(file.content)} ".encode() + file.content)
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def _debian() -> Path:
    archive = CACHE / f"debian-{hashlib.sha256(' '.join(DEBIAN).encode()).hexdigest()[:12]}.tar"
    if not archive.exists():
        with step("make a Debian with Python (cached)"):
            CACHE.mkdir(parents=True, exist_ok=True)
            temporary = archive.with_name(f"{os.getpid()}.{archive.name}")
            run([*DEBIAN, temporary], log=LOGS / "debian.log", todo="Check that Debian's packages can be reached.")
            os.replace(temporary, archive)
    return archive


def _ctr() -> list[str | Path]:
    return ["ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io"]
