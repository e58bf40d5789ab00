# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad release, what has to be said of it, and how it is provoked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace

# What may heal is given a tenth of its time here.
TIMES = {"absent": 3, "stuck": 0.5, "nudge": 1, "linger": 1}
# A busy machine may take its time to start a server.
GOOD = Server(replicas=1, parts=(), budget=600)
TWO = replace(GOOD, replicas=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`says` is in the sentence, `cure` in the advice. `first`: what serves before it. `hand`: what somebody does then.
    `times`: of the engine."""

    name: str
    server: Server
    verdict: str
    cause: str
    says: str
    cure: str
    first: Server | None = None
    hand: Callable[[Namespace], Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, Any] = field(default_factory=lambda: TIMES)

    def provoke(self, cluster: Cluster, kubeconfig: Path) -> Provoked:
        with self.prepared(cluster, kubeconfig) as namespace:
            run = self.command(self.times).run(kubeconfig, namespace.name)
            return Provoked(run=run, namespace=namespace.name, history=namespace.history("small"))

    @contextlib.contextmanager
    def prepared(self, cluster: Cluster, kubeconfig: Path) -> Iterator[Namespace]:
        """A namespace in which only the bad release is missing."""
        with contextlib.ExitStack() as stack:
            namespace = stack.enter_context(cluster.namespace())
            if self.first:
                run = deploy(self.first).run(kubeconfig, namespace.name)
                assert not run.result.get("failed"), run.message
            if self.hand and (undo := self.hand(namespace)):
                stack.callback(undo)
            yield namespace

    def command(self, times: Mapping[str, Any]) -> Command:
        return replace(deploy(self.server, schedule_timeout=2, on_failure="hold", **self.options), times=times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provoked:
    run: Run
    namespace: str
    history: list[tuple[int, str, bool]]


def bad(**changes: Any) -> Server:
    return replace(GOOD, **changes)


def container(**changes: Any) -> Server:
    return bad(container=changes)
