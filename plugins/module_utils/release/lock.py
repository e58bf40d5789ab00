# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a release, and whether he still lives. The lock is the operation in the head; there is no second one.

A run may die at any moment without a word, so nothing here needs to be released: a holder is alive as long as his
process can be seen, or his heartbeat moves."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError, ConnectionFailed, Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import record
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.store import Store
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Patience


def here(user: str, parent: int | None = None) -> record.Holder:
    """This process. `parent`: see Lease."""
    return record.Holder(
        host=socket.gethostname(),
        boot_id=_text("/proc/sys/kernel/random/boot_id"),
        pid_namespace=_link("/proc/self/ns/pid"),
        pid=os.getpid(),
        start=process(os.getpid())[0],
        parent=parent or 0,
        user=user,
    )


def process(pid: int) -> tuple[int, int]:
    """When a process began, in clock ticks since boot, and its parent's pid; zeros if there is none."""
    # The name in field 2 may contain blanks and parentheses; the others are counted from behind it (proc_pid_stat(5)).
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[19]), int(fields[1])) if len(fields) > 19 and fields[0] != "Z" else (0, 0)


def gone(holder: record.Holder) -> bool | None:
    """Whether the holder's process has ended, or has lost its parent and will never write again (see Lease); None if it
    cannot be seen from here."""
    me = here("")
    if (holder.host, holder.boot_id, holder.pid_namespace) != (me.host, me.boot_id, me.pid_namespace) or not me.boot_id:
        return None
    start, parent = process(holder.pid)
    return start != holder.start or (holder.parent > 0 and parent != holder.parent)


def wait_for_silence(store: Store, head: record.Head, patience: Patience) -> record.Head:
    """The head as soon as nobody alive holds it. Raises Refused when somebody does, for longer than `lock_wait`.

    Ages are told by the API server's clock: the time of the head's last write against the time that a dry run gives.
    """
    start = time.monotonic()
    while head.operation:
        holder = head.operation.holder
        # An earlier operation of this very process is over: Ansible's `until` tries again in the same one.
        dead = replace(holder, parent=0, user="") == here("") or gone(holder)
        if dead or (dead is None and store.age() > patience.old):
            return head
        if dead is False and time.monotonic() - start >= patience.lock_wait:
            raise busy(head.operation, store.release)
        time.sleep(patience.look)
        again = store.load()
        if again is None:
            raise Refused(f"{store.release} was removed meanwhile", "Another run has deleted its head", "Run it again")
        if again.operation and again.operation != head.operation and time.monotonic() - start >= patience.lock_wait:
            raise busy(again.operation, store.release)
        head = again
    return head


def busy(operation: record.Operation, release: str) -> Refused:
    return Refused(
        f"{operation.holder} is working on {release}",
        f"That run is {operation.doing}, phase {operation.phase}, and it is alive",
        "Run the same command again when it has ended, or wait longer for it with lock_wait",
        setting="lock_wait",
    )


class Lease:
    """The living side of an operation: beats while it waits, looks before it writes, and stops when it is orphaned.

    `parent`: the pid that this process must keep as its parent, or None. Ansible's workers outlive a killed
    ansible-playbook; an orphan ends before it writes again, without a trace, as if it had been killed, too.
    """

    def __init__(self, store: Store, patience: Patience, parent: int | None) -> None:
        self.store, self.patience, self.parent = store, patience, parent
        self.head: record.Head | None = None
        self._id = ""
        self._beaten = time.monotonic()
        self._lock = threading.RLock()
        self._saving = False

    def save(self, head: record.Head) -> None:
        """Writes the head. Raises Lost when the operation is no longer ours."""
        with self._lock:
            self._id = head.operation.id if head.operation else self._id
            self._saving = True
            # Before it is sent: we may stand still for long until we see the answer, and lose the release meanwhile.
            moment = time.monotonic()
            try:
                self.store.save(head, self._id)
            finally:
                self._saving = False
            self.head, self._beaten = head, moment

    def look(self) -> None:
        if self.parent is not None and os.getppid() != self.parent:
            os._exit(1)

    def guard(self) -> None:
        """Before every write: nobody else may have taken over while we were away."""
        self.look()
        with self._lock:
            if not self._saving and time.monotonic() - self._beaten > self.patience.fence:
                self.beat()

    def beat(self) -> None:
        """A heartbeat changes the head's data, since a write that changes nothing does not move its time."""
        with self._lock:
            if self.head and self.head.operation:
                operation = replace(self.head.operation, heartbeat=self.head.operation.heartbeat + 1)
                self.save(replace(self.head, operation=operation))

    def tick(self) -> None:
        """From everything that waits, about once a second. An API server that is away for a while is no reason to
        stop."""
        self.look()
        if self.head and self.head.operation and time.monotonic() - self._beaten > self.patience.beat:
            try:
                self.beat()
            except ConnectionFailed:
                pass
            except ApiError as error:
                if not error.transient or error.unauthorized:
                    raise

    def pause(self, seconds: float) -> None:
        """Sleeps, and ticks."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(left, self.patience.look))
        self.tick()


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:  # not Linux, or the process has ended
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
