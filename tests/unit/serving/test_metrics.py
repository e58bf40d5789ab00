# SPDX-License-Identifier: GPL-3.0-or-later
"""What vLLM counts, and whether it went on."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.metrics import Counters, counters, stalled

TEXT = """\
# HELP vllm:generation_tokens_total Number of generation tokens processed.
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="m"} 12.0
vllm:generation_tokens_total{engine="1",model_name="odd } 5.0 name"} 3.0
# TYPE vllm:generation_tokens_created gauge
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:prompt_tokens_total{engine="0",model_name="m"} 1.5e+03
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 2.0
vllm:num_requests_running{engine="0",model_name="m"} 1.0
http_requests_total{handler="/v1/models",method="GET",status="2xx"} 4.0
"""


def test_the_sums_over_all_engines() -> None:
    assert counters(TEXT) == Counters(prompt=1500, generated=15, waiting=2, running=1)


@pytest.mark.parametrize(
    "text", ["", "Not Found", "{'detail': 'Not Found'}", 'http_requests_total{handler="none"} 4.0\n']
)
def test_no_counters(text: str) -> None:
    assert counters(text) is None


def test_counters_alone_without_labels() -> None:
    assert counters("vllm:generation_tokens_total 3\n") == Counters(prompt=0, generated=3, waiting=0, running=0)


def seen(prompt: float = 0, generated: float = 0, waiting: float = 0, running: float = 0) -> Counters:
    return Counters(prompt=prompt, generated=generated, waiting=waiting, running=running)


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        pytest.param(seen(), seen(2, 8), "", id="by just that much"),
        pytest.param(seen(5, 5), seen(90, 700), "", id="by more: others ask, too"),
        pytest.param(seen(), seen(2), "its count of tokens generated rose by 0, not 8", id="nothing came out"),
        pytest.param(seen(1, 1), seen(3, 4), "its count of tokens generated rose by 3, not 8", id="too little"),
        pytest.param(seen(), seen(0, 8), "its count of tokens read rose by 0, not 2", id="nothing went in"),
        pytest.param(seen(9, 9), seen(2, 8), "its count of tokens read rose by -7, not 2", id="it began anew"),
        pytest.param(seen(), seen(2, 8, waiting=4, running=2), "", id="a queue that moves"),
        pytest.param(
            seen(), seen(2, 8, waiting=4), "its queue is stuck: 4 requests wait and none is worked on", id="stuck"
        ),
    ],
)
def test_stalled(before: Counters, after: Counters, wrong: str) -> None:
    assert stalled(before, after, prompt=2, generated=8) == wrong
