#!/usr/bin/python
# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_health
short_description: Ask a released vLLM server whether it serves
version_added: 0.1.0
author:
  - ai-aas maintainers (@ai-aas)
description:
  - Puts the questions of a deploy to every pod of a release, through a port-forward. Does the process answer, does it
    serve the model under its name, does it generate a token.
  - Fails when an answer is wrong, a pod is not ready, or pods are missing. Changes nothing.
extends_documentation_fragment:
  - ai_aas.vllm.attributes
  - kubernetes.core.k8s_auth_options
requirements:
  - python >= 3.12
  - kubernetes >= 31
  - Kubernetes 1.30 or newer
attributes:
  check_mode:
    support: full
    details: Changes nothing anyway. Every pod generates one token.
  diff_mode:
    support: none
  idempotent:
    support: full
  async:
    support: none
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  verification:
    description: How the server is asked.
    type: dict
    default: {}
    suboptions:
      prompt:
        description: The prompt of the completion that every pod has to answer.
        type: str
        default: Hello
      request_timeout:
        description: Seconds that one answer may take.
        type: int
        default: 60
  setting_names:
    description:
      - What the caller calls a setting, by what this module calls it. Messages then name the caller's variable.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Ask every pod
  ai_aas.vllm.vllm_health:
    name: llama-2-7b-production
    namespace: system

- name: Wait until it serves
  ai_aas.vllm.vllm_health:
    name: llama-2-7b-production
    namespace: system
  register: asked
  until: asked is success
  retries: 10
  delay: 30
"""

RETURN = r"""
verification:
  description: Whether everything is right, and per pod and check what was answered.
  returned: when there is a server to ask, also on failure
  type: dict
  contains:
    passed:
      description: True when all pods are there and gave the right answers.
      type: bool
    pods:
      description: For each pod the checks that were made. The first that fails is the last one.
      type: dict
  sample:
    passed: true
    pods:
      llama-2-7b-production-7d9f-x2k:
        - check: process
          passed: true
          detail: /health answers 200
          seconds: 0.03
        - check: identity
          passed: true
          detail: serves meta-llama/Llama-2-7b-hf
          seconds: 0.03
        - check: inference
          passed: true
          detail: generated 1 token
          seconds: 0.11
requests:
  description: How many requests the API server was sent, port-forwards not counted.
  returned: when there is a server to ask
  type: int
progress:
  description: The lines that a local run shows while it works.
  returned: when run on a remote host
  type: list
  elements: str
"""

from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.plugins.module_utils.as_module import run
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.health import health

if __name__ == "__main__":
    run(health, options.HEALTH)
