#!/usr/bin/python
# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_preflight
short_description: Find out what stands in the way of a release of a vLLM server
version_added: 0.1.0
author:
  - ai-aas maintainers (@ai-aas)
description:
  - Tells everything at once that is wrong, doubtful or good to know about a set of objects before it is released.
  - Looks at the objects themselves, at what Kubernetes and vLLM make of them, at what O(require) asks for, at what
    admission says to a pod of each Deployment, at the room for it on the nodes, and at the memory of the GPUs.
  - Fails when there are errors. Changes nothing.
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
    details: Changes nothing anyway. A pod is asked for in a dry run, which needs the right to create pods.
  diff_mode:
    support: none
  idempotent:
    support: full
  async:
    support: none
options:
  name:
    description: Name of the release. Needed with O(template) or O(definition).
    type: str
  namespace:
    description: Namespace of all its objects.
    type: str
    required: true
  template:
    description:
      - Paths of templates that render to the objects. Empty documents are left out.
      - Without O(template) and O(definition), only RV(capacity) is read.
    type: list
    elements: str
  definition:
    description: The objects. Use this or O(template).
    type: list
    elements: raw
  require:
    description:
      - What a release must have.
      - V(cluster) is a context or host that is named by an option or by C(K8S_AUTH_CONTEXT) or C(K8S_AUTH_HOST).
      - V(image_tag) is a tag other than C(latest). V(image_digest) is a digest.
      - V(model_revision) is a model revision other than C(main).
      - V(replicas) is at least two replicas.
    type: list
    elements: str
    choices: [cluster, image_tag, image_digest, model_revision, replicas]
    default: []
  strategy:
    description: How the release will replace pods, as for M(ai_aas.vllm.vllm_release).
    type: str
    choices: [auto, surge, replace]
    default: auto
  namespace_create:
    description: Whether the release will create the namespace.
    type: bool
    default: false
  capacity:
    description:
      - What another task has returned as RV(capacity), so that nodes and pods are not read once more.
      - Empty, they are read. Where they may not be, that is a finding.
    type: str
    default: ''
  model_config:
    description:
      - The content of the model's C(config.json), from which the memory that it takes is worked out.
    type: dict
    default: {}
  model_weights:
    description: The size of the model's weights on disk, such as C(13.5Gi). Known, it is used instead of an estimate.
    type: str
    default: ''
  setting_names:
    description:
      - What the caller calls a setting, by what this module calls it. Messages then name the caller's variable.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Find out what stands in the way
  ai_aas.vllm.vllm_preflight:
    name: llama-2-7b-production
    namespace: system
    template:
      - deployment.yml.j2
      - service.yml.j2
    context: production
    require: [cluster, image_tag]
    model_config: "{{ lookup('ansible.builtin.file', 'llama-2-7b/config.json') | from_json }}"

- name: Read nodes and pods once for several servers
  ai_aas.vllm.vllm_preflight:
    namespace: system
  register: seen
  run_once: true
"""

RETURN = r"""
name:
  description: The name of the release.
  returned: with objects
  type: str
findings:
  description: What there is to say, errors first.
  returned: always
  type: list
  elements: dict
  contains:
    level:
      description: V(error), V(warning) or V(note).
      type: str
    rule:
      description: The name of the rule, which stays the same.
      type: str
    what:
      description: What is the matter.
      type: str
    why:
      description: Why that is so, or why it matters.
      type: str
    do:
      description: What to do about it.
      type: str
    text:
      description: All three as sentences.
      type: str
  sample:
    - level: error
      rule: too-large
      what: No node is large enough for Deployment/llama-2-70b-production
      why: it asks for 8 nvidia.com/gpu, and the largest node that suits it, gpu-a, has 4
      do: Ask for less, or add a larger node
      text: >-
        No node is large enough for Deployment/llama-2-70b-production: it asks for 8 nvidia.com/gpu, and the largest
        node that suits it, gpu-a, has 4. Ask for less, or add a larger node.
capacity:
  description: What is on the nodes, packed for other tasks; see O(capacity).
  returned: without objects
  type: str
requests:
  description: How many requests the API server was sent.
  returned: always
  type: int
progress:
  description: The lines that a local run shows while it works.
  returned: when run on a remote host
  type: list
  elements: str
"""

from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.plugins.module_utils.as_module import run
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.preflight import preflight

if __name__ == "__main__":
    run(preflight, options.PREFLIGHT)
