# SPDX-License-Identifier: GPL-3.0-or-later
"""Three sentences, with the caller's word for what has to change."""

from __future__ import annotations

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import CollectionError, InvalidInput, sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", "a."), ("a.", "a."), (" a! \n", "a!"), ("a?", "a?"), ("is it 4.5", "is it 4.5.")],
)
def test_sentence(text: str, expected: str) -> None:
    assert sentence(text) == expected


@pytest.mark.parametrize(
    ("error", "setting_names", "told"),
    [
        (CollectionError("It broke"), {}, "It broke."),
        (CollectionError("It broke", "It was old", "Buy another"), {}, "It broke. It was old. Buy another."),
        (CollectionError("It broke", do="Buy another"), {}, "It broke. Buy another."),
        (InvalidInput("No", "Why", "Name it", setting="image tag"), {}, "No. Why. Name it."),
        (
            InvalidInput("No", "Why", "Name it", setting="image tag"),
            {"image tag": "vllm_deploy_image_tag"},
            "No. Why. Name it (vllm_deploy_image_tag).",
        ),
        (InvalidInput("No", "Why", "Name it", setting="other"), {"image tag": "x"}, "No. Why. Name it."),
        (
            InvalidInput("No", "Why", "Lower --max-len to 7 or raise --share, not --max-len", setting="--max-len"),
            {"--max-len": "max_len", "--share": "share"},
            "No. Why. Lower --max-len (max_len) to 7 or raise --share (share), not --max-len.",
        ),
        (
            InvalidInput("No", "Why", "Lower --max-len (max_len) (size)", setting="size"),
            {"--max-len": "max_len", "size": "size"},
            "No. Why. Lower --max-len (max_len) (size).",
        ),
        (
            InvalidInput("No", "Why", "Use more (--max-len)", setting="size"),
            {"--max-len": "max_len", "size": "size"},
            "No. Why. Use more (--max-len, max_len) (size).",
        ),
        (
            InvalidInput("No", "Why", "Leave --other out", setting="--other"),
            {"other flags": "extra_args"},
            "No. Why. Leave --other out (extra_args).",
        ),
    ],
)
def test_told(error: CollectionError, setting_names: dict[str, str], told: str) -> None:
    assert error.told(setting_names) == told
