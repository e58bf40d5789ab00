# SPDX-License-Identifier: GPL-3.0-or-later
"""The few requests that setting up the cluster needs, with nothing but the standard library."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from .settings import API_SERVER, PKI


class Api:
    """The API server as cluster-admin. Every method raises OSError when it cannot be reached or refuses."""

    def __init__(self) -> None:
        context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the authority has no keyUsage, see certificates.py
        context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")
        # An empty ProxyHandler: the API server is on the loopback, whatever HTTPS_PROXY says.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            self._send("GET", "/readyz", None, None)
        except OSError:
            return False
        return True

    def get(self, path: str) -> dict[str, Any] | None:
        """The object, or None when there is none."""
        try:
            return self._json("GET", path, None, None)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def patch(self, path: str, change: dict[str, Any]) -> dict[str, Any]:
        """Merges `change` into the object (RFC 7386)."""
        return self._json("PATCH", path, json.dumps(change).encode(), "application/merge-patch+json")

    def apply(self, path: str, manifest: bytes) -> dict[str, Any]:
        """Server-side apply of one YAML or JSON document."""
        return self._json("PATCH", f"{path}?fieldManager=cluster&force=true", manifest, "application/apply-patch+yaml")

    def _json(self, method: str, path: str, body: bytes | None, content_type: str | None) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._send(method, path, body, content_type))
        return answer

    def _send(self, method: str, path: str, body: bytes | None, content_type: str | None) -> bytes:
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(API_SERVER + path, data=body, headers=headers, method=method)
        with self._opener.open(request, timeout=10) as response:
            data: bytes = response.read()
        return data
