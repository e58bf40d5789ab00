# SPDX-License-Identifier: GPL-3.0-or-later
"""The look ahead for several servers, without Ansible around it: reads nodes and pods once, then judges each server.

Called with the URL of an API server and the names of the servers."""

from __future__ import annotations

import sys
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.caller import Caller, perform
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.preflight import preflight
from ansible_collections.ai_aas.vllm.tests.cluster.node import GPU

CALLER = Caller(check_mode=False, console=lambda _line: None, environ={}, by={})


def asked(url: str, **given: Any) -> dict[str, Any]:
    """The result of vllm_preflight."""
    by_token = {"host": url, "api_key": "t", "namespace": "system"}
    validated = ArgumentSpecValidator(**options.PREFLIGHT).validate(by_token | given)
    assert not validated.error_messages, validated.error_messages
    return perform(preflight, validated.validated_parameters, CALLER)


def server(name: str, gpus: int = 1) -> list[dict[str, Any]]:
    """The Deployment of a server that may go to GPU nodes."""
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.33.0",
        "args": ["m", "--tensor-parallel-size", str(gpus)],
        "resources": {"limits": {GPU: str(gpus)}},
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}},
    }
    labels = {"app": name}
    pod = {"containers": [container], "tolerations": [{"key": GPU, "operator": "Exists"}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}]


def main(url: str, *names: str) -> None:
    seen = asked(url)["capacity"]
    for name in names:
        told = asked(url, name=name, definition=server(name), capacity=seen)
        assert not told.get("failed"), told


if __name__ == "__main__":
    main(*sys.argv[1:])
