# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod template says about its vLLM server: read from the container's argv and environment, so that no second
description can contradict it."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object

CONTAINER = "vllm"
DEFAULT_PORT = 8000
MODEL_ANNOTATION = "vllm.ai-aas/model"
MODEL_REVISION_ANNOTATION = "vllm.ai-aas/model-revision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`served_names`: what requests may call the model; the first is also its metrics label. `api_key_secret`: (name,
    key) of the Secret that holds the API key, where there is one."""

    image: str
    model: str
    model_revision: str
    served_names: tuple[str, ...]
    port: int
    api_key_secret: tuple[str, str] | None


def server_of(template: Object) -> Server | None:
    """The vLLM server of a pod template; None if it has none."""
    container = container_of(template)
    if container is None:
        return None
    argv = [str(word) for word in [*(container.get("command") or []), *(container.get("args") or [])]]
    positional = argv[2] if argv[:2] == ["vllm", "serve"] and len(argv) > 2 and not argv[2].startswith("-") else ""
    model = positional or next(iter(values(argv, "--model")), "")
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return Server(
        image=container.get("image", ""),
        model=annotations.get(MODEL_ANNOTATION, model),
        model_revision=annotations.get(MODEL_REVISION_ANNOTATION, ""),
        served_names=tuple(values(argv, "--served-model-name")) or (model,),
        port=int(next(iter(values(argv, "--port")), DEFAULT_PORT)),
        api_key_secret=_api_key_secret(container),
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


def _api_key_secret(container: Object) -> tuple[str, str] | None:
    for entry in container.get("env") or []:
        reference = (entry.get("valueFrom") or {}).get("secretKeyRef")
        if entry["name"] == "VLLM_API_KEY" and reference:
            return reference["name"], reference["key"]
    return None
