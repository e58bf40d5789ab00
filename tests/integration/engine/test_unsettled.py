# SPDX-License-Identifier: GPL-3.0-or-later
"""After an operation that did not come to its end, what was proven before it need not be so any more."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import Point, Watch
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import Scenario, deploy, remove, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import WRONG_FLAG, Server
from ansible_collections.ai_aas.vllm.tests.integration.engine.sweep import watched
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
GOOD = Server(replicas=1, parts=())
BAD = replace(GOOD, arguments=WRONG_FLAG.arguments)
SOON = {"verification": {"request_timeout": 3}}


def test_a_server_that_was_disproven_is_asked_again(namespace: Namespace, done: Does, run: Does) -> None:
    """It hangs, and the way back to it has found that out. Nothing about its objects is to be changed."""
    done(deploy(GOOD))
    (pod,) = namespace.pods()
    hands.touch(namespace, pod["metadata"]["name"], "/tmp/stand-in-hang")
    back = run(deploy(BAD, **SOON))
    assert "Revision 3 failed, too: " in back.message
    assert namespace.history("small") == [(3, "failed", False), (2, "failed", False), (1, "current", True)]

    for _time in range(2):
        again = run(deploy(GOOD, **SOON))
        assert again.result.get("failed"), again.told
        assert again.result["failure"]["cause"] == "inference_failed"

    hands.delete(namespace, "pods", name=pod["metadata"]["name"])
    assert done(deploy(GOOD)).result["release"]["verified"]
    assert done(deploy(GOOD)).result["requests"] == 3, "settled: the head and two kinds"


def test_a_rollback_undoes_what_was_left_of_a_deploy(namespace: Namespace, done: Does, run: Does) -> None:
    """The last commit is what there is to go back to; once it is put right, the one before it."""
    second = replace(GOOD, env={"WORD": "second"})
    done(deploy(GOOD))
    done(deploy(second))
    (pod,) = namespace.pods()
    run(deploy(BAD, on_failure="hold"))
    assert len(namespace.pods()) == 2

    undone = done(rollback())
    assert undone.result["release"]["revision"] == 2
    assert [each["metadata"]["uid"] for each in namespace.pods()] == [pod["metadata"]["uid"]]
    assert namespace.history("small") == [(3, "failed", False), (2, "current", True), (1, "superseded", True)]

    assert done(rollback()).result["release"]["content"] == 1
    assert namespace.history("small")[0] == (4, "current", True)


def test_a_server_that_was_stopped_comes_back_where_a_scaler_is_to_have_its_number(
    namespace: Namespace, done: Does, run: Does
) -> None:
    """A scaler leaves a Deployment of no pods alone."""
    stopped = run(deploy(replace(BAD, replicas=None)))
    assert " It was stopped. " in stopped.message
    assert namespace.deployment("small")["spec"]["replicas"] == 0
    fixed = done(deploy(replace(GOOD, replicas=None)))
    assert fixed.result["release"]["verified"]
    assert len(namespace.pods()) == 1
    assert done(deploy(replace(GOOD, replicas=None))).result["changed"] is False


def test_a_deploy_after_a_removal_that_was_cut_short(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    """What it has deleted of the history is no way back any more, and what it has not is none either."""
    cut = Scenario(name="", before=(deploy(GOOD),), command=remove())
    cut.prepare(kubeconfig, namespace)
    watch = Watch(Point(side="before", writes=("remove apply: DELETE head",)))
    watched(cut, kubeconfig, namespace, watch)
    assert watch.reached.is_set()

    done(deploy(GOOD))
    assert namespace.history("small") == [(2, "current", True)]
    assert namespace.record(2, "small")["definition"]


def test_what_is_foreseen_of_a_deploy_that_was_cut_short(namespace: Namespace, done: Does, kubeconfig: Path) -> None:
    done(deploy(GOOD))
    command = deploy(replace(GOOD, env={"WORD": "second"}))
    watch = Watch(Point(side="after", writes=("deploy apply: POST record 2",)))
    watched(Scenario(name="", command=command), kubeconfig, namespace, watch)
    assert watch.reached.is_set()

    foreseen = done(replace(command, check_mode=True))
    taken_up = done(command)
    assert re.search("^taking up the deploy of revision 2", taken_up.told, re.MULTILINE)
    for what in ("changed", "actions"):
        assert foreseen.result[what] == taken_up.result[what]
    assert foreseen.result["release"]["revision"] == taken_up.result["release"]["revision"] == 2
