# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot heal is named at once; what may heal is waited for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.doom import (
    CONTRACT,
    NAMED,
    REPEATED,
    count_deaths,
    of_pod,
    of_replica_set,
    with_deaths,
)

Object = dict[str, Any]


def pod(**status: Any) -> Object:
    container = {"name": "vllm", "image": "v:2", "restartCount": 0, "state": {}} | status
    return {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"nodeName": "gpu-a"},
        "status": {"containerStatuses": [container]},
    }


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, *, reason: str = "Error", seconds: int = 5, message: str = "") -> Object:
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": f"2026-01-01T00:{seconds // 60:02}:{seconds % 60:02}Z"}
    return {"terminated": {"exitCode": code, "reason": reason, "message": message} | times}


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
    doom = of_pod(pod(**status), {}, {})
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
    found = of_pod(pod(**status), with_deaths({}, [pod(**status)]), {})
    assert (found.verdict if found else None) == verdict


@pytest.mark.parametrize(
    ("deaths", "cause_id", "sentence"),
    [
        ([(1, "Error")], None, ""),
        ([(1, "Error"), (137, "OOMKilled")], None, ""),
        ([(1, "Error"), (1, "Error")], "crash", "it ended twice with exit code 1"),
        ([(0, "Completed"), (0, "Completed")], "crash", "it ended twice with exit code 0"),
        (
            [(1, "Error"), (137, "OOMKilled"), (137, "OOMKilled")],
            "oom_killed",
            "it ended 3 times with exit code 137 (OOMKilled)",
        ),
    ],
)
def test_dying_twice_in_the_same_way(deaths: list[tuple[int, str]], cause_id: str | None, sentence: str) -> None:
    doom = of_pod(pod(state={"running": {}}), {("u", "vllm"): tuple(deaths)}, {})
    assert (doom.cause.id if doom else None) == cause_id
    if doom:
        assert (doom.verdict, doom.cause.sentence) == (REPEATED, f"p cannot run: {sentence}")


@pytest.mark.parametrize(
    ("status", "count"),
    [
        ({"state": {"running": {}}}, 0),
        ({"state": ended(1)}, 1),
        ({"state": waiting("CrashLoopBackOff"), "lastState": ended(1), "restartCount": 0}, 1),
        ({"state": {"running": {}}, "lastState": ended(1), "restartCount": 1}, 1),
        ({"state": waiting("CrashLoopBackOff"), "lastState": ended(1), "restartCount": 1}, 2),
        ({"state": waiting("ContainerCreating")}, 0),
    ],
)
def test_deaths_are_counted_not_states(status: Object, count: int) -> None:
    assert count_deaths(pod(**status)["status"]["containerStatuses"][0]) == count


def test_deaths_are_remembered_beyond_what_kubernetes_keeps() -> None:
    once = pod(state=ended(1))
    twice = pod(state=waiting("CrashLoopBackOff"), lastState=ended(137, reason="OOMKilled"), restartCount=1)
    known = with_deaths({}, [once])
    assert known == {("u", "vllm"): ((1, "Error"),)}
    assert with_deaths(known, [once]) == known, "one death is counted once"
    assert with_deaths(known, [twice]) == {("u", "vllm"): ((1, "Error"), (137, "OOMKilled"))}
    assert with_deaths({}, [twice]) == {("u", "vllm"): ((137, "OOMKilled"),) * 2}, (
        "what nobody saw was like what is seen"
    )
    assert with_deaths(known, [pod(state={"running": {}})]) == known


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
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    doom = of_replica_set({"status": {"conditions": [condition] if message else []}})
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
    doom = of_pod(body, {}, {})
    assert doom is not None
    assert isinstance(doom.cause, Cause)
    assert doom.cause.container == "fetch"


def died(cause: Cause | None) -> tuple[str, str, str]:
    body = pod(state=waiting("CrashLoopBackOff"), lastState=ended(1), restartCount=1)
    autopsies = {("u", "vllm"): cause} if cause else {}
    doom = of_pod(body, with_deaths({}, [body]), autopsies)
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
    assert of_pod(body, with_deaths({}, [body]), autopsies) is None
