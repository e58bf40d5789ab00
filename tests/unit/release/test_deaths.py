# SPDX-License-Identifier: GPL-3.0-or-later
"""Deaths are counted, each once, and only those of this rollout."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.deaths import Ends, count_deaths, with_deaths
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.doom import NAMED, REPEATED, of_pod
from ansible_collections.ai_aas.vllm.tests.unit.release.containers import Object, ended, pod, waiting


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
    doom = of_pod(pod(state={"running": {}}), {("u", "vllm"): Ends(ends=tuple(deaths))}, {}, {})
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
    assert known == {("u", "vllm"): Ends(ends=((1, "Error"),))}
    assert with_deaths(known, [once]) == known, "one death is counted once"
    assert with_deaths(known, [twice]) == {("u", "vllm"): Ends(ends=((1, "Error"), (137, "OOMKilled")))}
    assert with_deaths({}, [twice]) == {("u", "vllm"): Ends(ends=((137, "OOMKilled"),) * 2)}, (
        "what nobody saw was like what is seen"
    )
    assert with_deaths(known, [pod(state={"running": {}})]) == known


BACK_OFF = {"state": waiting("CrashLoopBackOff"), "lastState": ended(1), "restartCount": 1}


def test_what_was_before_the_rollout_does_not_doom_it() -> None:
    """The same command again gives a server another try: what it died of may have been put right."""
    body = pod(**BACK_OFF)
    body["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    lasting = {("u", "vllm"): Cause(id="hf_gated", sentence="the licence is not accepted")}
    for began, verdict in (("2026-01-01T00:00:00Z", NAMED), ("2026-01-01T00:00:01Z", None)):
        doom = of_pod(body, with_deaths({}, [body], began), lasting, {})
        assert (doom.verdict if doom else None) == verdict
    known = with_deaths({}, [body], "2026-01-01T00:00:01Z")
    again = pod(**BACK_OFF | {"restartCount": 2, "lastState": ended(1, started="2026-01-01T00:00:02Z")})
    again["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    doom = of_pod(again, with_deaths(known, [again], "2026-01-01T00:00:01Z"), {}, {})
    assert doom is not None
    assert doom.verdict == REPEATED, "it died once more, as it did before"


def test_a_pod_that_was_there_before_may_die_for_the_first_time() -> None:
    body, began = pod(state={"running": {}}), "2026-01-01T00:00:01Z"
    dead = pod(state=ended(1, started=began))
    for one in (body, dead):
        one["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    known = with_deaths(with_deaths({}, [body], began), [dead], began)
    assert known[("u", "vllm")].fresh == 1


@pytest.mark.parametrize(
    ("started", "fresh"),
    [("2026-01-01T00:00:01Z", 0), ("2026-01-01T00:00:02Z", 1), ("1970-01-01T00:00:00Z", 1), ("", 1)],
)
def test_a_run_that_started_before_the_rollout_does_not_count(started: str, fresh: int) -> None:
    """It may still have what was put right since."""
    began = "2026-01-01T00:00:02Z"
    loading = pod(state={"running": {}}, lastState=ended(1), restartCount=1)
    dead = pod(state=ended(1, started=started), lastState=ended(1), restartCount=1)
    for one in (loading, dead):
        one["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    known = with_deaths(with_deaths({}, [loading], began), [dead], began)
    assert known[("u", "vllm")].fresh == fresh
    assert (of_pod(dead, known, {}, {}) is None) == (not fresh)


def test_an_init_container_that_has_done_its_work_is_not_dead() -> None:
    body = pod(state={"running": {}})
    body["status"]["initContainerStatuses"] = [{"name": "fetch", "restartCount": 1, "state": ended(0)}]
    assert of_pod(body, with_deaths({}, [body]), {}, {}) is None
