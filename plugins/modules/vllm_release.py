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
  - A revision is C(verified) only after its pods have answered. In an upgrade one new pod has to answer before any
    further old pod goes.
  - A run that was cut short at any point is taken up by the same command. Two runs at once are not possible.
  - A second run with the same set changes nothing and writes nothing.
  - Objects are fenced with what was read. One that somebody else changed meanwhile is planned again or refused, never
    overwritten.
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
    support: full
  async:
    support: none
options:
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
  on_failure:
    description:
      - What is done when the revision fails. The task fails in any case.
      - V(rollback) puts the newest verified revision back. Where there is none, the objects are left as they are; a
        first release is stopped.
      - V(hold) leaves the objects as they are.
      - V(stop) frees the GPUs of the failed pods. Where older pods still serve, their pod template is put back.
    type: str
    choices: [rollback, hold, stop]
    default: rollback
  adopt:
    description:
      - Take over objects of the same name that belong to no release, for example made by Helm or kubectl.
      - What their former owners set and this release does not name is removed.
    type: bool
    default: false
  force_conflicts:
    description:
      - Take fields that another manager applies (Flux, Argo CD, Helm), and replicas that an autoscaler has set.
      - Changes that people made by hand are taken back without this.
    type: bool
    default: false
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
          seconds: 0.19
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
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.release import release

if __name__ == "__main__":
    run(release, options.RELEASE)
