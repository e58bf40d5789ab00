#!/usr/bin/python
# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_health
short_description: Ask a vLLM server whether it serves
version_added: 0.1.0
author:
  - ai-aas maintainers (@ai-aas)
description:
  - Puts the questions of a deploy to every pod of a release, through a port-forward, or to any server by its URL.
  - C(process) is whether C(/health) answers 200. C(identity) is whether C(/v1/models) lists all served names, with the
    context length of C(--max-model-len). C(inference) is a completion, or an embedding of a model that generates
    nothing. C(fingerprint) is whether it came from the Deployment's pod template, which vLLM can say since 0.21.
    C(progress) is whether the token counters of C(/metrics) went on by it and the queue moves. C(soak) is what many
    completions are like. C(restarts) is whether the process is still the one that was asked. C(service) is whether the
    Services of the release have exactly the ready pods as endpoints.
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
    details: Changes nothing anyway. Every pod generates a few tokens.
  diff_mode:
    support: none
  idempotent:
    support: full
  async:
    support: none
options:
  name:
    description: Name of the release. Use this or O(url).
    type: str
  namespace:
    description: Its namespace.
    type: str
  url:
    description:
      - Address of a server that is not in a cluster, or is to be asked through what stands before it. What C(/v1) and
        C(/health) are below.
      - With C(https), O(validate_certs) and O(ca_cert) say whom to trust.
    type: str
  served_names:
    description: With O(url), the names under which it must serve its model. Left out, any will do.
    type: list
    elements: str
  server_api_key:
    description:
      - With O(url), the server's API key. Left out, that of the environment variable E(VLLM_API_KEY).
      - The key of a release comes from the Secret that its pods take it from.
    type: str
  verification:
    description: How the server is asked.
    type: dict
    default: {}
    suboptions:
      prompt:
        description: The prompt of the completion that every pod has to answer.
        type: str
        default: Hello
      ttft_timeout:
        description: Seconds until the first token of a completion.
        type: int
        default: 30
      request_timeout:
        description: Seconds that one answer may take as a whole.
        type: int
        default: 60
      soak_seconds:
        description:
          - Seconds for which every pod is sent a small completion about every second, once it has answered
            the questions. It must not be started again meanwhile, and has to answer the last one.
        type: int
        default: 0
      p95_seconds:
        description:
          - The time within which 95 percent of these completions have to be answered. Unset, there is no bound.
          - With this or O(verification.error_ratio), at least five are sent, also without a soak.
        type: float
      error_ratio:
        description:
          - The share of these completions that may fail, from 0 to 1. Unset, there is no bound.
        type: float
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

- name: Watch every pod for five minutes
  ai_aas.vllm.vllm_health:
    name: llama-2-7b-production
    namespace: system
    verification:
      soak_seconds: 300
      p95_seconds: 3
      error_ratio: 0.001

- name: Ask through the gateway
  ai_aas.vllm.vllm_health:
    url: https://llm.example.com/llama-2-7b
    served_names: [meta-llama/Llama-2-7b-hf]
  environment:
    VLLM_API_KEY: "{{ lookup('community.hashi_vault.hashi_vault', 'secret/llm:key') }}"

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
      description:
        - For each pod (or the URL) the checks that were made. No more is asked after the first wrong answer.
        - C(passed) is null where something could not be looked at, and C(detail) says why.
      type: dict
    evidence:
      description: What the answers tell besides, of several pods the slowest.
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
          detail: serves meta-llama/Llama-2-7b-hf, 4096 tokens
          seconds: 0.03
        - check: inference
          passed: true
          detail: generated 8 tokens, the first after 0.08 s
          seconds: 0.19
        - check: fingerprint
          passed: true
          detail: answers as pod template 3f2a9c1d77b0
          seconds: 0.0
        - check: progress
          passed: true
          detail: counted 8 tokens, 0 requests in the queue
          seconds: 0.01
        - check: restarts
          passed: true
          detail: the same process all the while
          seconds: 0.0
        - check: service
          passed: true
          detail: Service llama-2-7b-production has exactly the ready pods
          seconds: 0.01
    evidence:
      vllm_versions: [0.33.0]
      first_token_seconds: 0.08
      inference_seconds: 0.19
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
