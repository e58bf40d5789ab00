# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions of vLLM know which flags. An unknown one ends the server at once, with exit code 2.

From the argument parsers of vLLM 0.8.5 to 0.33.0 (vllm/engine/arg_utils.py, vllm/entrypoints/openai/cli_args.py). Only
flags that came or went in that time are here."""

from __future__ import annotations

import re
from typing import TypeAlias

Version: TypeAlias = tuple[int, ...]

# The first version that has it.
SINCE: dict[str, Version] = {
    "--api-server-count": (0, 9, 2),
    "--disable-access-log-for-endpoints": (0, 16, 0),
    "--fingerprint-mode": (0, 21, 0),
    "--fingerprint-value": (0, 21, 0),
    "--grpc": (0, 18, 0),
    "--headless": (0, 9, 2),
    "--kv-cache-memory-bytes": (0, 10, 2),
    "--max-num-queued-reqs": (0, 30, 0),
    "--max-num-queued-tokens": (0, 30, 0),
    "--shutdown-timeout": (0, 18, 0),
}
# The last minor version that has it, and what took its place.
UNTIL: dict[str, tuple[Version, str]] = {
    "--disable-frontend-multiprocessing": ((0, 18), ""),
    "--disable-log-requests": ((0, 16), "it is off by default; --enable-log-requests turns it on"),
    "--enable-reasoning": ((0, 9, 2), "--reasoning-parser alone"),
    "--guided-decoding-backend": ((0, 11, 1), "--structured-outputs-config"),
    "--max-seq-len-to-capture": ((0, 10, 2), "--max-num-batched-tokens"),
    "--num-scheduler-steps": ((0, 10, 0), ""),
    "--preemption-mode": ((0, 10, 2), ""),
    "--rope-scaling": ((0, 11, 0), "--hf-overrides"),
    "--swap-space": ((0, 17), ""),
    "--task": ((0, 12), "--runner and --convert"),
    "--use-v2-block-manager": ((0, 9, 2), ""),
}


def version_of(image: str) -> Version | None:
    """The version in an image's tag ("vllm/vllm-openai:v0.10.2"); None for a tag that names none, such as "latest"."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", tag)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def lacks(version: Version, flag: str) -> str:
    """Why this version does not know the flag; empty if it does, as far as is known here."""
    if flag in SINCE and version < SINCE[flag]:
        return f"vLLM has it since {_text(SINCE[flag])}"
    if flag in UNTIL:
        last, instead = UNTIL[flag]
        if version[: len(last)] > last:
            return f"vLLM has it no more since {_text(last)}{'; instead: ' + instead if instead else ''}"
    return ""


def _text(version: Version) -> str:
    return ".".join(map(str, version))
