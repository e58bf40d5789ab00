# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test has a namespace of its own, which is deleted when it is over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    path = os.environ.get("K8S_AUTH_KUBECONFIG")
    if not path:
        pytest.fail(
            "No cluster is named. These tests create and delete namespaces, and take no cluster by chance. "
            "Run them with `make integration`, or set K8S_AUTH_KUBECONFIG."
        )
    return Path(path)


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Cluster:
    return Cluster(kubeconfig)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    with cluster.namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def shared_namespace(cluster: Cluster) -> Iterator[Namespace]:
    """One namespace for all tests of a file, which then only look."""
    with cluster.namespace() as namespace:
        yield namespace


@pytest.fixture
def proxy(kubeconfig: Path, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(kubeconfig, tmp_path) as proxy:
        yield proxy
