# SPDX-License-Identifier: GPL-3.0-or-later
"""From the API server's refusal (a Status object) to an error for a person."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ApiError, Conflict, Forbidden, NotFound

# How the API server words a missing right (k8s.io/apiserver, endpoints/handlers/responsewriters/errors.go).
MISSING_RIGHT = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
ANONYMOUS = "system:anonymous"
CHECK_HOST = "Check that the host is the address of an API server"


def refusal(status: int, data: bytes, about: str) -> ApiError:
    """The error for an answer of 400 and above. `about`: what was asked for, "Deployment/x"."""
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    context: dict[str, Any] = {
        "status": status,
        "reason": answer.get("reason") or "",
        "details": answer.get("details") or {},
    }
    why = answer.get("message") or f"It answers with HTTP status {status} and no reason"
    if status == 403:
        return _forbidden(about, why, context)
    if status == 404:
        return NotFound(f"Not found: {about}", why, "" if answer else CHECK_HOST, **context)
    if status == 409:
        return Conflict(f"Conflict: {about}", why, **context)
    if answer.get("kind") != "Status":
        return ApiError(f"What answers for {about} is no Kubernetes API server", why, CHECK_HOST, **context)
    return ApiError(f"The API server refuses {about}", why, **context)


def _forbidden(about: str, why: str, context: dict[str, Any]) -> Forbidden:
    right = MISSING_RIGHT.search(why)
    if right is None:
        do = "Ask for the missing right, or correct the object"
        return Forbidden(f"The API server does not allow {about}", why, do, **context)
    verb, group = right["verb"], f" of API group {right['group']!r}" if right["group"] else ""
    place = f"in namespace {right['namespace']!r}" if right["namespace"] else "in the cluster"
    why = f"The account {right['user']!r} cannot {verb} resource {right['resource']!r}{group} {place}"
    do = f"Add the verb {verb} on {right['resource']} to a Role of that account"
    if right["user"] == ANONYMOUS:
        why, do = "It found no credentials in the request", "Name a context or an api_key that says who you are"
    return Forbidden(f"The API server does not allow {about}", why, do, **context)
