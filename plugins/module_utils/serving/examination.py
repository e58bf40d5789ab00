# SPDX-License-Identifier: GPL-3.0-or-later
"""All questions, put to one server in one conversation. The first wrong answer ends it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Answers, Check, Measured
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving import health, soak
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Limits, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import Conversation
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.server import Server

# Counters come after the answers that they count, since vLLM writes them down in between two steps of its engine.
PATIENCE = 3.0
LOOK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a server is asked: with which prompt, how long one answer may take, and what many have to be like."""

    prompt: str = health.DEFAULT_PROMPT
    limits: Limits = field(default_factory=Limits)
    bounds: soak.Bounds = field(default_factory=soak.Bounds)


def examine(line: Conversation, server: Server, terms: Terms) -> Answers:
    """What the server answers. Raises what `line` raises when there is no way to the server at all."""
    examination = _Examination(line, server, terms)
    examination.carry_out()
    return Answers(checks=tuple(examination.checks), measured=examination.measured)


class _Examination:
    def __init__(self, line: Conversation, server: Server, terms: Terms) -> None:
        self.line, self.server, self.terms = line, server, terms
        self.checks: list[Check] = []
        self.measured = Measured()

    def carry_out(self) -> None:
        if self._right(self._judged(health.PROCESS)):
            version = health.version(self._ask(health.VERSION))
            self.measured = replace(self.measured, version=version)
            if self._right(self._judged(health.identity(self.server))):
                self._run_the_model()

    def _run_the_model(self) -> None:
        before = self._ask(health.METRICS)
        question, answer = self._inference()
        if not self._right(health.judged(question, answer)):
            return
        self.measured = replace(self.measured, first_token=answer.first, inference=answer.seconds)
        fingerprint = health.fingerprint(self.server, answer)
        right = fingerprint is None or self._right(fingerprint)
        if right and self._right(self._progress(before, answer)) and self.terms.bounds.wanted:
            self._soak(question)

    def _right(self, check: Check) -> bool:
        self.checks.append(replace(check, cure=health.CURES[check.name]) if check.failed else check)
        return not check.failed

    def _ask(self, request: Request) -> Answer:
        """What is cut off on its way, through API server and kubelet, says nothing yet: once more, on a new way."""
        answer = self.line.ask(request, self.terms.limits)
        return self.line.ask(request, self.terms.limits) if answer.cut else answer

    def _judged(self, question: health.Question) -> Check:
        return health.judged(question, self._ask(question.request))

    def _inference(self) -> tuple[health.Question, Answer]:
        """The first way to run the model that the server has, or else the first way there is; and its answer."""
        asked = []
        for question in health.inferences(self.server, self.terms.prompt):
            answer = self._ask(question.request)
            asked.append((question, answer))
            if not health.lacks_route(answer):
                return question, answer
        return asked[0]

    def _progress(self, before: Answer, inference: Answer) -> Check:
        start = time.monotonic()
        while True:
            check = health.progress(before, self._ask(health.METRICS), inference)
            if not check.failed or time.monotonic() - start > PATIENCE:
                return check
            time.sleep(LOOK)

    def _soak(self, question: health.Question) -> None:
        bounds, samples, start = self.terms.bounds, list[soak.Sample](), time.monotonic()
        while not soak.over(samples, time.monotonic() - start, bounds):
            begun = time.monotonic()
            answer = self.line.ask(question.request, self.terms.limits)
            wrong = health.problem(question, answer)
            samples.append(soak.Sample(seconds=answer.seconds, wrong=wrong, mute=answer.status == 0))
            time.sleep(max(0.0, begun + bounds.pause - time.monotonic()))
        self.measured = replace(
            self.measured,
            probes=len(samples),
            errors=sum(bool(sample.wrong) for sample in samples),
            p95=soak.p95(samples),
        )
        self._right(soak.judged(samples, time.monotonic() - start, bounds))
