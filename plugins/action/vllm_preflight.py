# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.preflight import preflight
from ansible_collections.ai_aas.vllm.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    MODULE = "ai_aas.vllm.vllm_preflight"
    OPTIONS = options.PREFLIGHT
    OPERATION = staticmethod(preflight)
