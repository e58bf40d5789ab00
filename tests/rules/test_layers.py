# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.tests.rules.checkout import below, text
from ansible_collections.ai_aas.vllm.tests.rules.layers import IMPURE, LIBRARIES, MAY_USE, PURE, violations

UTILS = "from ansible_collections.ai_aas.vllm.plugins.module_utils"


def test_every_plugin_keeps_to_its_layer() -> None:
    found = []
    for path in below("plugins"):
        if path.suffix == ".py":
            found += violations(".".join(path.with_suffix("").parts[1:]), text(path))
    assert found == []


def test_the_tables_name_nothing_that_is_gone() -> None:
    modules = [".".join(path.with_suffix("").parts[1:]) + "." for path in below("plugins")]
    named = {*MAY_USE, *PURE, *IMPURE, *(part for parts in LIBRARIES.values() for part in parts)}
    assert [name for name in sorted(named) if not any(module.startswith(f"{name}.") for module in modules)] == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("module_utils.findings", f"{UTILS}.errors import NotFound", "must not use module_utils.errors"),
        (
            "module_utils.release.engine",
            f"{UTILS}.serving.probe import ask",
            "must not use module_utils.serving",
        ),
        ("module_utils.release.engine", f"{UTILS} import serving", "must not use module_utils.serving"),
        ("module_utils.release.engine", "from ..serving import probe", "must not use module_utils.serving.probe"),
        (
            "module_utils.serving.probe",
            f"{UTILS}.release.plan import Plan",
            "must not use module_utils.release",
        ),
        (
            "module_utils.cluster.api",
            f"{UTILS}.release.plan import Plan",
            "must not use module_utils.release",
        ),
        (
            "modules.vllm_release",
            f"{UTILS}.release.engine import Deploy",
            "must not use module_utils.release",
        ),
        ("module_utils.release.engine", "from kubernetes import client", "must not use kubernetes.client"),
        ("module_utils.release.store", "import ansible.errors", "must not use ansible.errors"),
        ("module_utils.release.plan", "import time", "pure and must not use time"),
        ("module_utils.release.plan", "import urllib.request", "pure and must not use urllib.request"),
        (
            "module_utils.release.plan",
            f"{UTILS}.cluster.api import Api",
            "pure and must not use module_utils.cluster",
        ),
        ("module_utils.release.plan", "def f():\n    import os", "pure and must not use os"),
        ("module_utils.serving.health", "datetime.now()", "must not ask the clock (line 1)"),
        ("module_utils.release.brand_new", "open('x')", "must not call open (line 1)"),
        ("module_utils.brand_new", "", "belongs to no layer"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str, found: str) -> None:
    assert any(found in violation for violation in violations(module, source)), violations(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "module_utils.operations.release",
            f"{UTILS} import outcome\n{UTILS}.serving import rules",
        ),
        ("module_utils.release.plan", "from urllib.parse import quote\nfrom collections.abc import Iterable"),
        ("module_utils.release.plan", f"{UTILS}.cluster.paths import Kind\nfrom . import names"),
        ("module_utils.release.engine", "import time\ntime.monotonic()"),
    ],
)
def test_a_right_import_is_not(module: str, source: str) -> None:
    assert violations(module, source) == []
