# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot heal is named at once; what may heal is waited for."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import with_deaths
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.doom import (
    CONTRACT,
    NAMED,
    held_up,
    of_deployment,
    of_pod,
    of_replica_set,
)
from ansible_collections.ai_aas.vllm.tests.unit.release.containers import Object, ended, pod, waiting


def replica_failure(message: str) -> Object:
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    return {"status": {"conditions": [condition] if message else []}}


NOT_FOUND = 'rpc error: code = NotFound desc = failed to pull and unpack image "v:2"'


@pytest.mark.parametrize(
    ("status", "verdict", "cause_id", "sentence"),
    [
        pytest.param(
            {"state": waiting("InvalidImageName")},
            CONTRACT,
            "image_name_invalid",
            "'v:2' is no image name",
            id="no name",
        ),
        pytest.param(
            {"state": waiting("ErrImageNeverPull")},
            CONTRACT,
            "image_never_pulled",
            "v:2 is not on the node, and its pull policy is Never",
            id="never pulled",
        ),
        pytest.param(
            {"state": waiting("ErrImagePull", NOT_FOUND)},
            NAMED,
            "image_not_found",
            "the image v:2 does not exist",
            id="no image",
        ),
        pytest.param(
            {"state": waiting("ImagePullBackOff", 'Back-off pulling image "v:2": v:2: not found')},
            NAMED,
            "image_not_found",
            "the image v:2 does not exist",
            id="no image, in back-off",
        ),
        pytest.param(
            {"state": waiting("CreateContainerConfigError", "couldn't find key api-key in Secret system/keys")},
            NAMED,
            "config_key_missing",
            "couldn't find key api-key in Secret system/keys",
            id="no such key",
        ),
        pytest.param(
            {"state": waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")},
            NAMED,
            "runs_as_root",
            "container has runAsNonRoot and image will run as root",
            id="root",
        ),
        pytest.param(
            {"state": waiting("RunContainerError", 'exec: "vlm": executable file not found in $PATH')},
            NAMED,
            "executable_missing",
            'exec: "vlm": executable file not found in $PATH',
            id="no such command",
        ),
        pytest.param(
            {"lastState": ended(128, message='exec: "vlm": executable file not found in $PATH')},
            NAMED,
            "executable_missing",
            'exec: "vlm": executable file not found in $PATH',
            id="no such command, ended",
        ),
        pytest.param(
            {"state": ended(2, message="usage: vllm\nvllm: error: unrecognized arguments: --x\n")},
            NAMED,
            "wrong_command_line",
            "it exited with code 2 after 5 s: vllm: error: unrecognized arguments: --x",
            id="an argument it does not know",
        ),
        pytest.param(
            {"lastState": ended(127, seconds=0)},
            NAMED,
            "wrong_command_line",
            "it exited with code 127 after 0 s",
            id="a command that cannot be run",
        ),
    ],
)
def test_what_cannot_heal(status: Object, verdict: str, cause_id: str, sentence: str) -> None:
    doom = of_pod(pod(**status), {}, {}, {})
    assert doom is not None
    assert (doom.verdict, doom.cause.id, doom.cause.sentence) == (verdict, cause_id, f"p cannot run: {sentence}")
    assert (doom.cause.object, doom.cause.container, doom.cause.node) == ("Pod/p", "vllm", "gpu-a")
    assert doom.cause.cure


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        pytest.param({}, None, id="nothing known"),
        pytest.param({"state": {"running": {}}}, None, id="running"),
        pytest.param({"state": waiting("ContainerCreating")}, None, id="creating"),
        pytest.param(
            {"state": waiting("ErrImagePull", "dial tcp: i/o timeout")}, "capacity", id="the registry does not answer"
        ),
        pytest.param(
            {"state": waiting("ErrImagePull", "401 Unauthorized")}, "capacity", id="the registry wants credentials"
        ),
        pytest.param(
            {"state": waiting("ErrImagePull", "lookup registry: not found, will retry")},
            "capacity",
            id="not found in the middle",
        ),
        pytest.param(
            {"state": waiting("CreateContainerConfigError", 'secret "keys" not found')},
            "absent_reference",
            id="a late Secret",
        ),
        pytest.param({"state": ended(1)}, None, id="the first death"),
        pytest.param({"state": ended(2, seconds=61)}, None, id="a wrong argument is known sooner"),
        pytest.param({"state": ended(0)}, None, id="the first exit"),
        pytest.param({"state": ended(137, reason="OOMKilled")}, None, id="the first time out of memory"),
    ],
)
def test_what_may_heal(status: Object, verdict: str | None) -> None:
    """It is no failure yet, or one that has to stand for a while."""
    found = of_pod(pod(**status), with_deaths({}, [pod(**status)]), {}, {})
    assert (found.verdict if found else None) == verdict


