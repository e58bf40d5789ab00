# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status prediction without modifying the target.
  diff_mode:
    description: Returns what has changed (or needs changing in C(check_mode)) when in diff mode.
  idempotent:
    description: A second run with the same arguments changes nothing.
  async:
    description: Can be run in the background with C(async).
  action_group:
    description: Use C(group/ai_aas.vllm.vllm) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - ai_aas.vllm.vllm
"""
