# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a revision serves: what its pods answer, that they stay the same meanwhile, and that the Services lead
to them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api, in_parallel
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Answers, Cause, Check, Object, Verification
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import services, steadiness
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.failure import Bad
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.follow import own_pods
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.lock import Lease
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.rollout import duration, is_ready
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.wishes import Wishes


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A Deployment and those of its pods that serve."""

    deployment: Object
    pods: Sequence[Object]

    @property
    def names(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods]


class Proof:
    """Fills with what pods answer. Its methods raise Bad as soon as something speaks against the revision."""

    def __init__(self, api: Api, lease: Lease, wishes: Wishes) -> None:
        self.api, self.lease, self.wishes = api, lease, wishes
        self.answers: dict[str, Answers] = {}
        self.images: set[str] = set()

    @property
    def verification(self) -> Verification:
        return Verification(pods=self.answers)

    @property
    def evidence(self) -> dict[str, Any]:
        """For the history: what really ran, and how fast it answered."""
        return ({"images": sorted(self.images)} if self.images else {}) | self.verification.evidence

    def ask(self, deployment: Object, revision: int, pods: list[Object]) -> None:
        """All of them at once, for as long as the caller wants to look at each."""
        self.images |= {status["imageID"] for pod in pods for status in pod["status"]["containerStatuses"]}
        verify = self.wishes.verify
        if verify is None:
            return
        names = [pod["metadata"]["name"] for pod in pods]
        asking = f"revision {revision}: asking {', '.join(names)}"
        self.wishes.console(asking)
        start = told = time.monotonic()

        def tick() -> None:
            nonlocal told
            self.lease.tick()
            if time.monotonic() - told >= self.wishes.timings.tell_every:
                told = time.monotonic()
                self.wishes.console(f"{asking}, for {duration(told - start)}")

        answers = dict(zip(names, in_parallel(lambda pod: verify(deployment, pod), pods, tick), strict=True))
        self.answers |= answers
        _judge(answers)

    def compare(self, before: list[Object], after: tuple[Object, ...]) -> None:
        """Whether the pods that were asked are still the same. One that is gone says nothing about the revision:
        another takes its place, and is asked."""
        there = {pod["metadata"]["uid"] for pod in after}
        same = {pod["metadata"]["name"]: pod for pod in before if pod["metadata"]["uid"] in there}
        self._add({name: steadiness.check(pod, after) for name, pod in same.items()})

    def reach(self, revision: int, groups: Sequence[Group]) -> None:
        """Whether the Services have the pods that serve in the end. They find them a moment after these are ready."""
        there = {name for group in groups for name in group.names}
        self.answers = {name: answers for name, answers in self.answers.items() if name in there}
        start, told = time.monotonic(), ""
        while self.answers:
            checks = services.look(self.api, self.lease.store.release, [group.names for group in groups])
            wrong = next((check.detail for check in checks.values() if check.failed), "")
            if not wrong or time.monotonic() - start > self.wishes.timings.settle:
                self._add(checks)
                return
            if wrong != told:
                self.wishes.console(f"revision {revision}: {wrong}")
            told = wrong
            self.lease.pause(self.wishes.timings.patience.look)
            groups = [self._again(group) for group in groups]

    def _again(self, group: Group) -> Group:
        pods = [pod for pod in own_pods(self.api, group.deployment) if is_ready(pod)]
        return Group(deployment=group.deployment, pods=pods)

    def _add(self, checks: Mapping[str, Check]) -> None:
        added = {name: self.answers[name].with_check(check) for name, check in checks.items() if name in self.answers}
        self.answers |= added
        _judge(added)


def _judge(answers: Mapping[str, Answers]) -> None:
    wrong = Verification(pods=dict(answers)).first_failure
    if wrong:
        pod, check = wrong
        sentence = f"{pod} does not serve: {check.detail}"
        cause = Cause(id=f"{check.name}_failed", sentence=sentence, cure=check.cure, object=f"Pod/{pod}")
        raise Bad("verification", cause)
