# SPDX-License-Identifier: GPL-3.0-or-later
"""From kubernetes.core's authentication options to what a connection needs: where the API server is, how it is trusted,
and who we are.

The `kubernetes` library knows the pod's own account and kubeconfig files. What it does not do is done here: it logs the
failure of a credential plugin instead of raising it, reads a token file once and never again, and its releases differ
in where they keep the token."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster import kubeconfig, tls
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.authentication import ATTRIBUTES, effective
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed, Forbidden

try:
    from kubernetes import client, config

    MISSING = ""
except ImportError as error:
    MISSING = str(error)


class Access:
    """How one API server is reached. Raises ConnectionFailed with what is wrong with the options, kubeconfig or files.

    `chosen`: the options that are set. `login`: where the credentials come from."""

    def __init__(self, options: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        if MISSING:
            raise ConnectionFailed(
                "The Python library 'kubernetes' cannot be imported",
                MISSING,
                "Install it for the Python that runs this task: pip install kubernetes",
            )
        self.chosen = effective(options, environ)
        self.configuration = client.Configuration()
        self._lock = threading.Lock()
        with kubeconfig.directory() as directory, _heard() as heard:
            self.login = self._login(environ, directory)
            self._choose()
            self.tls = tls.context_of(self.configuration)
        self._refuse_failed_plugin(heard)
        self.host = str(self.configuration.host).rstrip("/")
        if "://" not in self.host:
            raise ConnectionFailed(
                f"{self.host!r} is no address of an API server", "It has no scheme", "Write it as https://name:port"
            )

    def headers(self) -> list[tuple[str, str]]:
        """Who we are. Asked for each request: tokens are renewed in here. Raises ConnectionFailed when that fails."""
        user = [("Impersonate-User", str(self.chosen["impersonate_user"]))] if "impersonate_user" in self.chosen else []
        groups = [("Impersonate-Group", str(group)) for group in self.chosen.get("impersonate_groups", [])]
        authorization = self._authorization()
        if not authorization.isprintable() or not authorization.isascii():
            # http.client would say so, too, and show the token.
            raise ConnectionFailed(
                "The token cannot be sent",
                f"It comes from {self.login.source}, and holds characters that no token has, such as a line break",
                "Give the token alone",
            )
        return user + groups + ([("Authorization", authorization)] if authorization else [])

    def rejected(self) -> Forbidden:
        """The error for an answer 401."""
        authorization, source = self._authorization(), self.login.source
        expired = expiry(authorization)
        if expired:
            why = f"They come from {source}, and the token expired at {expired}"
        elif authorization or self.configuration.cert_file:
            why = f"They come from {source}, and are wrong, expired or revoked"
        else:
            why = f"There are none in {source}"
        do = "Log in again, or renew the token or certificate"
        return Forbidden(f"The API server at {self.host} does not accept our credentials", why, do, status=401)

    def _login(self, environ: Mapping[str, str], directory: str) -> kubeconfig.Login:
        """In the order of kubernetes.core: options that are enough, a kubeconfig or context that was named, the account
        of the pod we are in, kubectl's kubeconfig."""
        chosen = self.chosen
        if "host" in chosen and "api_key" in chosen:
            return kubeconfig.Login(source="the api_key")
        if "host" in chosen and ("client_cert" in chosen or {"username", "password"} <= chosen.keys()):
            return kubeconfig.Login(source="client_cert" if "client_cert" in chosen else "username and password")
        if not {"kubeconfig", "context"} & chosen.keys() and environ.get("KUBERNETES_SERVICE_HOST"):
            try:
                config.load_incluster_config(client_configuration=self.configuration)
            except config.ConfigException:
                pass  # a pod without an account: there may be a kubeconfig in it
            else:
                return kubeconfig.Login(source="the service account of this pod")
        login = kubeconfig.load(self.configuration, chosen, environ, directory)
        return kubeconfig.Login(source="the api_key", proxy=login.proxy) if "api_key" in chosen else login

    def _choose(self) -> None:
        """What is named on its own goes above what a kubeconfig says."""
        for name, attribute in ATTRIBUTES.items():
            if name in self.chosen:
                setattr(self.configuration, attribute, self.chosen[name])
        if "api_key" in self.chosen:
            self.configuration.api_key = {"BearerToken": f"Bearer {str(self.chosen['api_key']).strip()}"}
            self.configuration.refresh_api_key_hook = None

    def _authorization(self) -> str:
        if self.login.token_file:
            return f"Bearer {_content(self.login.token_file)}"
        configuration = self.configuration
        with self._lock, _heard() as heard:
            if configuration.refresh_api_key_hook:
                configuration.refresh_api_key_hook(configuration)
        if heard:
            self._refuse_failed_plugin(heard)
        token = configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization")
        if not token and configuration.username:
            pair = f"{configuration.username}:{configuration.password}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        return str(token or "")

    def _refuse_failed_plugin(self, heard: list[str]) -> None:
        """The library only logs what a credential plugin did wrong, and goes on without credentials."""
        if self.login.plugin and (heard or not (self.configuration.api_key or self.configuration.cert_file)):
            said = kubeconfig.quote(" ".join(heard))
            raise ConnectionFailed(
                f"The credential plugin {self.login.plugin!r} of {self.login.source} failed",
                f"It says: {said}" if said else "It gave neither a token nor a certificate",
                "Log in again the way it wants, or run it by hand to see what it lacks",
            )


def expiry(authorization: str) -> str:
    """When a bearer token ran out (RFC 3339), if it is a JWT that says so and did; else empty. Its signature is the
    server's business."""
    parts = authorization.partition(" ")[2].split(".")
    if len(parts) != 3:
        return ""
    try:
        seconds = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))).get("exp")
        moment = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment < datetime.now(UTC) else ""


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, ValueError) as error:
        why = kubeconfig.quote(error)
        raise ConnectionFailed(f"The token file {path} cannot be read", why, "Correct the path or the file") from error


@contextmanager
def _heard() -> Iterator[list[str]]:
    """The errors that the library logs meanwhile, kept from the terminal."""
    texts: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                texts.append(record.getMessage())

    ear, root = Ear(), logging.getLogger()
    root.addHandler(ear)
    try:
        yield texts
    finally:
        root.removeHandler(ear)
