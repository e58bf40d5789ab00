# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at the endpoints of a release's Services: one request."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import Kind
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError, ConnectionFailed
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Check
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import endpoints, names

ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice")


def look(api: Api, release: str, groups: Sequence[Collection[str]]) -> dict[str, Check]:
    """One check for each pod, see endpoints.judged. Who may not look (the right is optional) knows nothing."""
    start = time.monotonic()
    try:
        slices = api.list(ENDPOINT_SLICE, f"{names.RELEASE}={release}")
    except (ApiError, ConnectionFailed) as error:
        return endpoints.unknown((pod for group in groups for pod in group), error.why or error.what)
    seconds = round(time.monotonic() - start, 3)
    return {pod: replace(check, seconds=seconds) for pod, check in endpoints.judged(slices, groups).items()}
