# SPDX-License-Identifier: GPL-3.0-or-later
"""One pool of HTTP connections to one API server.

Requests go through urllib3 directly: the `kubernetes` library's typed models cost half a second and add nothing."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.access import Access
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed, Forbidden

try:
    import urllib3
    from urllib3 import connection, exceptions
except ImportError:  # Access says so in a sentence, before anybody gets here
    pass
else:

    class _Plain(connection.HTTPConnection):
        def request(self, *words: Any, **more: Any) -> None:
            _BEFORE_SENDING.get()()
            super().request(*words, **more)

    class _Encrypted(connection.HTTPSConnection):
        def request(self, *words: Any, **more: Any) -> None:
            _BEFORE_SENDING.get()()
            super().request(*words, **more)


CONNECT_TIMEOUT = 10.0
PARALLEL = 8


def _nothing() -> None:
    pass


# Called when a request is about to be sent over a connection that stands, of this thread.
_BEFORE_SENDING: ContextVar[Callable[[], None]] = ContextVar("before_sending", default=_nothing)


class Connection:
    """A pool of connections to one API server. Safe to use from several threads.

    `request` returns (status, headers, body). It raises ConnectionFailed when no answer can be had.
    """

    def __init__(self, options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self.access = Access(options, environ)
        self.host, self.tls = self.access.host, self.access.tls
        self.tls_server_name: str | None = self.access.configuration.tls_server_name
        self.proxy = _proxy(self.access, environ)
        self.pool = self._pool()

    def identity(self) -> list[tuple[str, str]]:
        """Headers that say who we are."""
        return self.access.headers()

    def rejected(self) -> Forbidden:
        """The error for an answer 401."""
        return self.access.rejected()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: float = 60.0,
        before: Callable[[], None] = _nothing,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """`before` is called last of all before the request is sent, each time that it is; it may refuse by raising."""
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": "ai_aas.vllm"})
        if body is not None:
            headers["Content-Type"] = content_type
        for name, value in self.identity():
            headers.add(name, value)
        token = _BEFORE_SENDING.set(before)
        try:
            answer = self.pool.request(
                method,
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=timeout),
                retries=_retries(reads=2 if method == "GET" else 0),
            )
        except exceptions.HTTPError as error:
            raise self.unreachable(error) from error
        finally:
            _BEFORE_SENDING.reset(token)
        return answer.status, answer.headers, answer.data

    def websocket_options(self) -> dict[str, Any]:
        """The same way to the API server, in websocket-client's words. Without them it would look at the environment,
        which we do not."""
        options: dict[str, Any] = {"sslopt": {"context": self.tls, "server_hostname": self.tls_server_name}}
        if not self.proxy:
            return options | {"http_no_proxy": ["*"]}
        url = urlsplit(self.proxy)
        options |= {"http_proxy_host": url.hostname, "http_proxy_port": url.port or 3128, "proxy_type": "http"}
        user, _colon, password = self._proxy_credentials().partition(":")
        return options | ({"http_proxy_auth": (user, password)} if user else {})

    def _proxy_credentials(self) -> str:
        """ "user:password", of the option or in the proxy's URL; empty for none."""
        headers = self.access.chosen.get("proxy_headers") or {}
        return headers.get("proxy_basic_auth") or unquote(urlsplit(self.proxy).netloc.rpartition("@")[0])

    def unreachable(self, error: Exception) -> ConnectionFailed:
        """The error for a request that got no answer."""
        cause = error.reason if isinstance(error, exceptions.MaxRetryError) and error.reason else error
        if isinstance(cause, exceptions.ProxyError):
            why = _reason(cause.original_error)
            return ConnectionFailed(
                f"The proxy {_without_password(self.proxy)} does not lead to the API server at {self.host}",
                why,
                "Correct proxy, proxy_headers or no_proxy",
            )
        certificate = _certificate_problem(cause)
        if certificate:
            return ConnectionFailed(
                f"The API server at {self.host} cannot be trusted",
                certificate,
                "Name the certificate of its authority as ca_cert, or correct the host",
            )
        return ConnectionFailed(
            f"The API server at {self.host} cannot be reached",
            _reason(cause),
            "Check the context or host, the network and the proxy",
            setting="cluster",
        )

    def _pool(self) -> Any:
        settings: dict[str, Any] = {"maxsize": PARALLEL}
        if not self.access.configuration.verify_ssl:  # the caller knows; once per process is once per host and task
            urllib3.disable_warnings(exceptions.InsecureRequestWarning)
        if urlsplit(self.host).scheme == "https":
            settings["ssl_context"] = self.tls
            if self.tls_server_name:
                settings["server_hostname"] = self.tls_server_name
        if not self.proxy:
            return _observed(urllib3.PoolManager(**settings))
        headers = {name: text for name, text in (self.access.chosen.get("proxy_headers") or {}).items() if text}
        headers |= {"proxy_basic_auth": self._proxy_credentials()} if self._proxy_credentials() else {}
        return _observed(urllib3.ProxyManager(self.proxy, proxy_headers=urllib3.make_headers(**headers), **settings))


