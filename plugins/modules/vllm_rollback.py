#!/usr/bin/python
# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_rollback
short_description: Put a recorded revision of a vLLM server back, and prove that it serves
version_added: 0.1.0
author:
  - ai-aas maintainers (@ai-aas)
description:
  - Takes the recorded set of a former revision through the same engine as M(ai_aas.vllm.vllm_release). It is planned,
    shown in diff mode, applied, followed, verified, numbered and recorded like any other revision.
  - Fields that somebody else owns are taken; a conflict does not stop a rollback.
  - A rollback that fails is left as it is.
extends_documentation_fragment:
  - ai_aas.vllm.attributes
  - ai_aas.vllm.release
  - kubernetes.core.k8s_auth_options
requirements:
  - python >= 3.12
  - kubernetes >= 31
  - Kubernetes 1.30 or newer
attributes:
  check_mode:
    support: full
    details: The API server is asked for a dry run, which needs the same rights as the write.
  diff_mode:
    support: full
    details: Shows only what changes. Credentials are masked. Ansible prints no diff for a failed task.
  idempotent:
    support: partial
    details: With O(revision), a second run changes nothing. Without, it goes further back.
  async:
    support: none
options:
  revision:
    description:
      - The revision to put back. One that was never verified must be asked for by its number.
      - Unset, it is the newest verified revision older than the content that serves now. Going back twice goes further
        back, it does not toggle.
      - Where a newer deploy failed and was left as it is, or was cut short, it is the one that was current before
        that, if it is verified.
    type: int
"""

EXAMPLES = r"""
- name: Go back to the last revision that was proven to serve
  ai_aas.vllm.vllm_rollback:
    name: llama-2-7b-production
    namespace: system
    context: production
    reason: Answers got worse

- name: Go back to a certain revision
  ai_aas.vllm.vllm_rollback:
    name: llama-2-7b-production
    namespace: system
    revision: 3
"""

RETURN = r"""
release:
  description: The release as it is now.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    namespace:
      description: Its namespace.
      type: str
    revision:
      description: The current revision; in check mode, the one that it would be.
      type: int
    content:
      description: The revision whose content it has. After a rollback, that is an older one.
      type: int
    previous_revision:
      description: The revision before it.
      type: int
    state:
      description: V(present) or V(absent).
      type: str
    verified:
      description: Whether the current revision has answered.
      type: bool
    strategy:
      description:
        - How its pods took the place of older ones, with name (surge, replace, recreate, or own where the Deployment
          says it itself), max_surge, max_unavailable and reason.
      type: dict
  sample:
    name: llama-2-7b-production
    namespace: system
    revision: 4
    content: 4
    previous_revision: 3
    state: present
    verified: true
actions:
  description: What happened to the objects, as C(Kind/name).
  returned: success
  type: dict
  contains:
    created:
      description: Objects that were not there.
      type: list
      elements: str
    updated:
      description: Objects that changed.
      type: list
      elements: str
    adopted:
      description: Objects that belonged to no release before.
      type: list
      elements: str
    recreated:
      description: Objects that could not be changed, only replaced.
      type: list
      elements: str
    pruned:
      description: Objects that were deleted, since the release no longer names them.
      type: list
      elements: str
    kept:
      description: Objects that are no longer part of the release, but hold data and were not deleted.
      type: list
      elements: str
    skipped:
      description: Optional objects whose kind the cluster does not serve.
      type: list
      elements: str
    unchanged:
      description: How many objects were right already.
      type: int
verification:
  description: Whether all pods answered rightly, and per pod and check what they answered.
  returned: when pods were asked
  type: dict
  sample:
    passed: true
    pods:
      llama-2-7b-production-7d9f-x2k:
        - check: inference
          passed: true
          detail: generated 8 tokens, the first after 0.08 s
          seconds: 0.11
failure:
  description:
    - What went wrong, with class, cause, object, container, node, reason, exit_code, message, hint and first_seen.
  returned: when a release was tried and failed
  type: dict
rolled_back_to:
  description: The revision that now serves with the content of the last verified one.
  returned: when a release failed and was rolled back
  type: int
current_revision:
  description: The revision that is current after the failure.
  returned: when a release was tried and failed
  type: int
timings:
  description: Seconds spent in each phase.
  returned: when a release was looked at or tried
  type: dict
  sample: {plan: 0.2, apply: 0.1, rollout: 93.1, tidy: 0.1}
requests:
  description: How many requests the API server was sent.
  returned: unless it was refused
  type: int
progress:
  description: The lines that a local run shows while it works.
  returned: when run on a remote host
  type: list
  elements: str
"""

from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.plugins.module_utils.as_module import run
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.release import rollback

if __name__ == "__main__":
    run(rollback, options.ROLLBACK)
