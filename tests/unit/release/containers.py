# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods with one container, as their status tells of it."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def pod(**status: Any) -> Object:
    container = {"name": "vllm", "image": "v:2", "restartCount": 0, "state": {}} | status
    return {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"nodeName": "gpu-a"},
        "status": {"containerStatuses": [container]},
    }


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, "message": message}}


def ended(
    code: int, *, reason: str = "Error", seconds: int = 5, message: str = "", started: str = "2026-01-01T00:00:00Z"
) -> Object:
    times = {"startedAt": started, "finishedAt": f"2026-01-01T00:{seconds // 60:02}:{seconds % 60:02}Z"}
    return {"terminated": {"exitCode": code, "reason": reason, "message": message} | times}
