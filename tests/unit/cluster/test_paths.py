# SPDX-License-Identifier: GPL-3.0-or-later
"""Where objects live in the REST API."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import PLURALS, Kind, collection


@pytest.mark.parametrize(
    ("kind", "plural", "path"),
    [
        (Kind("v1", "ConfigMap"), "configmaps", "/api/v1/namespaces/system/configmaps"),
        (Kind("apps/v1", "Deployment"), "deployments", "/apis/apps/v1/namespaces/system/deployments"),
        (
            Kind("monitoring.coreos.com/v1", "ServiceMonitor"),
            "servicemonitors",
            "/apis/monitoring.coreos.com/v1/namespaces/system/servicemonitors",
        ),
    ],
)
def test_the_path_of_a_kind(kind: Kind, plural: str, path: str) -> None:
    assert PLURALS[kind.api_version, kind.name] == plural
    assert collection(kind, plural, "system") == path
    assert str(kind) == kind.name


@pytest.mark.parametrize(("api_version", "kind"), sorted(PLURALS))
def test_plurals_are_spelt_as_kubernetes_spells_them(api_version: str, kind: str) -> None:
    regular = kind.lower() + ("es" if kind.endswith("s") else "s")
    expected = regular.removesuffix("ys") + "ies" if kind.endswith("y") else regular
    assert PLURALS[api_version, kind] == expected
