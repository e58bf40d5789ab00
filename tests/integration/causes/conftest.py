# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that wait for clusters most of their time, and do so together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import pytest

AT_ONCE = 6
# The name of a test's parameter -> what is done for it.
Begin: TypeAlias = Callable[[Callable[..., Any], Iterable[tuple[str, Callable[[], Any]]]], dict[str, Future[Any]]]


@pytest.fixture(scope="module")
def begin(request: pytest.FixtureRequest) -> Iterator[Begin]:
    """Starts what the parametrized tests of a function ask for, as far as they are to run."""
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def submit(test: Callable[..., Any], work: Iterable[tuple[str, Callable[[], Any]]]) -> dict[str, Future[Any]]:
            wanted = {item.name for item in request.session.items}
            return {name: pool.submit(do) for name, do in work if f"{test.__name__}[{name}]" in wanted}

        yield submit
