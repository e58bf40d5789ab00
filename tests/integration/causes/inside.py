# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that do not start, do not get ready, or do not serve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.ai_aas.vllm.tests.integration.causes.case import GOOD, Case, bad, container
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server

# It has to stay ready for longer than it lives: until then it can die, though it has answered. For that it has 15 s, on
# a busy machine, too: a death in the middle of the questions would be told as a wrong answer.
LONG, LIFE = {"minReadySeconds": 300}, 15
FAILING = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
# It is to end in the same way each time, and not once killed in the middle of that.
IN_PEACE = {"terminationGracePeriodSeconds": 30}


def never_ready(**changes: Any) -> Server:
    """So that a death is that of a server that has not been ready yet."""
    look = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1, "initialDelaySeconds": 60}
    return container(readinessProbe=look, **changes)


INSIDE = (
    # --- It does not start.
    Case(
        name="it may not run as root",
        server=container(securityContext={"runAsNonRoot": True, "runAsUser": None}),
        verdict="named_cause",
        cause="runs_as_root",
        says="runAsNonRoot",
        cure="Set runAsUser",
    ),
    Case(
        name="the executable does not exist",
        server=container(command=["vlm", "serve"]),
        verdict="named_cause",
        cause="executable_missing",
        says="vlm",
        cure="Correct the command or the image",
    ),
    Case(
        name="a flag does not exist",
        server=bad(arguments=("--no-such-flag", "1")),
        verdict="named_cause",
        cause="bad_flag",
        says="unrecognized arguments: --no-such-flag",
        cure="Correct or remove --no-such-flag",
    ),
    Case(
        name="the model cannot be had, as its log says far above its end",
        server=bad(env={"STAND_IN_CRASH_LOG": "fail-no-weights"}),
        verdict="named_cause",
        cause="weights_missing",
        says="there are no weights",
        cure="Complete the model's download",
    ),
    Case(
        name="the hub cannot be reached, which may pass",
        server=bad(env={"STAND_IN_CRASH_LOG": "fail-hub-refused"}),
        verdict="repetition",
        cause="hf_unreachable",
        says="the hub",
        cure="Let the pods reach the hub",
    ),
    Case(
        name="it takes too much memory",
        server=bad(env={"STAND_IN_OOM_AFTER_SECONDS": "0"}, load=600),
        verdict="repetition",
        cause="oom_killed",
        says="took more memory than its limit",
        cure="Raise the container's memory limit",
    ),
    Case(
        name="it crashes without a word",
        server=bad(env={"STAND_IN_CRASH_EXIT_CODE": "1"}),
        verdict="repetition",
        cause="crash",
        says="it ended twice with exit code 1",
        cure="Read its log",
    ),
    Case(
        name="it ends as if nothing was wrong",
        server=replace(never_ready(), env={"STAND_IN_ENGINE_DEATH_AFTER_SECONDS": "0.2"}),
        verdict="repetition",
        cause="engine_died",
        says="the engine died while it served",
        cure="Read the container's log",
    ),
    Case(
        name="its startup budget is too small",
        server=bad(load=60, budget=3),
        verdict="named_cause",
        cause="startup_too_slow",
        says="it was still loading, and its startup probe gives it 3s",
        cure="so that it has at least 6s",
    ),
    Case(
        name="it never gets ready",
        server=container(readinessProbe=FAILING),
        options={"wait_timeout": 40},
        verdict="silence",
        cause="readiness_failed",
        says="started, waits for its readiness probe",
        cure="Let its readiness probe ask what the server answers",
    ),
    Case(
        name="its liveness probe fails before it is ready",
        server=replace(never_ready(livenessProbe=FAILING), template=IN_PEACE),
        verdict="repetition",
        cause="liveness_failed",
        says="stopped answering its liveness probe",
        cure="Read the container's log",
    ),
    # --- It serves, and then not.
    Case(
        name="its engine dies after it was ready",
        server=bad(spec=LONG, env={"STAND_IN_ENGINE_DEATH_AFTER_SECONDS": str(LIFE)}),
        first=GOOD,
        verdict="repetition",
        cause="engine_died",
        says="the engine died while it served",
        cure="Read the container's log",
    ),
    Case(
        name="its liveness probe fails after it was ready",
        server=bad(spec=LONG, container={"livenessProbe": FAILING | {"failureThreshold": LIFE}}, template=IN_PEACE),
        first=GOOD,
        verdict="repetition",
        cause="liveness_failed",
        says="stopped answering its liveness probe",
        cure="Read the container's log",
    ),
    Case(
        name="it hangs",
        server=bad(env={"STAND_IN_HANG_AFTER_SECONDS": "0"}),
        options={"verification": {"request_timeout": 5}},
        verdict="verification",
        cause="inference_failed",
        says="no first token within 5 s",
        cure="",
    ),
    Case(
        name="it serves another model",
        server=bad(env={"STAND_IN_SERVED_MODEL_NAME": "another"}),
        verdict="verification",
        cause="identity_failed",
        says="it serves another, not m",
        cure="",
    ),
)
