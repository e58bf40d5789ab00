# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a live object is ours: read from managedFields, the API server's own ledger of field owners.

Comparing wanted with live values cannot be exact: the server writes "4000m" as "4" and 24576Mi as 24Gi, and fills in
defaults. The live values of the fields that we own can: they change only when somebody changes them. fieldsV1 is a tree
of `f:child`, `k:{"key":…}` (a list item by its keys), `v:…` (a member of a set) and `.` (the node itself); KEP-555."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names


def owned_fields(body: Object, manager: str = FIELD_MANAGER) -> dict[str, Any]:
    """The fieldsV1 of what `manager` applied; empty if it never did."""
    for entry in body["metadata"].get("managedFields") or []:
        if entry["manager"] == manager and entry["operation"] == "Apply" and not entry.get("subresource"):
            return dict(entry.get("fieldsV1") or {})
    return {}


def live_digest(body: Object) -> str:
    """16 hex digits that stay the same until somebody changes a field that we applied, or takes it from us.

    Empty for an object that we do not own anything of, which equals no digest.
    """
    fields = owned_fields(body)
    return names.digest([fields, extract(body, fields)]) if fields else ""


def extract(value: Any, fields: dict[str, Any]) -> Any:
    """The part of `value` that `fields` names. A field that is gone is null; a leaf is given whole."""
    children = {key: below for key, below in fields.items() if key != "."}
    if not children:
        return value
    return {key: extract(_child(value, key), below) for key, below in sorted(children.items())}


def _child(value: Any, key: str) -> Any:
    sort, _colon, rest = key.partition(":")
    if sort == "f":
        return value.get(rest) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    if sort == "k":
        wanted = json.loads(rest)
        return next((item for item in value if all(item.get(name) == part for name, part in wanted.items())), None)
    if sort == "v":
        wanted = json.loads(rest)
        return wanted if wanted in value else None
    return value[int(rest)] if sort == "i" and int(rest) < len(value) else None
