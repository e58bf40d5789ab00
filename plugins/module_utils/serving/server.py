# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod template says about its vLLM server: read from the container's argv and environment, so that no second
description can contradict it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object

CONTAINER = "vllm"
DEFAULT_PORT = 8000
MODEL_ANNOTATION = "vllm.ai-aas/model"
MODEL_REVISION_ANNOTATION = "vllm.ai-aas/model-revision"
# How an argument refers to a variable of its container, and a variable to an annotation of its pod.
VARIABLE = re.compile(r"\$\((?P<name>[^()]+)\)")
ANNOTATION = re.compile(r"metadata\.annotations\['(?P<key>.+)'\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`served_names`: what requests may call the model; the first is also its metrics label. `api_key_secret`: (name,
    key) of the Secret that holds the API key, where there is one. `max_model_len`: tokens, where the flags give a
    number. `fingerprint`: what the flags make it answer as its system_fingerprint; empty where they do not."""

    image: str
    model: str
    model_revision: str
    served_names: tuple[str, ...]
    port: int
    api_key_secret: tuple[str, str] | None
    max_model_len: int | None = None
    fingerprint: str = ""


def server_of(template: Object) -> Server | None:
    """The vLLM server of a pod template; None if it has none."""
    container = container_of(template)
    if container is None:
        return None
    argv = [str(word) for word in [*(container.get("command") or []), *(container.get("args") or [])]]
    positional = argv[2] if argv[:2] == ["vllm", "serve"] and len(argv) > 2 and not argv[2].startswith("-") else ""
    model = positional or next(iter(values(argv, "--model")), "")
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    length = next(iter(values(argv, "--max-model-len")), "")
    return Server(
        image=container.get("image", ""),
        model=annotations.get(MODEL_ANNOTATION, model),
        model_revision=annotations.get(MODEL_REVISION_ANNOTATION, ""),
        served_names=tuple(values(argv, "--served-model-name")) or (model,),
        port=int(next(iter(values(argv, "--port")), DEFAULT_PORT)),
        api_key_secret=_api_key_secret(container, argv),
        max_model_len=int(length) if length.isdecimal() else None,
        fingerprint=_fingerprint(container, argv, annotations),
    )


def container_of(template: Object) -> Object | None:
    containers = template["spec"].get("containers") or []
    return next((part for part in containers if part["name"] == CONTAINER), None)


def values(argv: list[str], flag: str) -> list[str]:
    """What follows `flag` in an argument vector, as `--flag a b` or `--flag=a`; the last one counts, as in argparse."""
    found: list[str] = []
    for place, word in enumerate(argv):
        if word == flag:
            found = []
            for value in argv[place + 1 :]:
                if value.startswith("--"):
                    break
                found.append(value)
        elif word.startswith(flag + "="):
            found = [word.partition("=")[2]]
    return found


def _api_key_secret(container: Object, argv: list[str]) -> tuple[str, str] | None:
    # The flag wins over the environment (vllm/entrypoints/serve/middleware/register.py).
    flag = VARIABLE.fullmatch(next(iter(values(argv, "--api-key")), ""))
    reference = _source(container, flag["name"] if flag else "VLLM_API_KEY").get("secretKeyRef")
    return (reference["name"], reference["key"]) if reference else None


def _fingerprint(container: Object, argv: list[str], annotations: Object) -> str:
    """The value of --fingerprint-value; $(NAME) is followed to the annotation that the variable is taken from."""
    value = next(iter(values(argv, "--fingerprint-value")), "")
    if values(argv, "--fingerprint-mode") != ["custom"]:
        return ""
    variable = VARIABLE.fullmatch(value)
    if not variable:
        return value
    path = _source(container, variable["name"]).get("fieldRef", {}).get("fieldPath", "")
    found = ANNOTATION.fullmatch(path)
    return str(annotations.get(found["key"], "")) if found else ""


def _source(container: Object, variable: str) -> Object:
    """Where a variable of the container is taken from; empty where it has a value of its own or is not there."""
    entries = [entry for entry in container.get("env") or [] if entry["name"] == variable]
    return dict(entries[-1].get("valueFrom") or {}) if entries else {}
