# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom to trust, and how to prove who we are, by certificate."""

from __future__ import annotations

import ssl
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.kubeconfig import quote
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed


def context_of(configuration: Any) -> ssl.SSLContext:
    """What the library's `configuration` says, read from its files now. Raises ConnectionFailed."""
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    except (OSError, ValueError) as error:
        raise _unusable("CA certificate", configuration.ssl_ca_cert, error) from error
    # Python 3.13 checks RFC 5280 to the letter and refuses CAs without keyUsage, which older EKS and self-made CAs lack
    # (kubernetes-client/python#2394). Chain, host name and expiry stay checked.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
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
