# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files: one for people and tests, one for each component."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path

from .settings import API_SERVER, PKI


def write(path: Path, client: str, contexts: Sequence[str], server: str = API_SERVER) -> None:
    """Writes a kubeconfig for `client` (a name in certificates.CLIENTS) with the certificates inside.

    All contexts are the same cluster and the same user; the first is the current one. JSON is YAML, too.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "test-cluster",
                "cluster": {"server": server, "certificate-authority-data": _encoded("ca.crt")},
            }
        ],
        "users": [
            {
                "name": client,
                "user": {
                    "client-certificate-data": _encoded(f"{client}.crt"),
                    "client-key-data": _encoded(f"{client}.key"),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": "test-cluster", "user": client}} for name in contexts],
        "current-context": contexts[0],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(document, indent=2) + "\n")
    os.replace(temporary, path)


def _encoded(file: str) -> str:
    return base64.b64encode((PKI / file).read_bytes()).decode()
