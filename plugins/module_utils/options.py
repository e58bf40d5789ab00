# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs, one for each module. A module's documentation must say the same."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

REQUIREMENTS = ("cluster", "image_tag", "image_digest", "model_revision", "replicas")

_QUESTIONS: dict[str, Any] = {
    "type": "dict",
    "default": {},
    "options": {
        "prompt": {"type": "str", "default": "Hello"},
        "ttft_timeout": {"type": "int", "default": 30},
        "request_timeout": {"type": "int", "default": 60},
        "soak_seconds": {"type": "int", "default": 0},
        "p95_seconds": {"type": "float"},
        "error_ratio": {"type": "float"},
    },
    "apply_defaults": True,
}
# A default of its own: validating fills it in.
_VERIFICATION = _QUESTIONS | {
    "default": {},
    "options": {"enabled": {"type": "bool", "default": True}} | _QUESTIONS["options"],
}

# What every operation that makes a revision takes.
_REVISION: dict[str, Any] = AUTH_ARG_SPEC | {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "reason": {"type": "str", "default": ""},
    "wait_timeout": {"type": "int"},
    "image_pull_timeout": {"type": "int", "default": 600},
    "schedule_timeout": {"type": "int", "default": 300},
    "strategy": {"type": "str", "choices": ["auto", "surge", "replace"], "default": "auto"},
    "verification": _VERIFICATION,
    "history_max": {"type": "int", "default": 10},
    "lock_wait": {"type": "int", "default": 0},
    "provenance": {"type": "dict", "default": {}},
    "setting_names": {"type": "dict", "default": {}},
}

RELEASE: dict[str, Any] = {
    "argument_spec": _REVISION
    | {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "template": {"type": "list", "elements": "str"},
        "definition": {"type": "list", "elements": "raw"},
        "on_failure": {"type": "str", "choices": ["rollback", "hold", "stop"], "default": "rollback"},
        "adopt": {"type": "bool", "default": False},
        "force_conflicts": {"type": "bool", "default": False},
        "keep_history": {"type": "bool", "default": False},
        "namespace_create": {"type": "bool", "default": False},
        "require": {"type": "list", "elements": "str", "choices": list(REQUIREMENTS), "default": []},
    },
    "mutually_exclusive": [["template", "definition"]],
    "required_if": [["state", "present", ["template", "definition"], True]],
}

ROLLBACK: dict[str, Any] = {"argument_spec": _REVISION | {"revision": {"type": "int"}}}

INFO: dict[str, Any] = {
    "argument_spec": AUTH_ARG_SPEC
    | {
        "name": {"type": "str"},
        "namespace": {"type": "str", "required": True},
        "revision": {"type": "int"},
        "include_pods": {"type": "bool", "default": False},
        "include_definition": {"type": "bool", "default": False},
        "include_drift": {"type": "bool", "default": False},
        "setting_names": {"type": "dict", "default": {}},
    },
    "required_by": {"revision": ["name"]},
}

HEALTH: dict[str, Any] = {
    "argument_spec": AUTH_ARG_SPEC
    | {
        "name": {"type": "str"},
        "namespace": {"type": "str"},
        "url": {"type": "str"},
        "served_names": {"type": "list", "elements": "str"},
        "server_api_key": {"type": "str", "no_log": True},
        "verification": _QUESTIONS,
        "setting_names": {"type": "dict", "default": {}},
    },
    "mutually_exclusive": [["url", "name"], ["url", "namespace"]],
    "required_one_of": [["url", "name"]],
    "required_together": [["name", "namespace"]],
    "required_by": {"served_names": ["url"], "server_api_key": ["url"]},
}

PREFLIGHT: dict[str, Any] = {
    "argument_spec": AUTH_ARG_SPEC
    | {
        "name": {"type": "str"},
        "namespace": {"type": "str", "required": True},
        "template": {"type": "list", "elements": "str"},
        "definition": {"type": "list", "elements": "raw"},
        "require": {"type": "list", "elements": "str", "choices": list(REQUIREMENTS), "default": []},
        "strategy": {"type": "str", "choices": ["auto", "surge", "replace"], "default": "auto"},
        "namespace_create": {"type": "bool", "default": False},
        "capacity": {"type": "str", "default": ""},
        "model_config": {"type": "dict", "default": {}},
        "model_weights": {"type": "str", "default": ""},
        "setting_names": {"type": "dict", "default": {}},
    },
    "mutually_exclusive": [["template", "definition"]],
    "required_by": {"template": ["name"], "definition": ["name"]},
}
