# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes.core's authentication options, and the environment variables that stand in for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# kubernetes.core's option -> attribute of the library's Configuration.
ATTRIBUTES = {
    "host": "host",
    "username": "username",
    "password": "password",
    "validate_certs": "verify_ssl",
    "ca_cert": "ssl_ca_cert",
    "client_cert": "cert_file",
    "client_key": "key_file",
}
OPTIONS = (
    *ATTRIBUTES,
    *("kubeconfig", "context", "api_key", "persist_config", "proxy", "no_proxy", "proxy_headers"),
    *("impersonate_user", "impersonate_groups"),
)
PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")


def effective(options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The options that are set, each by the caller or by `K8S_AUTH_<OPTION>`, as in kubernetes.core."""
    chosen = {name: options[name] if options.get(name) is not None else _from(environ, name) for name in OPTIONS}
    return {name: value for name, value in chosen.items() if value is not None}


def names_cluster(options: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """True when the caller says which cluster is meant, instead of leaving it to where kubectl last pointed."""
    chosen = effective(options, environ)
    return "context" in chosen or "host" in chosen


def _from(environ: Mapping[str, str], name: str) -> Any:
    """An option's value in the environment, under its own name or the one of the library's attribute; None if unset."""
    if name == "proxy_headers":
        headers = {word: environ.get(f"K8S_AUTH_PROXY_HEADERS_{word.upper()}") for word in PROXY_HEADERS}
        return {word: text for word, text in headers.items() if text} or None
    spellings = (f"K8S_AUTH_{word.upper()}" for word in (name, ATTRIBUTES.get(name, name)))
    text = next((environ[spelling] for spelling in spellings if environ.get(spelling)), "")
    if not text:
        return None
    if name in ("validate_certs", "persist_config"):
        return text.lower() not in ("0", "false", "no")
    return [group for group in text.split(",") if group] if name == "impersonate_groups" else text
