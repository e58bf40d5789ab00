#!/usr/bin/python
# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_release
short_description: Release a vLLM server on Kubernetes, and prove that it serves
version_added: 0.1.0
author:
  - ai-aas maintainers (@ai-aas)
description:
  - Takes the whole set of objects of one model server, asks the API server what they would change, and applies them
    with server-side apply. Follows the rollout, asks every new pod for a completion, and records the revision in the
    namespace.
  - A revision is C(verified) only after its pods have answered.
  - A second run with the same set changes nothing and writes nothing.
  - Objects are fenced with what was read. One that somebody else changed meanwhile is planned again or refused, never
    overwritten.
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
    details: The API server is asked for a dry run, which needs the same rights as the write.
  diff_mode:
    support: full
    details: Shows only what changes. Credentials are masked. Ansible prints no diff for a failed task.
  idempotent:
    support: full
  async:
    support: none
options:
  name:
    description: Name of the release. Its records are called C(vllm-release-<name>).
    type: str
    required: true
  namespace:
    description: Namespace of all its objects.
    type: str
    required: true
  state:
    description:
      - V(present) releases the set.
      - V(absent) deletes the objects of the release, waits until its pods are gone, and deletes the records.
        PersistentVolumeClaims are kept.
    type: str
    choices: [present, absent]
    default: present
  template:
    description: Paths of templates that render to the objects. Empty documents are left out.
    type: list
    elements: str
  definition:
    description: The objects. Use this or O(template).
    type: list
    elements: raw
  reason:
    description: Why this release is made. Stands in the history.
    type: str
    default: ''
  wait_timeout:
    description: Seconds that the rollout may take in all. Unset, the budgets of the pods decide.
    type: int
  image_pull_timeout:
    description: Seconds that a pod may take before its container starts, in addition to its startup probe's budget.
    type: int
    default: 600
  verification:
    description: How the server is asked whether it serves.
    type: dict
    default: {}
    suboptions:
      enabled:
        description: Whether it is asked at all. If not, the revision is not verified.
        type: bool
        default: true
      prompt:
        description: The prompt of the completion that every pod has to answer.
        type: str
        default: Hello
      request_timeout:
        description: Seconds that one answer may take.
        type: int
        default: 60
  history_max:
    description: How many revisions are recorded. The current and the newest verified one are always kept.
    type: int
    default: 10
  keep_history:
    description: With O(state=absent), keep the records. A later release goes on with the next revision number.
    type: bool
    default: false
  namespace_create:
    description: Create the namespace where it is missing. It belongs to no release and is never deleted.
    type: bool
    default: false
  require:
    description:
      - What a release must have, else it is refused.
      - V(cluster) is a context or host that is named by an option or by C(K8S_AUTH_CONTEXT) or C(K8S_AUTH_HOST).
      - V(image_tag) is a tag other than C(latest). V(image_digest) is a digest.
      - V(model_revision) is a model revision other than C(main).
      - V(replicas) is at least two replicas.
    type: list
    elements: str
    choices: [cluster, image_tag, image_digest, model_revision, replicas]
    default: []
  provenance:
    description: What the history says about who made the revision, in addition to what is known anyway.
    type: dict
    default: {}
  setting_names:
    description:
      - What the caller calls a setting, by what this module calls it. Messages then name the caller's variable.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Release a server from templates
  ai_aas.vllm.vllm_release:
    name: llama-2-7b-production
    namespace: system
    context: production
    template:
      - deployment.yml.j2
      - service.yml.j2
    reason: Longer context
    require: [cluster, image_tag]

- name: See what it would change
  ai_aas.vllm.vllm_release:
    name: llama-2-7b-production
    namespace: system
    template: [deployment.yml.j2, service.yml.j2]
  check_mode: true
  diff: true

- name: Remove it, and keep its history
  ai_aas.vllm.vllm_release:
    name: llama-2-7b-production
    namespace: system
    state: absent
    keep_history: true
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
    previous_revision:
      description: The revision before it.
      type: int
    state:
      description: V(present) or V(absent).
      type: str
    verified:
      description: Whether the current revision has answered.
      type: bool
  sample:
    name: llama-2-7b-production
    namespace: system
    revision: 4
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
    deleted:
      description: Objects that were deleted.
      type: list
      elements: str
    kept:
      description: Objects that are no longer part of the release, but still there.
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
          detail: generated 1 token
          seconds: 0.11
failure:
  description:
    - What went wrong, with class, cause, object, container, node, reason, exit_code, message, hint and first_seen.
  returned: when a release was tried and failed
  type: dict
timings:
  description: Seconds spent in each phase.
  returned: always
  type: dict
  sample: {plan: 0.2, apply: 0.1, rollout: 93.1, verify: 0.4}
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
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.release import release

if __name__ == "__main__":
    run(release, options.RELEASE)
