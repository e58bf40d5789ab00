# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for every file: a licence and a readable length."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.rules.checkout import files, text

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
# Formats without comments, captured output, and what tools write.
WITHOUT_LICENCE = {".json", ".log", ".md", ".mod", ".sum", ".txt"}
WRITTEN_BY_TOOLS = {Path("LICENSE"), Path("changelogs/changelog.yaml")}

LIMITS = {".py": 300, ".yml": 150, ".yaml": 150}
# A role's variables belong together in one file, however many they are.
UNLIMITED = ("defaults/main.yml", "meta/argument_specs.yml")


def has_licence(source: str) -> bool:
    """Ansible modules carry two lines of copyright before it, scripts a shebang."""
    return any(LICENCE in line for line in source.splitlines()[:5])


def too_long(path: Path, source: str) -> bool:
    limit = LIMITS.get(path.suffix)
    return limit is not None and not str(path).endswith(UNLIMITED) and len(source.splitlines()) > limit


def test_every_file_names_its_licence() -> None:
    ours = [path for path in files() if path.suffix not in WITHOUT_LICENCE and path not in WRITTEN_BY_TOOLS]
    assert [str(path) for path in ours if not has_licence(text(path))] == []


def test_no_file_is_too_long() -> None:
    assert [str(path) for path in files() if path not in WRITTEN_BY_TOOLS and too_long(path, text(path))] == []


def test_a_missing_licence_is_found() -> None:
    assert not has_licence("from __future__ import annotations\n")
    assert not has_licence("\n" * 5 + f"# {LICENCE}\n")


@pytest.mark.parametrize(
    ("path", "lines", "found"),
    [
        ("a.py", 300, False),
        ("a.py", 301, True),
        ("a.yml", 151, True),
        ("roles/a/defaults/main.yml", 151, False),
        ("a.md", 1000, False),
    ],
)
def test_a_file_that_is_too_long_is_found(path: str, lines: int, found: bool) -> None:
    assert too_long(Path(path), "x\n" * lines) is found
