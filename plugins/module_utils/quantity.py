# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts as Kubernetes writes them ("24Gi", "500m", "1e3"), as numbers."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_POWERS = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def amount(text: object) -> Decimal:
    """The number that a quantity means. Raises ValueError for what is none."""
    found = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([KMGTPE]i|[numkMGTPE])?", str(text).strip())
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    number, unit = Decimal(found[1]), found[2] or ""
    return number * (Decimal(1024) ** _POWERS[unit] if unit in _POWERS else Decimal(10) ** _UNITS[unit])
