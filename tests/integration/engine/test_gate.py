# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate behind the first new pod: it opens once that has answered, whatever comes in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Drop, Proxy, Request
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
GOOD = Server(replicas=1, parts=())
OTHER = replace(GOOD, env={"WORD": "other"})


class LostOpening:
    """Loses the write that opens the gate, which is the second one of the Deployment, or only its answer."""

    def __init__(self) -> None:
        self.writes = 0

    def count(self, request: Request) -> None:
        if request.is_write and request.path.endswith("/deployments/small"):
            self.writes += 1
            if self.writes == 2:
                raise Drop


@pytest.mark.parametrize("lost", ["before", "after"], ids=["the write", "its answer"])
def test_a_write_that_is_lost_is_sent_again(
    namespace: Namespace, done: Does, kubeconfig: Path, tmp_path: Path, lost: str
) -> None:
    done(deploy(GOOD))
    opening = LostOpening()
    with Proxy(kubeconfig, tmp_path, **{lost: opening.count}) as proxy:
        run = deploy(OTHER).run(proxy.kubeconfig, namespace.name)
    assert not run.result.get("failed"), f"{run.message}\n{run.told}"
    writes = [request for request in proxy.writes() if request.path.endswith("/deployments/small")]
    assert len([request for request in writes if request.status != 409]) == 3  # refused where it moved in between
    assert "waiting for the API server" in run.told
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]
    assert namespace.deployment("small")["spec"].get("minReadySeconds", 0) == 0


def test_nobody_is_asked_where_no_pod_is_wanted(namespace: Namespace, done: Does) -> None:
    """Another template and no pods: the old ones go, and that is all."""
    done(deploy(GOOD))
    idle = replace(OTHER, replicas=0)
    emptied = done(deploy(idle))
    assert emptied.result["release"]["verified"] is False
    assert namespace.pods() == []
    assert namespace.deployment("small")["spec"].get("minReadySeconds", 0) == 0

    again = done(deploy(idle))
    assert (again.result["changed"], again.result["requests"]) == (False, 3)
    assert done(replace(deploy(idle), check_mode=True)).result["changed"] is False
