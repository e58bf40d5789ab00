# SPDX-License-Identifier: GPL-3.0-or-later
"""The head and the records of revisions, as they are written and read."""

from __future__ import annotations

import base64
import json
import random
import re
import zlib
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.record import Head, dump, load, pack, unpack
from ansible_collections.ai_aas.vllm.tests.unit.release.heads import FULL, operation, row


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(Head(release_uid="u"), id="new"),
        pytest.param(FULL, id="full"),
        pytest.param(replace(FULL, operation=operation(2, target=1, failure={"cause": "c"})), id="going back"),
    ],
)
def test_a_head_survives_being_written_and_read(head: Head) -> None:
    assert load(dump(head)) == head


def test_a_head_is_one_document_of_schema_1() -> None:
    assert json.loads(dump(Head(release_uid="u"))) == {
        "schema": 1,
        "release_uid": "u",
        "next": 1,
        "current": None,
        "unsettled": False,
        "inventory": [],
        "operation": None,
        "history": [],
    }


HEAD = json.loads(dump(FULL))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(json.dumps(HEAD | {"schema": 2}), "it was not written in schema 1", id="a newer one"),
        pytest.param(json.dumps({}), "'schema'", id="no schema"),
        pytest.param("{", "Expecting property name enclosed in double quotes: .*", id="no JSON"),
        pytest.param("[]", ".*", id="a list"),
        pytest.param(json.dumps({"schema": 1}), "'operation'", id="cut short"),
        pytest.param(
            json.dumps(HEAD | {"mood": "good"}), ".* unexpected keyword argument 'mood'", id="a field too many"
        ),
    ],
)
def test_a_head_that_cannot_be_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(Refused) as refusal:
        load(text)
    assert re.fullmatch(
        r"The head of this release cannot be read\. It was edited by hand, or written by another version of "
        rf"ai_aas\.vllm: {why}\. "
        r"Use the version that wrote it; or delete the head, and the next deploy takes over what it finds\.",
        str(refusal.value),
    )


@pytest.mark.parametrize(("revision", "found"), [(2, 2), (9, None), (None, None)])
def test_a_row_is_found_by_its_revision(revision: int | None, found: int | None) -> None:
    result = FULL.row(revision)
    assert (result and result.revision) == found


@pytest.mark.parametrize(
    ("head", "verified"),
    [
        (FULL, True),
        (replace(FULL, history=(row(1, "current"),)), False),
        (replace(FULL, current=None), False),
        (replace(FULL, history=()), False),
    ],
)
def test_a_head_is_verified_when_its_current_revision_is(head: Head, verified: bool) -> None:
    assert head.verified is verified


SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}


def content(*objects: Any) -> dict[str, Any]:
    return {"definition": [*objects], "digest": names.digest_of_set([*objects]), "reason": "Grüße"}


def test_a_record_survives_being_packed() -> None:
    assert unpack(pack(content(SERVICE))) == content(SERVICE)


def test_packing_knows_one_spelling() -> None:
    assert pack(content(SERVICE)) == pack(dict(reversed(content(SERVICE).items())))


def test_a_record_that_is_too_large_is_refused() -> None:
    noise = random.Random(1).randbytes(700_000).hex()  # noqa: S311 - only has to be hard to compress
    with pytest.raises(Refused) as refusal:
        pack({"definition": noise * 2})
    # zlib's versions compress differently.
    assert re.sub(r"\d{4} KiB", "N KiB", str(refusal.value)) == (
        "The definition is too large to be recorded: N KiB compressed. "
        "A revision is kept in a ConfigMap, which holds 900 KiB. Move large data out of the release's ConfigMaps."
    )


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "it is not what was written", id="nothing"),
        pytest.param("not base64!", "it is not what was written", id="no base64"),
        pytest.param(base64.b64encode(b"no zlib").decode(), "it is not what was written", id="not compressed"),
        pytest.param(base64.b64encode(zlib.compress(b"{")).decode(), "it is not what was written", id="no JSON"),
        pytest.param(packed([]), "it holds no definition", id="a list"),
        pytest.param(packed({"digest": "x"}), "it holds no definition", id="no definition"),
        pytest.param(
            packed(content(SERVICE) | {"definition": []}),
            "its definition does not have the digest that stands beside it",
            id="another definition",
        ),
    ],
)
def test_what_is_no_record_is_not_read(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        unpack(text)