@pytest.mark.parametrize(
    ("message", "cause_id"),
    [
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "pod_security"),
        ("failed quota: compute: must specify limits.cpu", "quota_must_specify"),
        ('error looking up service account system/x: serviceaccount "x" not found', "service_account_missing"),
        ("no PriorityClass with name high was found", "priority_class_missing"),
        ('RuntimeClass "nvidia" not found', "runtime_class_missing"),
        ("exceeded quota: gpus, requested: 1", "quota_exceeded"),
        ("Internal error occurred: failed calling webhook", None),
        ("", None),
    ],
)
def test_pods_that_cannot_be_made(message: str, cause_id: str | None) -> None:
    doom = of_replica_set(replica_failure(message))
    assert (doom.cause.id if doom else None) == cause_id
    if doom:
        assert doom.verdict == ("capacity" if cause_id == "quota_exceeded" else NAMED)
        assert doom.cause.sentence.endswith(message)


def test_a_failure_that_is_over_is_none() -> None:
    condition = {"type": "ReplicaFailure", "status": "False", "message": "violates PodSecurity"}
    assert of_replica_set({"status": {"conditions": [condition]}}) is None


def test_an_init_container_can_doom_its_pod() -> None:
    body = pod(state={"running": {}})
    body["status"]["initContainerStatuses"] = [{"name": "fetch", "image": "i:1", "state": waiting("InvalidImageName")}]
    doom = of_pod(body, {}, {}, {})
    assert doom is not None
    assert isinstance(doom.cause, Cause)
    assert doom.cause.container == "fetch"


def died(cause: Cause | None) -> tuple[str, str, str]:
    body = pod(state=waiting("CrashLoopBackOff"), lastState=ended(1), restartCount=1)
    autopsies = {("u", "vllm"): cause} if cause else {}
    doom = of_pod(body, with_deaths({}, [body]), autopsies, {})
    assert doom
    return doom.verdict, doom.cause.id, doom.cause.setting


def test_what_the_log_says_is_the_cause() -> None:
    lasting = Cause(id="max_len_too_big", sentence="it is too long", setting="--max-model-len")
    assert died(lasting) == (NAMED, "max_len_too_big", "--max-model-len")
    assert died(Cause(id="hf_unreachable", sentence="no hub", transient=True)) == ("repetition", "hf_unreachable", "")
    assert died(None) == ("repetition", "crash", "")


def test_one_death_of_what_may_heal_is_not_enough() -> None:
    body = pod(state=ended(1))
    autopsies = {("u", "vllm"): Cause(id="hf_unreachable", sentence="no hub", transient=True)}
    assert of_pod(body, with_deaths({}, [body]), autopsies, {}) is None


@pytest.mark.parametrize(
    ("hint", "verdict"),
    [
        (Cause(id="driver_too_old", sentence="the driver is too old"), NAMED),
        (
            Cause(id="secret_missing", sentence="s", transient=True, message='secret "keys" not found'),
            "absent_reference",
        ),
        (Cause(id="volume_in_use", sentence="v", transient=True, message="Multi-Attach error"), "capacity"),
    ],
)
def test_what_the_events_say_of_a_pod_that_does_not_start(hint: Cause, verdict: str) -> None:
    doom = of_pod(pod(state=waiting("ContainerCreating")), {}, {}, {"u": hint})
    assert doom is not None
    assert (doom.verdict, doom.cause.id) == (verdict, hint.id)


def test_a_finding_is_told_in_the_words_of_the_hint() -> None:
    body = pod(state=waiting("ErrImagePull", "401 Unauthorized"))
    hint = Cause(id="image_unauthorized", sentence="no entry", cure="Correct it", setting="image pull secrets")
    doom = of_pod(body, {}, {}, {"u": hint})
    assert doom is not None
    assert (doom.verdict, doom.cause.id, doom.cause.setting) == ("capacity", "image_unauthorized", "image pull secrets")


@pytest.mark.parametrize(
    ("finalizers", "why", "cure"),
    [
        ([], "its node gpu-a does not answer", "Look at the node gpu-a"),
        (["x/y"], "a finalizer holds it (x/y)", "Remove the finalizer"),
    ],
)
def test_a_pod_that_should_be_gone(finalizers: list[str], why: str, cure: str) -> None:
    full = of_replica_set(replica_failure("exceeded quota: gpus"))
    assert full is not None
    body = pod()
    body["metadata"]["finalizers"] = finalizers
    cause = held_up(full, body).cause
    assert cause.id == "pod_not_ending"
    assert cause.sentence == f"no pod can be made: exceeded quota: gpus; p should have ended by now, but {why}"
    assert cause.cure.startswith(cure)


@pytest.mark.parametrize(
    ("message", "began", "verdict"),
    [
        ("denied by a webhook", "2026-01-01T00:00:00Z", CONTRACT),
        ("exceeded quota: sets", "2026-01-01T00:00:00Z", "capacity"),
        ("denied by a webhook", "2026-01-01T00:00:01Z", None),
    ],
)
def test_a_replica_set_that_cannot_be_made(message: str, began: str, verdict: str | None) -> None:
    condition = {"reason": "ReplicaSetCreateError", "message": message, "lastUpdateTime": "2026-01-01T00:00:00Z"}
    doom = of_deployment({"status": {"conditions": [condition]}}, began)
    assert (doom.verdict if doom else None) == verdict
