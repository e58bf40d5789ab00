# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one release, the second while the first is at a chosen point."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.points import PATIENCE, Point, Watch
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace


def held_back(first: Command, second: Command, point: Point, kubeconfig: Path, namespace: Namespace) -> tuple[Run, Run]:
    """One request of the first is on its way while the second goes from its start to its end."""
    go_on = threading.Event()

    def hold(_watch: Watch) -> None:
        assert go_on.wait(PATIENCE)

    return _meet(first, second, Watch(point, hold), go_on.set, kubeconfig, namespace)


def stopped(first: Command, second: Command, point: Point, kubeconfig: Path, namespace: Namespace) -> tuple[Run, Run]:
    """The first stands still for so long that the second takes it for dead, and then goes on."""
    watch = Watch(point, Watch.stop)
    return _meet(first, second, watch, lambda: watch.signal(signal.SIGCONT), kubeconfig, namespace)


def _meet(
    first: Command, second: Command, watch: Watch, go_on: Callable[[], None], kubeconfig: Path, namespace: Namespace
) -> tuple[Run, Run]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Proxy(kubeconfig, Path(folder), before=watch.before, after=watch.after) as proxy,
    ):
        one = first.start(proxy.kubeconfig, namespace.name)
        watch.watch(one.process)
        try:
            assert watch.reached.wait(PATIENCE), f"it never came to {watch.point}\n{one.told}"
            two = second.run(kubeconfig, namespace.name)
        finally:
            go_on()
        one.finish()
        watch.settle()
    return one, two
