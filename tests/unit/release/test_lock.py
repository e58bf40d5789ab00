# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the holder of a release still lives, as far as it can be seen from here."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import lock
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Patience
from ansible_collections.ai_aas.vllm.tests.unit.release.heads import FULL, operation


def test_this_process_lives() -> None:
    me = lock.here("ann")
    assert (me.pid, me.user) == (os.getpid(), "ann")
    assert me.boot_id
    assert me.pid_namespace.startswith("pid:[")
    assert me.start > 0
    assert lock.gone(me) is False


def test_a_process_that_ended_is_gone_and_so_is_one_that_only_waits_to_be_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        holder = replace(lock.here(""), pid=process.pid, start=lock.process(process.pid)[0])
        assert lock.gone(holder) is False
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lock.gone(holder) is True, "a zombie"
    assert lock.gone(holder) is True


def test_a_worker_that_lost_its_parent_is_as_good_as_gone() -> None:
    """It ends before it writes again, but perhaps not before it has waited for an answer."""
    assert lock.gone(lock.here("", os.getppid())) is False
    assert lock.gone(lock.here("", os.getppid() + 1)) is True


def test_an_earlier_attempt_of_the_same_process_is_over() -> None:
    """Ansible's `until` tries again in the same worker. Nobody need be asked for that."""
    nobody: Any = None
    head = replace(FULL, operation=operation(2, holder=lock.here("ann", os.getppid())))
    assert lock.wait_for_silence(nobody, head, Patience()) is head


def test_a_pid_that_was_given_again_is_another_process() -> None:
    me = lock.here("")
    assert lock.gone(replace(me, start=me.start - 1)) is True


@pytest.mark.parametrize("field", ["host", "boot_id", "pid_namespace"])
def test_a_process_elsewhere_cannot_be_seen(field: str) -> None:
    assert lock.gone(replace(lock.here(""), **{field: "another"})) is None


def test_somebody_at_work_is_named() -> None:
    assert str(lock.busy(operation(4, base=3), "x")) == (
        "ann on deployer (pid 7) is working on x. "
        "That run is making revision 4 (deploy), phase apply, and it is alive. "
        "Run the same command again when it has ended, or wait longer for it with lock_wait."
    )
