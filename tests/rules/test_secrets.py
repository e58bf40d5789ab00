# SPDX-License-Identifier: GPL-3.0-or-later
"""No file holds a credential, and no variable that is meant for one has a value of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.ai_aas.vllm.tests.rules.checkout import ROOT, below, files, text

# As their issuers shape them: Hugging Face, OpenAI and those who copied it, AWS, PEM.
CREDENTIAL = re.compile(
    r"\bhf_[A-Za-z0-9]{30,}|\bsk-(?=[\w-]*\d)[\w-]{20,}|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
FOR_A_CREDENTIAL = re.compile(r"password|passwd|token|secret|credential|api_key|access_key|private_key", re.IGNORECASE)
# The name of a Secret and of a key in it are references, which is how a server gets its credentials.
FOR_A_REFERENCE = re.compile(r"(_secret|_secret_name|_secret_key|_secrets)$")


def with_value(variables: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, value in variables.items()
        if value and FOR_A_CREDENTIAL.search(name) and not FOR_A_REFERENCE.search(name)
    ]


def test_no_file_holds_a_credential() -> None:
    found = [path for path in files() if CREDENTIAL.search((ROOT / path).read_bytes().decode(errors="replace"))]
    assert [str(path) for path in found] == []


def test_no_variable_for_a_credential_has_a_value() -> None:
    variables = [*below("roles"), *below("inventories")]
    for path in variables:
        if path.parent.name in {"defaults", "group_vars", "host_vars"}:
            assert with_value(yaml.safe_load(text(path)) or {}) == [], path


@pytest.mark.parametrize(
    "planted", ["hf_" + "a" * 34, "sk-proj-" + "a1" * 10, "AKIA" + "A" * 16, "-----BEGIN EC PRIVATE" + " KEY-----"]
)
def test_a_credential_is_found(planted: str) -> None:
    assert CREDENTIAL.search(f"token: {planted}")


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("vllm_deploy_hf_token", "abc", True),
        ("vllm_deploy_hf_token", "", False),
        ("vllm_deploy_hf_token_secret_name", "huggingface", False),
        ("vllm_deploy_hf_token_secret_key", "HF_TOKEN", False),
        ("vllm_deploy_replicas", 1, False),
    ],
)
def test_a_variable_with_a_credential_is_found(name: str, value: object, found: bool) -> None:
    assert bool(with_value({name: value})) is found
