# SPDX-License-Identifier: GPL-3.0-or-later
"""No check is switched off: no ignore files, no skipped tests, and a reason for every single exception."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.ai_aas.vllm.tests.rules.checkout import below, files, having, text

IGNORE_FILE = re.compile(r"(^|/)(tests/sanity/.*|\.ansible-lint-ignore|\.yamllint.*)$")
SKIPPED_TEST = re.compile(r"\b(skip|skipif|xfail|importorskip)\(|\bmark\.(skip|xfail)\b")
EXCEPTION = re.compile(r"# ?(noqa|type: ?ignore|pylint: ?disable|nosec)\b(?P<rest>.*)")


def unexplained(source: str) -> list[int]:
    """Numbers of the lines that excuse themselves from a check and give no reason, neither beside nor just above."""
    above = ""
    found = []
    for number, line in enumerate(source.splitlines(), start=1):
        exception = EXCEPTION.search(line)
        # Rule names have no two words in a row.
        if exception and not re.search(r"\w+ \w+", exception["rest"]) and not above.lstrip().startswith("# "):
            found.append(number)
        above = line
    return found


def test_there_are_no_ignore_files() -> None:
    assert [str(path) for path in files() if IGNORE_FILE.search(str(path))] == []


def test_ansible_lint_skips_no_rule() -> None:
    settings = yaml.safe_load(text(next(path for path in files() if str(path) == ".ansible-lint")))
    assert settings["profile"] == "production"
    assert settings.keys() & {"skip_list", "warn_list", "mock_modules", "mock_roles"} == set()


def test_no_test_is_skipped() -> None:
    tests = [path for path in below("tests") if path.suffix == ".py"]
    assert [str(path) for path in tests if SKIPPED_TEST.search(text(path))] == []


def test_every_exception_from_a_check_has_a_reason() -> None:
    found = [f"{path}:{line}" for path in having(".py", ".yml", ".yaml") for line in unexplained(text(path))]
    assert found == []


@pytest.mark.parametrize("planted", ["skip" + "('later')", "@pytest.mark." + "xfail", "importorskip" + "('yaml')"])
def test_a_skipped_test_is_found(planted: str) -> None:
    assert SKIPPED_TEST.search(planted)


@pytest.mark.parametrize(
    ("comment", "found"),
    [
        ("no" + "qa: BLE001", True),
        ("no" + "qa: BLE001 - the caller turns it into a sentence", False),
        ("type: " + "ignore[no-untyped-call]", True),
        ("type: " + "ignore[no-untyped-call]  # untyped in ansible-core", False),
    ],
)
def test_an_exception_without_reason_is_found(comment: str, found: bool) -> None:
    assert bool(unexplained(f"x = 1\ny = f(x)  # {comment}\n")) is found


def test_a_reason_may_stand_above() -> None:
    assert unexplained("# The library has no public way.\nx = y._z  # no" + "qa: SLF001\n") == []
