# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a release can be bad is found, told apart and told, by itself and by nothing else."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.causes.case import Case, Provoked
from ansible_collections.ai_aas.vllm.tests.integration.causes.conftest import Begin
from ansible_collections.ai_aas.vllm.tests.integration.causes.inside import INSIDE
from ansible_collections.ai_aas.vllm.tests.integration.causes.outside import OUTSIDE
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster

CASES = OUTSIDE + INSIDE


@pytest.fixture(scope="module")
def provoked(begin: Begin, cluster: Cluster, kubeconfig: Path) -> dict[str, Future[Provoked]]:
    return begin(test_it_is_told, ((case.name, partial(case.provoke, cluster, kubeconfig)) for case in CASES))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_told(provoked: dict[str, Future[Provoked]], case: Case) -> None:
    done = provoked[case.name].result()
    result, told = done.run.result, done.run.told
    assert result.get("failed"), told
    failure = result["failure"]
    assert (failure["class"], failure["cause"]) == (case.verdict, case.cause), f"{failure}\n{told}"
    assert case.says in failure["message"], told
    assert case.cure in failure["hint"]
    # Nothing else has failed.
    number = 2 if case.first else 1
    earlier = [(1, "current", True)] if case.first else []
    assert done.history == [(number, "failed", False), *earlier]
    left = f"It was left as it is{'; older pods are ready' if case.first else ''}."
    assert done.run.message == f"Revision {number} of small failed: {failure['message']} {left} {failure['hint']}."
    assert "Traceback" not in told
