# SPDX-License-Identifier: GPL-3.0-or-later
"""From kubernetes.core's authentication options to one HTTPS connection pool.

The `kubernetes` library reads kubeconfig files, runs exec credential plugins, refreshes tokens and finds the in-cluster
account. Requests go through urllib3 directly: the library's typed models cost half a second and add nothing here.
"""

from __future__ import annotations

import base64
import os
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed

try:
    import urllib3
    import yaml
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError, MaxRetryError

    MISSING = ""
except ImportError as error:
    MISSING = str(error)

# kubernetes.core's option -> attribute of the library's Configuration.
ATTRIBUTES = {
    "host": "host",
    "username": "username",
    "password": "password",
    "validate_certs": "verify_ssl",
    "ca_cert": "ssl_ca_cert",
    "client_cert": "cert_file",
    "client_key": "key_file",
    "proxy": "proxy",
    "no_proxy": "no_proxy",
}
OPTIONS = (*ATTRIBUTES, "kubeconfig", "context", "api_key", "persist_config", "impersonate_user", "impersonate_groups")
CONNECT_TIMEOUT = 10.0
PARALLEL = 8


def effective(options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The options that are set, each by the caller or by `K8S_AUTH_<OPTION>`, as in kubernetes.core."""
    chosen = {name: options[name] if options.get(name) is not None else _from(environ, name) for name in OPTIONS}
    return {name: value for name, value in chosen.items() if value is not None}


def _from(environ: Mapping[str, str], name: str) -> Any:
    """An option's value in the environment, under its own name or the one of the library's attribute; None if unset."""
    spellings = (f"K8S_AUTH_{word.upper()}" for word in (name, ATTRIBUTES.get(name, name)))
    text = next((environ[spelling] for spelling in spellings if environ.get(spelling)), "")
    if not text:
        return None
    if name in ("validate_certs", "persist_config"):
        return text.lower() not in ("0", "false", "no")
    return [group for group in text.split(",") if group] if name == "impersonate_groups" else text


def names_cluster(options: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """True when the caller says which cluster is meant, instead of leaving it to where kubectl last pointed."""
    chosen = effective(options, environ)
    return "context" in chosen or "host" in chosen


class Connection:
    """A pool of connections to one API server. Safe to use from several threads.

    `request` returns (status, headers, body). It raises ConnectionFailed when no answer can be had.
    """

    def __init__(self, options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        if MISSING:
            raise ConnectionFailed(
                "The Python library 'kubernetes' cannot be imported",
                MISSING,
                "Install it for the Python that runs this task: pip install kubernetes",
            )
        environ = os.environ if environ is None else environ
        chosen = effective(options, environ)
        self._lock = threading.Lock()
        self.configuration = _configuration(chosen, environ)
        self.impersonation = _impersonation(chosen)
        self.host: str = self.configuration.host.rstrip("/")
        self.tls = _tls(self.configuration)
        self.pool = _pool(self.configuration, self.host, self.tls)

    def identity(self) -> list[tuple[str, str]]:
        """Headers that say who we are. Asked for each request: tokens are refreshed in here."""
        with self._lock:
            token = self.configuration.get_api_key_with_prefix("authorization")
        if token:
            return [*self.impersonation, ("Authorization", token)]
        if self.configuration.username:
            pair = f"{self.configuration.username}:{self.configuration.password}"
            return [*self.impersonation, ("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())]
        return self.impersonation

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: float = 60.0,
    ) -> tuple[int, Mapping[str, str], bytes]:
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": "ai_aas.vllm"})
        if body is not None:
            headers["Content-Type"] = content_type
        for name, value in self.identity():
            headers.add(name, value)
        try:
            answer = self.pool.request(
                method,
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=timeout),
                retries=_retries(reads=2 if method == "GET" else 0),
            )
        except MaxRetryError as error:
            raise self._unreachable(str(error.reason)) from error
        except HTTPError as error:
            raise self._unreachable(str(error)) from error
        return answer.status, answer.headers, answer.data

    def websocket_proxy(self) -> dict[str, Any]:
        """The proxy settings in websocket-client's words. Without them it would look at the environment, which we do
        not."""
        proxy, bypass = self.configuration.proxy, self.configuration.no_proxy
        if not proxy or _bypassed(self.host, bypass):
            return {"http_no_proxy": ["*"]}
        url = urlsplit(proxy)
        return {"http_proxy_host": url.hostname, "http_proxy_port": url.port, "proxy_type": "http"}

    def _unreachable(self, reason: str) -> ConnectionFailed:
        reason = reason.rsplit(": ", 1)[-1].strip("()'\" ")
        return ConnectionFailed(
            f"The API server at {self.host} cannot be reached",
            reason or "It did not answer",
            "Check the context or host, the network and the proxy",
        )


def _configuration(chosen: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    configuration = client.Configuration()
    enough = "host" in chosen and (
        "api_key" in chosen or {"username", "password"} <= chosen.keys() or "client_cert" in chosen
    )
    if not enough:
        _load(configuration, chosen, environ)
    for name, attribute in ATTRIBUTES.items():
        if name in chosen:
            setattr(configuration, attribute, chosen[name])
    if "api_key" in chosen:
        configuration.api_key = {"authorization": f"Bearer {chosen['api_key']}"}
        configuration.api_key_prefix = {}
        configuration.refresh_api_key_hook = None
    return configuration


def _load(configuration: Any, chosen: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """In the order of kubernetes.core: a kubeconfig or context that was named, else the pod's own account, else
    kubectl's."""
    named = "kubeconfig" in chosen or "context" in chosen
    try:
        if not named and environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(client_configuration=configuration)
            return
        source = chosen.get("kubeconfig")
        if isinstance(source, dict):
            config.load_kube_config_from_dict(source, context=chosen.get("context"), client_configuration=configuration)
            return
        # The library reads KUBECONFIG once, when it is imported; a task's own environment comes later.
        path = str(source or environ.get("KUBECONFIG") or "~/.kube/config")
        config.load_kube_config(
            config_file=os.pathsep.join(os.path.expanduser(part) for part in path.split(os.pathsep)),
            context=chosen.get("context"),
            client_configuration=configuration,
            persist_config=chosen.get("persist_config", False),
        )
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise ConnectionFailed(
            "The connection to Kubernetes is not configured",
            str(error).splitlines()[0].strip("'\" "),
            "Name a kubeconfig and a context, or a host and an api_key (options, or K8S_AUTH_* in the environment)",
        ) from error


def _impersonation(chosen: Mapping[str, Any]) -> list[tuple[str, str]]:
    user = [("Impersonate-User", str(chosen["impersonate_user"]))] if "impersonate_user" in chosen else []
    return user + [("Impersonate-Group", str(group)) for group in chosen.get("impersonate_groups", [])]


def _tls(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=configuration.ssl_ca_cert, cadata=getattr(configuration, "ca_cert_data", None)
    )
    # Python 3.13 checks RFC 5280 to the letter and refuses CAs without keyUsage, which older EKS and self-made CAs lack
    # (kubernetes-client/python#2394). Chain, host name and expiry stay checked.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif configuration.assert_hostname is False:
        context.check_hostname = False
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _pool(configuration: Any, host: str, tls: ssl.SSLContext) -> Any:
    settings: dict[str, Any] = {"maxsize": PARALLEL}
    if urlsplit(host).scheme == "https":
        settings["ssl_context"] = tls
        if configuration.tls_server_name:
            settings["server_hostname"] = configuration.tls_server_name
    if configuration.proxy and not _bypassed(host, configuration.no_proxy):
        return urllib3.ProxyManager(configuration.proxy, proxy_headers=configuration.proxy_headers, **settings)
    return urllib3.PoolManager(**settings)


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


def _bypassed(host: str, no_proxy: str | None) -> bool:
    name = urlsplit(host).hostname or ""
    rules = [rule.strip().lstrip(".") for rule in (no_proxy or "").split(",") if rule.strip()]
    return any(rule == "*" or name == rule or name.endswith("." + rule) for rule in rules)
