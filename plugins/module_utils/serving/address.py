# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is reached by its URL: whatever it runs on, it need not be in a cluster."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Buffer
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed, InvalidInput

CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`prefix`: what stands before every path, without the last slash. `tls`: None for plain HTTP."""

    host: str
    port: int
    prefix: str
    tls: ssl.SSLContext | None

    @property
    def authority(self) -> str:
        """As the header Host has it."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def connect(self) -> SocketStream:
        """A new connection. Raises OSError when there is none to be had."""
        plain = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT)
        if self.tls is None:
            return SocketStream(plain)
        try:
            return SocketStream(self.tls.wrap_socket(plain, server_hostname=self.host))
        except OSError:
            plain.close()
            raise


class SocketStream:
    """A socket as the stream that a conversation wants."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def settimeout(self, seconds: float, /) -> None:
        self._socket.settimeout(seconds)

    def readinto(self, buffer: Buffer, /) -> int:
        return self._socket.recv_into(buffer)

    def write(self, data: Buffer, /) -> int:
        self._socket.sendall(data)
        return len(memoryview(data))

    def close(self) -> None:
        self._socket.close()


def address_of(url: str, *, validate_certs: bool = True, ca_cert: str | None = None) -> Address:
    """Raises InvalidInput for what is no address of a server, ConnectionFailed for certificates that cannot be read."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise InvalidInput(
            f"{_without_credentials(url)} is not the address of a server",
            "It is http:// or https://, a name, and if need be a port and a path",
            "Correct the url",
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "The url holds a user or a password",
            "A url is printed and logged, and vLLM takes an API key only",
            "Leave them out, and give the key as server_api_key or in VLLM_API_KEY",
        )
    tls = parts.scheme == "https"
    return Address(
        host=host,
        port=port or (443 if tls else 80),
        prefix=parts.path.rstrip("/"),
        tls=_context(validate_certs=validate_certs, ca_cert=ca_cert) if tls else None,
    )


def _context(*, validate_certs: bool, ca_cert: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_cert)
    except (OSError, ValueError) as error:
        raise ConnectionFailed(
            f"The CA certificate {ca_cert} cannot be used", "It is missing, or no PEM file", "Correct ca_cert"
        ) from error
    # As for the API server: authorities without keyUsage are common. Chain, host name and expiry stay checked.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _without_credentials(url: str) -> str:
    scheme, slashes, rest = url.rpartition("//")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