def bypassed(host: str, no_proxy: str) -> bool:
    """Whether `no_proxy` excepts an address "https://name:port": by name, with all below it, by address or network, by
    any of these and a port, or by "*"."""
    url = urlsplit(host)
    name = url.hostname or ""
    for rule in (part.strip().lower() for part in no_proxy.split(",")):
        bare = rule.removesuffix(f":{url.port or 443}").strip("[]").lstrip(".")
        if rule == "*" or (bare and (name == bare or name.endswith(f".{bare}") or _within(name, bare))):
            return True
    return False


def _observed(manager: Any) -> Any:
    """A manager whose connections heed _BEFORE_SENDING."""

    class Http(urllib3.HTTPConnectionPool):
        ConnectionCls = _Plain

    class Https(urllib3.HTTPSConnectionPool):
        ConnectionCls = _Encrypted

    manager.pool_classes_by_scheme = {"http": Http, "https": Https}
    return manager


def _within(name: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(network, strict=False)
    except ValueError:  # one of them is a name
        return False


def _proxy(access: Access, environ: Mapping[str, str]) -> str:
    """The proxy of the options, of the kubeconfig or of the environment; empty for none."""
    scheme = urlsplit(access.host).scheme
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    proxy = access.chosen.get("proxy") or access.login.proxy
    proxy = proxy or next((environ[name] for name in names if environ.get(name)), "")
    no_proxy = access.chosen.get("no_proxy") or environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not proxy or bypassed(access.host, no_proxy):
        return ""
    if urlsplit(proxy).scheme not in ("http", "https"):
        raise ConnectionFailed(
            f"The proxy {_without_password(proxy)} cannot be used",
            "It is no HTTP proxy",
            "Write it as http://name:port",
        )
    return str(proxy)


def _retries(*, reads: int) -> Any:
    """A request that never arrived, or was turned away with 429, may be sent again. One whose answer was lost (`reads`)
    only if it reads: a write that may have happened is settled by its fence."""
    return urllib3.Retry(
        total=None,
        connect=2,
        read=reads,
        status=5,
        redirect=0,
        other=0,
        backoff_factor=0.2,
        status_forcelist=(429,),
        allowed_methods=None,
        raise_on_status=False,
    )


def _certificate_problem(error: BaseException | None) -> str:
    """What is wrong with the server's certificate, if that is what an error is about."""
    while error is not None:
        for candidate in (error, *error.args):
            if isinstance(candidate, ssl.SSLCertVerificationError):
                return f"Its certificate was refused: {candidate.verify_message}"
        error = error.__cause__ or error.__context__
    return ""


def _reason(error: BaseException) -> str:
    """Why there was no answer, in a few words of ours where they are known, else in the library's."""
    if isinstance(error, exceptions.NameResolutionError):
        return "Its name cannot be resolved"
    for candidate in (error.__cause__, error, *error.args):
        if isinstance(candidate, OSError) and candidate.strerror:
            return candidate.strerror
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return "It did not answer in time"
    return str(error).rsplit(": ", 1)[-1].strip("()'\" ") or "It did not answer"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
