# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom to trust, and how to prove who we are, by certificate."""

from __future__ import annotations

import ssl
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.kubeconfig import quote
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed


class SharedContext(ssl.SSLContext):
    """For connections of several threads. urllib3 names its protocols to the context anew for each of them. OpenSSL
    then frees what it may be copying for another connection at this moment, as CPython has it do without a lock, and
    the greeting of that one is garbage: "tlsv1 alert decode error" (python/cpython#141012). So they are named once."""

    def __init__(self, _protocol: int) -> None:
        super().set_alpn_protocols(["http/1.1"])

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """They are named already."""


def context_of(configuration: Any) -> ssl.SSLContext:
    """What the library's `configuration` says, read from its files now. Raises ConnectionFailed."""
    try:
        # Chain, host name and expiry are checked. Not RFC 5280 to the letter, as ssl.create_default_context does since
        # Python 3.13: older EKS and self-made CAs have no keyUsage (kubernetes-client/python#2394).
        context = SharedContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if configuration.ssl_ca_cert:
            context.load_verify_locations(configuration.ssl_ca_cert)
        else:
            context.load_default_certs()
    except (OSError, ValueError) as error:
        raise _unusable("CA certificate", configuration.ssl_ca_cert, error) from error
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        try:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        except (OSError, ValueError) as error:
            raise _unusable("client certificate", configuration.cert_file, error) from error
    return context


def _unusable(what: str, path: str, error: Exception) -> ConnectionFailed:
    reason = "It is no PEM file, or its key does not belong to it" if isinstance(error, ssl.SSLError) else quote(error)
    return ConnectionFailed(f"The {what} {path} cannot be used", reason, "Correct the path or the file")
