# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels and annotations that tie objects to a release, and the digests that tell contents apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

PREFIX = "vllm.ai-aas/"
RELEASE = PREFIX + "release"  # label: every object of a release, and nothing else
RELEASE_UID = PREFIX + "release-uid"  # annotation: which life of that release, if it was removed and made again
POD_TEMPLATE_DIGEST = PREFIX + "pod-template-digest"  # annotation of the pod template
NUDGE = PREFIX + "nudge"  # annotation of a Deployment: when its controller was last told to try again
OPTIONAL = PREFIX + "optional"  # annotation "true": leave the object out where the cluster does not serve its kind
RECORD = PREFIX + "record"  # label: head or revision
RECORD_OF = PREFIX + "record-of"  # label: the release's name; not RELEASE, else every LIST would fetch the records too


def canonical(value: Any) -> bytes:
    """JSON with one spelling for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any, digits: int = 16) -> str:
    """The first `digits` hex digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(canonical(value)).hexdigest()[:digits]


def digest_of_set(objects: Iterable[dict[str, Any]]) -> str:
    """16 hex digits over a set of objects; their order does not matter."""
    return digest(sorted(objects, key=lambda body: (body["apiVersion"], body["kind"], body["metadata"]["name"])))


def identity(body: dict[str, Any]) -> str:
    """ "Kind/name", as people write it."""
    return f"{body['kind']}/{body['metadata']['name']}"
