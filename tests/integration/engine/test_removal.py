# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing a release: what goes, what stays, and what is said."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, remove
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
SERVER = Server(replicas=1, parts=("config", "data"))
CLAIM = "PersistentVolumeClaim/small"


def test_data_is_kept_and_said_so(namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    check = done(replace(remove(), check_mode=True))
    assert check.result["changed"] is True
    assert namespace.history("small") == [(1, "current", True)]

    removed = done(remove())
    assert removed.lines[-1] == f"removed; kept, since they hold data: {CLAIM}"
    assert removed.result["actions"]["kept"] == [CLAIM]
    assert removed.result["actions"]["pruned"] == ["ConfigMap/small", "Deployment/small", "Service/small"]
    assert namespace.list("pods") == []
    assert namespace.names("configmaps") <= {"kube-root-ca.crt"}
    assert done(remove()).result["changed"] is False

    claim = namespace.get("persistentvolumeclaims", "small")["metadata"]["uid"]
    done(deploy(SERVER))
    assert namespace.get("persistentvolumeclaims", "small")["metadata"]["uid"] == claim
    assert namespace.history("small") == [(1, "current", True)]


def test_the_history_may_stay(namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    done(remove(keep_history=True))
    assert namespace.history("small") == [(1, "removed", True)]
    assert done(remove(keep_history=True)).result["changed"] is False
    back = done(Command(operation="rollback", options={"revision": 1}))
    assert back.result["release"]["content"] == 1
    assert namespace.history("small") == [(2, "current", True), (1, "removed", True)]
    done(remove())
    assert namespace.names("configmaps") <= {"kube-root-ca.crt"}


def test_a_claim_that_the_release_no_longer_names(namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    without = done(deploy(replace(SERVER, parts=("config",))))
    assert without.result["actions"]["kept"] == [CLAIM]
    assert namespace.names("persistentvolumeclaims") == {"small"}
    assert done(deploy(replace(SERVER, parts=("config",)))).result["changed"] is False


def test_what_was_stripped_of_its_label_goes_too(namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    hands.patch(namespace, "services", {"metadata": {"labels": {"vllm.ai-aas/release": None}}})
    removed = done(remove())
    assert "Service/small" in removed.result["actions"]["pruned"]
    assert namespace.names("services") == set()


def test_what_another_release_has_taken_stays(namespace: Namespace, done: Does) -> None:
    done(deploy(SERVER))
    hands.patch(namespace, "services", {"metadata": {"labels": {"vllm.ai-aas/release": "other"}}})
    done(remove())
    assert namespace.names("services") == {"small"}


def test_a_removal_after_a_deploy_that_was_killed(namespace: Namespace, kubeconfig: Path, done: Does) -> None:
    """Its row must not say for ever that it runs."""
    done(deploy(SERVER))
    upgrade = deploy(replace(SERVER, load=60)).start(kubeconfig, namespace.name)
    upgrade.wait_for("loading")
    upgrade.signal(signal.SIGKILL)
    upgrade.finish()
    done(remove(keep_history=True))
    assert namespace.history("small") == [(2, "interrupted", False), (1, "removed", True)]
