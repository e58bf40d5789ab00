# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of this process, which end with it."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

_FOLDER = tempfile.TemporaryDirectory(prefix="ai-aas-vllm-")


def file(name: str) -> Path:
    """A path that nobody has had before; nothing is there yet."""
    return Path(_FOLDER.name, f"{name}-{secrets.token_hex(8)}")
