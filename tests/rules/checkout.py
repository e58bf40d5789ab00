# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the rules look at: what git tracks, and what it would."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Relative to the checkout. A deleted file that git still lists is none."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(Path(name) for name in listed if name and (ROOT / name).is_file())


def having(*suffixes: str) -> list[Path]:
    return [path for path in files() if path.suffix in suffixes]


def below(*parts: str) -> list[Path]:
    return [path for path in files() if path.parts[: len(parts)] == parts]


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
