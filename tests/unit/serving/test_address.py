# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of a server that is not in a cluster."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed, InvalidInput
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.address import address_of


@pytest.mark.parametrize(
    ("url", "host", "port", "prefix", "authority"),
    [
        ("http://llm", "llm", 80, "", "llm:80"),
        ("http://llm:8000/", "llm", 8000, "", "llm:8000"),
        ("http://127.0.0.1:8000/llm/", "127.0.0.1", 8000, "/llm", "127.0.0.1:8000"),
        ("https://llm.example", "llm.example", 443, "", "llm.example:443"),
        ("https://[::1]:8443/a/b", "::1", 8443, "/a/b", "[::1]:8443"),
    ],
)
def test_an_address(url: str, host: str, port: int, prefix: str, authority: str) -> None:
    address = address_of(url)
    assert (address.host, address.port, address.prefix, address.authority) == (host, port, prefix, authority)
    assert (address.tls is not None) is url.startswith("https")


@pytest.mark.parametrize(
    "url", ["llm:8000", "ftp://llm", "http://", "http://llm:port", "http://llm/?a=b", "http://[::1"]
)
def test_no_address(url: str) -> None:
    with pytest.raises(InvalidInput, match="is not the address of a server"):
        address_of(url)


@pytest.mark.parametrize("url", ["http://user:secret@llm", "ftp://user:secret@llm", "http://:secret@llm"])
def test_credentials_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        address_of(url)
    assert "secret" not in str(refused.value)


def test_certificates_are_checked_unless_told_otherwise() -> None:
    strict, lax = address_of("https://llm").tls, address_of("https://llm", validate_certs=False).tls
    assert strict
    assert lax
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    for path in (tmp_path / "missing", tmp_path / "ca.crt"):
        with pytest.raises(ConnectionFailed, match=f"{path} cannot be used"):
            address_of("https://llm", ca_cert=str(path))
