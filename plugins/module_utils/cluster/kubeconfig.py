# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a kubeconfig: the library merges files, runs credential plugins and decodes certificates; here it is told
which, and what it says when it cannot becomes a sentence."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed

try:
    import yaml
    from kubernetes import config
    from kubernetes.config import kube_config
except ImportError:  # Access says so in a sentence, before anybody gets here
    pass

CHOICES = "Name a kubeconfig and a context, or a host and an api_key (options, or K8S_AUTH_* in the environment)"
# One line of what others say is enough for a message.
LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where credentials come from, in words, and what the library does not tell of it: the `proxy` of the cluster, the
    `plugin` that is run, and the file that the token stands in. Empty for none."""

    source: str
    proxy: str = ""
    plugin: str = ""
    token_file: str = ""


def load(configuration: Any, chosen: Mapping[str, Any], environ: Mapping[str, str], folder: str) -> Login:
    """Fills the library's `configuration` from the kubeconfig and context that the options name, or kubectl's. Writes
    certificates and keys that the kubeconfig holds into `folder`. Raises ConnectionFailed."""
    source, wanted = chosen.get("kubeconfig"), chosen.get("context")
    if isinstance(source, dict):
        label, merged, persister = (
            "kubeconfig given as a dictionary",
            kube_config.ConfigNode("kubeconfig", source),
            None,
        )
    else:
        # The library reads KUBECONFIG once, when it is imported; a task's own environment comes later.
        path = str(source or environ.get("KUBECONFIG") or "~/.kube/config")
        label, (merged, persister) = f"kubeconfig {path}", _merged(path)
    there = [context["name"] for context in merged.value.get("contexts") or []]
    if wanted is not None and wanted not in there:
        raise ConnectionFailed(
            f"There is no context {wanted!r}",
            f"The {label} has {', '.join(sorted(there)) or 'none'}",
            "Choose one of them, or correct the kubeconfig",
            setting="cluster",
        )
    try:
        loader = kube_config.KubeConfigLoader(
            config_dict=merged,
            active_context=wanted,
            config_base_path=None,
            config_persister=persister if chosen.get("persist_config") else None,
            temp_file_path=folder,
        )
        loader.load_and_set(configuration)
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        raise ConnectionFailed(f"The {label} cannot be used", quote(error), CHOICES) from error
    context = loader.current_context
    cluster, _base = _entry(merged, "cluster", context["context"].get("cluster"))
    user, base = _entry(merged, "user", context["context"].get("user"))
    return Login(
        source=f"context {context['name']!r} of the {label}",
        proxy=str(cluster.get("proxy-url") or ""),
        plugin=str((user.get("exec") or {}).get("command") or ""),
        token_file=os.path.join(base, str(user["tokenFile"]))
        if user.get("tokenFile") and not user.get("token")
        else "",
    )


@contextmanager
def directory() -> Iterator[str]:
    """Where certificates and keys out of a kubeconfig are files, for as long as OpenSSL reads them and no longer."""
    with tempfile.TemporaryDirectory() as path:
        try:
            yield path
        finally:
            # The library remembers its files as long as the process lives; up to 35 it does not look whether they are
            # still there.
            kube_config._temp_files.clear()  # noqa: SLF001 - there is no other way to tell it


def quote(error: Exception | str) -> str:
    """What a library or program says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{': ' + str(error.filename) if error.filename else ''}"
    return re.sub(r"^(exec: |\[Errno \d+\] )", "", " ".join(str(error).split()))[:LONGEST_QUOTE]


def _merged(path: str) -> tuple[Any, Any]:
    """One or more kubeconfig files as one, and what writes changes back."""
    what = f"The kubeconfig {path} cannot be read"
    try:
        merger = kube_config.KubeConfigMerger(os.pathsep.join(map(os.path.expanduser, path.split(os.pathsep))))
    except (config.ConfigException, OSError) as error:
        raise ConnectionFailed(what, quote(error), CHOICES) from error
    except yaml.YAMLError as error:  # its text would show what stands in the file
        mark = getattr(error, "problem_mark", None)
        problem = (
            f"{getattr(error, 'problem', None) or 'it cannot be parsed'}{f' at line {mark.line + 1}' if mark else ''}"
        )
        raise ConnectionFailed(what, f"It is not YAML: {problem}", "Correct the file") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # the library does not look before it reaches in
        raise ConnectionFailed(what, "It is no kubeconfig", "Name another file, or correct it") from error
    if merger.config is None:
        raise ConnectionFailed("The connection to Kubernetes is not configured", f"There is no file {path}", CHOICES)
    return merger.config, merger.save_changes


def _entry(merged: Any, kind: str, name: str | None) -> tuple[dict[str, Any], str]:
    """A cluster or user of a merged kubeconfig, and the directory of the file that it stands in."""
    for node in merged.value.get(f"{kind}s") or []:
        value = getattr(node, "value", node)
        if value.get("name") == name:
            return value.get(kind) or {}, os.path.dirname(os.path.abspath(getattr(node, "path", None) or "."))
    return {}, ""
