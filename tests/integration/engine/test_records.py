# SPDX-License-Identifier: GPL-3.0-or-later
"""Records hold what a rollback needs and no secret. One that people have touched is noticed and named."""

from __future__ import annotations

import base64
import json
import random
import re
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command, Run
from ansible_collections.ai_aas.vllm.tests.integration.engine.hands import Object
from ansible_collections.ai_aas.vllm.tests.integration.engine.scenarios import deploy, rollback
from ansible_collections.ai_aas.vllm.tests.integration.engine.server import Server
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace

Does = Callable[[Command], Run]
RECORD = "vllm-release-small.v1"
SERVER = Server(replicas=1, parts=("config",))


def _again(namespace: Namespace, change: Callable[[bytes], bytes]) -> None:
    """A record is immutable: whoever changes it deletes it and makes another one."""
    body = namespace.get("configmaps", RECORD)
    hands.delete(namespace, "configmaps", name=RECORD)
    packed = change(base64.b64decode(body["binaryData"]["record"]))
    metadata = {"name": RECORD, "labels": body["metadata"]["labels"]}
    body = {"metadata": metadata, "binaryData": {"record": base64.b64encode(packed).decode()}}
    hands.create(namespace, "configmaps", body)


def deleted(namespace: Namespace) -> None:
    hands.delete(namespace, "configmaps", name=RECORD)


def cut(namespace: Namespace) -> None:
    _again(namespace, lambda packed: packed[: len(packed) // 2])


def edited(namespace: Namespace) -> None:
    def change(packed: bytes) -> bytes:
        content: Object = json.loads(zlib.decompress(packed))
        content["definition"][0]["data"]["greeting"] = "forged"
        return zlib.compress(json.dumps(content).encode())

    _again(namespace, change)


GONE = f"ConfigMap/{RECORD} is not there: it was trimmed, or deleted by hand"
HAND = f"ConfigMap/{RECORD} was changed by hand"


@pytest.mark.parametrize(
    ("hand", "why"),
    [
        (deleted, GONE),
        (cut, f"{HAND}: it is not what was written"),
        (edited, f"{HAND}: its definition does not have the digest that stands beside it"),
    ],
)
def test_a_record_that_people_have_touched(
    namespace: Namespace, run: Does, done: Does, hand: Callable[[Namespace], None], why: str
) -> None:
    done(deploy(SERVER))
    done(deploy(replace(SERVER, greeting="second")))
    hand(namespace)

    for command in (rollback(), rollback(revision=1)):
        refused = run(command)
        assert refused.message == f"Revision 1 cannot be had. {why}. Choose another revision (2)."
        assert refused.result["changed"] is False
    assert namespace.history("small") == [(2, "current", True), (1, "superseded", True)]

    done(deploy(replace(SERVER, greeting="third")))
    assert namespace.history("small")[0] == (3, "current", True)
    done(rollback())
    assert namespace.get("configmaps", "small")["data"] == {"greeting": "second"}


def test_no_secret_is_recorded(namespace: Namespace, run: Does, done: Does) -> None:
    """Neither is a definition with one taken, nor is the key that a server gets from a Secret ever written down."""
    key = "sk-not-to-be-seen"
    namespace.create_secret("small", api_key=key)
    server = replace(SERVER, env={"LANGUAGE": "en"})
    objects = server.objects()
    (container,) = objects[-1]["spec"]["template"]["spec"]["containers"]
    container["env"].append(
        {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "small", "key": "api-key"}}}
    )
    finished = done(deploy(server, definition=objects))
    assert finished.result["verification"]["passed"], "it was asked with the key"
    written = (
        json.dumps([namespace.record(1, "small"), namespace.head("small")])
        + finished.told
        + json.dumps(finished.result)
    )
    assert key not in written

    literal = replace(SERVER, env={"HF_TOKEN": "hf-not-to-be-seen"})
    refused = run(deploy(literal))
    assert refused.message == (
        "small cannot be released. Deployment/small sets HF_TOKEN to a literal value: a release is recorded, and a "
        "record must not hold a secret. Take it from a Secret with valueFrom.secretKeyRef."
    )
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"a": "b"}}
    refused = run(deploy(SERVER, definition=[*SERVER.objects(), secret]))
    assert refused.message == (
        "small cannot be released. Secret/x: a release is recorded, and a record must not hold a secret. Create the "
        "Secret with kubernetes.core, External Secrets or Vault, and refer to it by name."
    )


def test_a_definition_that_no_record_holds(namespace: Namespace, run: Does) -> None:
    noise = random.Random(1)  # noqa: S311 - it only must not compress
    maps = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"large-{number}"},
            "binaryData": {"noise": base64.b64encode(noise.randbytes(500_000)).decode()},
        }
        for number in range(2)
    ]
    for check_mode in (True, False):
        refused = run(replace(deploy(SERVER, definition=[*SERVER.objects(), *maps]), check_mode=check_mode))
        assert re.sub(r"\d+ KiB compressed", "SIZE", refused.message) == (
            "The definition is too large to be recorded: SIZE. A revision is kept in a ConfigMap, which "
            "holds 900 KiB. Move large data out of the release's ConfigMaps."
        )
    assert namespace.names("configmaps") <= {"kube-root-ca.crt"}


def test_a_head_that_is_gone(namespace: Namespace, done: Does) -> None:
    """Numbers are never used twice, and what is there is taken over."""
    done(deploy(SERVER))
    done(deploy(replace(SERVER, greeting="second")))
    before = {pod["metadata"]["uid"] for pod in namespace.pods()}
    hands.delete(namespace, "configmaps", name="vllm-release-small")
    done(deploy(replace(SERVER, greeting="second")))
    assert namespace.history("small") == [(3, "current", True)]
    assert {pod["metadata"]["uid"] for pod in namespace.pods()} == before


def test_a_head_that_people_have_spoilt(namespace: Namespace, run: Does, done: Does) -> None:
    done(deploy(SERVER))
    hands.patch(namespace, "configmaps", {"data": {"head": "{}"}}, name="vllm-release-small")
    refused = run(deploy(SERVER))
    assert refused.message == (
        "The head of this release cannot be read. It was edited by hand, or written by another version of ai_aas.vllm: "
        "'schema'. Use the version that wrote it; or delete the head, and the next deploy takes over what it finds."
    )
