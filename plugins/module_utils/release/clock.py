# SPDX-License-Identifier: GPL-3.0-or-later
"""The time, as history and evidence have it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The time in UTC, RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
