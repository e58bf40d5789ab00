# SPDX-License-Identifier: GPL-3.0-or-later
"""A run may end at any moment without a word. The same command again always helps."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import deploy, start_deploy

SLOW = [{"name": "STAND_IN_LOAD_SECONDS", "value": "4"}, {"name": "STAND_IN_FIRST_TOKEN_SECONDS", "value": "4"}]


@pytest.mark.parametrize("moment", ["revision 1: applying", " loading, ", ": asking "])
def test_a_first_deploy_that_is_killed(namespace: Namespace, moment: str) -> None:
    """At once, though a worker lives on until it has the answer that it waits for."""
    first = start_deploy(namespace.name, variables={"vllm_deploy_env": SLOW})
    first.wait_for(moment)
    first.kill()
    again = deploy(namespace.name, variables={"vllm_deploy_env": SLOW})
    assert again.succeeded, again.told
    assert again.result()["release"]["verified"]
    assert namespace.head()["operation"] is None
    assert namespace.history() == [(1, "current", True)]
    assert not deploy(namespace.name, variables={"vllm_deploy_env": SLOW}).result()["changed"]


def test_an_upgrade_that_is_killed_and_given_up(namespace: Namespace) -> None:
    assert deploy(namespace.name).succeeded
    upgrade = start_deploy(namespace.name, variables={"vllm_deploy_env": SLOW})
    upgrade.wait_for("revision 2: .* loading, ")
    upgrade.kill()
    again = deploy(namespace.name)
    assert again.succeeded, again.told
    assert namespace.history()[-2:] == [(2, "interrupted", False), (1, "current", True)]
    assert not deploy(namespace.name).result()["changed"]


def test_ctrl_c(namespace: Namespace) -> None:
    """In the middle of a load. The same command at once goes on with it."""
    assert deploy(namespace.name).succeeded
    upgrade = start_deploy(namespace.name, variables={"vllm_deploy_env": SLOW})
    upgrade.wait_for("revision 2: .* loading, ")
    upgrade.interrupt()
    assert not upgrade.succeeded
    assert namespace.head()["operation"]["revision"] == 2
    loading = {pod["metadata"]["uid"] for pod in namespace.pods()}

    again = deploy(namespace.name, variables={"vllm_deploy_env": SLOW})
    assert again.succeeded, again.told
    assert "taking up the deploy of revision 2 where it was interrupted" in again.stderr
    assert again.result()["release"]["verified"]
    assert loading & {pod["metadata"]["uid"] for pod in namespace.pods()}, "the load was begun anew"
    assert namespace.head()["operation"] is None
    assert namespace.history() == [(2, "current", True), (1, "superseded", True)]
    assert not deploy(namespace.name, variables={"vllm_deploy_env": SLOW}).result()["changed"]
