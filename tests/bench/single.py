# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to one server, from its first install to a killed upgrade. Each case leaves the state it has found."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from ansible_collections.ai_aas.vllm.tests.bench.contestants import GOOD, Helm
from ansible_collections.ai_aas.vllm.tests.bench.lane import NAME, PATIENCE, Lane, State, is_ready
from ansible_collections.ai_aas.vllm.tests.bench.measure import Ran, Watch
from ansible_collections.ai_aas.vllm.tests.bench.templates import Wish

# Helm and kubernetes.core wait for the whole of their limit, which is 300 s and 120 s if nobody sets it.
LIMIT = 15
BAD_TAG = replace(GOOD, tag="v9.9.9", limit=LIMIT)
NO_MODEL = replace(GOOD, model="/models/missing", limit=LIMIT)
BAD_FLAG = replace(GOOD, flag="--no-such-flag", network_policy=False, limit=LIMIT)
SLOW = replace(GOOD, load="4")
# Seconds to see whether somebody still does something when the command is over.
GRACE = 3

NEVER = "never"
INSTALL = "first install: whole command, s"
READY = "first install: from the pod's readiness to the end, s"
WHOLE = "{}: old state whole again after, s"
RETURNS = "{}: command returns after, s"
CAUSE = "{}: its output names the cause"
SAYS = "{}: what it says"
DROPPED = "bad flag: NetworkPolicy that the failing release drops"
AGAIN = "upgrade killed: the same command again"
AGAIN_TIME = "upgrade killed: the same command again, s"
LEFT = "upgrade killed: left behind after it"
BY_HAND = "upgrade killed: repaired by hand, s"
DRIFT = "{}: the same command again"
DRIFT_TIME = "{}: the same command again, s"


def install(lane: Lane) -> None:
    with Watch(lambda: any(is_ready(pod) for pod in lane.namespace.list("pods")), interval=0.03) as watch:
        ran = lane.runner.done(lane.contestant.deploy(lane.namespace.name))
        assert watch.wait_for(bool, seconds=PATIENCE), "the pod does not get ready"
    ready = next(moment for moment, is_so in watch.looks if is_so)
    lane.add(INSTALL, ran.wall)
    lane.add(READY, ran.ended - ready)
    lane.rest()


def bad_tag(lane: Lane) -> None:
    """An image that does not exist."""
    before = lane.rest()
    ran, _looks = _fail(lane, "bad tag", BAD_TAG, before)
    lane.add(CAUSE.format("bad tag"), "yes" if "not found" in ran.output else "no")


def missing_model(lane: Lane) -> None:
    """A model that is not where the server looks for it."""
    before = lane.rest()
    ran, _looks = _fail(lane, "missing model", NO_MODEL, before)
    named = "there is no model at" in ran.output or "Invalid repository ID" in ran.output
    lane.add(CAUSE.format("missing model"), "yes" if named else "no")
    lane.add(SAYS.format("missing model"), _message(ran))


def bad_flag(lane: Lane) -> None:
    """A server that exits with 2, in a release that also drops an object."""
    before = lane.rest()
    ran, looks = _fail(lane, "bad flag", BAD_FLAG, before)
    lane.add(CAUSE.format("bad flag"), "yes" if "unrecognized arguments" in ran.output else "no")
    gone = [moment for moment, state in looks if not state.policy]
    lane.add(DROPPED, f"deleted, for {gone[-1] - gone[0]:.0f} s" if gone else "kept")


def scaled_by_hand(lane: Lane) -> None:
    _drift(lane, "kubectl scale", ["scale", f"deployment/{NAME}", "--replicas=2"])


def image_set_by_hand(lane: Lane) -> None:
    _drift(lane, "kubectl set image", ["set", "image", f"deployment/{NAME}", "vllm=vllm/vllm-openai:latest"])


def killed(lane: Lane) -> None:
    """SIGKILL to an upgrade whose pod loads."""
    (command,) = lane.contestant.deploy(lane.namespace.name, SLOW)
    process = lane.runner.start(command)
    with Watch(lambda: lane.is_loading(SLOW), interval=0.05) as watch:
        assert watch.wait_for(bool, seconds=PATIENCE), "the pod of the upgrade does not load"
        process.kill()
    process.finish()
    again = lane.runner.run([command])
    lane.add(AGAIN, "works" if again.succeeded else f"refused: {_last_line(again)}")
    lane.add(AGAIN_TIME, again.wall)
    lane.add(LEFT, lane.contestant.record(lane.namespace, lane.runner) or "nothing")
    if not again.succeeded and isinstance(lane.contestant, Helm):
        started = time.monotonic()
        lane.runner.done([*lane.contestant.unblock(lane.namespace.name), command])
        lane.add(BY_HAND, time.monotonic() - started)
    assert f'"value": "{SLOW.load}"' in lane.rest().asked, f"{lane.contestant.name} left the upgrade undone"


CASES = (install, bad_tag, missing_model, bad_flag, scaled_by_hand, image_set_by_hand, killed)


def _fail(lane: Lane, case: str, wish: Wish, before: State) -> tuple[Ran, list[tuple[float, State]]]:
    with Watch(lane.state) as watch:
        ran = lane.runner.run(lane.contestant.deploy(lane.namespace.name, wish))
        restored = watch.wait_for(lambda state: state == before, seconds=GRACE)
    assert not ran.succeeded, f"{lane.contestant.name} takes a {case} for a success"
    lane.add(RETURNS.format(case), ran.wall)
    disturbed = max((moment for moment, state in watch.looks if state != before), default=ran.started)
    whole = [moment - ran.started for moment, _state in watch.looks if moment > disturbed]
    lane.add(WHOLE.format(case), whole[0] if whole else NEVER)
    if not restored:
        lane.restore(before)
    return ran, watch.looks


def _drift(lane: Lane, case: str, hand: list[str]) -> None:
    before = lane.rest()
    lane.runner.done([["kubectl", "--namespace", lane.namespace.name, *hand]])
    assert lane.rest().asked != before.asked
    ran = lane.runner.run(lane.contestant.deploy(lane.namespace.name))
    with Watch(lane.state) as watch:
        restored = watch.wait_for(lambda state: state == before, seconds=GRACE)
    fate = "the drift stays" if not restored else "repaired"
    lane.add(DRIFT.format(case), fate if ran.succeeded else f"fails, {fate}")
    lane.add(DRIFT_TIME.format(case), ran.wall)
    if not restored:
        lane.restore(before)


def _message(ran: Ran) -> str:
    """What a failed task says, or the last line of another program."""
    found = re.search(r"^ +msg: (.*?)\n(?: {0,4}\S|$)", ran.output, re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else _last_line(ran)


def _last_line(ran: Ran) -> str:
    return ran.output.strip().splitlines()[-1].removeprefix("Error: ").removeprefix("UPGRADE FAILED: ")
