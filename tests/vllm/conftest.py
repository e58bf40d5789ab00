# SPDX-License-Identifier: GPL-3.0-or-later
"""One server for all tests of a file, since each start takes a minute. Each leaves a revision that serves, verified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration import conftest
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster
from ansible_collections.ai_aas.vllm.tests.vllm.server import RealServer

cluster = conftest.cluster
kubeconfig = conftest.kubeconfig


@pytest.fixture(scope="module")
def server(cluster: Cluster, kubeconfig: Path) -> Iterator[RealServer]:
    connection = Connection({"kubeconfig": str(kubeconfig)}, {})
    with cluster.namespace() as namespace:
        server = RealServer(namespace=namespace, api=Api(connection, namespace.name))
        run = server.deploy()
        assert run.succeeded, run.told
        yield server
