#!/usr/bin/python
# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_release_info
short_description: Tell what is known about releases of vLLM servers
version_added: 0.1.0
author:
  - ai-aas maintainers (@ai-aas)
description:
  - Reads the releases of a namespace, or one of them, with state and history, from the records that
    M(ai_aas.vllm.vllm_release) keeps there.
  - All releases of a namespace cost one request to the API server, and so does one release. Each O(include_pods),
    O(include_definition) and O(include_drift) costs what its description says, for all releases together unless it says
    otherwise.
  - A release that was never made, or was removed without keeping its history, is not in the list. That is no error.
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
    details: Only reads.
  diff_mode:
    support: none
  idempotent:
    support: full
  async:
    support: none
options:
  name:
    description: Name of the release. Unset, all releases of the namespace are told.
    type: str
  namespace:
    description: Namespace of the releases.
    type: str
    required: true
  revision:
    description:
      - Only this revision of O(name) in the history, and its definition with O(include_definition). One that is not in
        the history is an error.
    type: int
  include_pods:
    description:
      - Count the pods, ready and wanted. One more request, and a second one if pods are not ready and no failure on
        record says why.
    type: bool
    default: false
  include_definition:
    description:
      - The recorded objects of O(revision), or of the current revision. M(ai_aas.vllm.vllm_release) takes them
        unchanged as its O(ai_aas.vllm.vllm_release#module:definition). One more request for each release.
    type: bool
    default: false
  include_drift:
    description:
      - Which objects and fields are no longer as they were applied, and who changed them. One more request for each
        kind of object, one for each object that is missing, one for each release with changes.
    type: bool
    default: false
  setting_names:
    description:
      - What the caller calls a setting, by what this module calls it. Messages then name the caller's variable.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Read all releases of a namespace
  ai_aas.vllm.vllm_release_info:
    namespace: system
    include_pods: true
  register: seen

- name: Show which of them are not verified
  ansible.builtin.debug:
    msg: "{{ seen.releases | rejectattr('verified') | map(attribute='name') }}"

- name: See what somebody has changed by hand
  ai_aas.vllm.vllm_release_info:
    name: llama-2-7b-production
    namespace: system
    include_drift: true

- name: Get what revision 3 consisted of
  ai_aas.vllm.vllm_release_info:
    name: llama-2-7b-production
    namespace: system
    revision: 3
    include_definition: true
"""

RETURN = r"""
releases:
  description: One entry for each release, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the release.
      type: str
    namespace:
      description: Its namespace.
      type: str
    state:
      description:
        - V(running) when the current revision is the newest. V(failed) when a newer one was bad, V(interrupted) when
          the run that made it, or was at work on the release, has ended before its time. V(deploying), V(repairing),
          V(rolling back) or V(removing) while an operation is under way. V(removed) when only the history is left.
          V(unreadable) when its records were edited, or written by a newer version; RV(releases[].problem) says more.
      type: str
    summary:
      description: The current revision, and the state where there is more to say.
      type: str
      sample: 4, 5 failed
    revision:
      description: The revision that RV(releases[].state) speaks of.
      type: int
    current:
      description: The revision that was completed last. Null when nothing is released.
      type: int
    verified:
      description: Whether the current revision has proven that it serves. Null when nothing is released.
      type: bool
    since:
      description: Since when it is in this state (UTC, RFC 3339).
      type: str
    image:
      description: Image of the current revision.
      type: str
    model:
      description: Model of the current revision.
      type: str
    model_revision:
      description: Its revision.
      type: str
    failure:
      description: What went wrong, if it did, as M(ai_aas.vllm.vllm_release) returns it.
      type: dict
    problem:
      description:
        - What is wrong, and what to do about it. What the pods say now, if they are not ready (with O(include_pods));
          else why the newest revision failed. Null when nothing is known to be wrong.
      type: dict
      contains:
        message:
          description: What is wrong.
          type: str
        hint:
          description: What to do. Empty where there is only to wait.
          type: str
      sample:
        message: "llama-2-7b-production-7d9f-x2k cannot run: the KV cache does not fit."
        hint: Lower --max-model-len to 2097 (vllm_deploy_max_model_len).
    operation:
      description: What is under way, as kind, revision, phase, holder and heartbeat. Null for nothing.
      type: dict
    history:
      description:
        - What is known of each revision, newest first, as revision, state, verified, kind, content (the revision whose
          content it has), reason, by, image, model, model_revision, started, finished, failure and evidence.
      type: list
      elements: dict
    pods:
      description: How many pods are ready, how many are wanted, and both as a summary.
      returned: with O(include_pods)
      type: dict
      sample:
        ready: 2
        wanted: 2
        summary: 2/2
    definition:
      description: The recorded objects. Null when nothing is released, and where one of several records is lost.
      returned: with O(include_definition)
      type: list
      elements: dict
    drift:
      description:
        - The objects that are not as they were applied. RV(releases[].drift[].change) is V(missing), V(recreated),
          V(unlabelled) or V(changed), and RV(releases[].drift[].fields) says which field belongs to which field manager
          now.
      returned: with O(include_drift)
      type: list
      elements: dict
      contains:
        object:
          description: The object, as C(Kind/name).
          type: str
        change:
          description: What happened to it.
          type: str
        fields:
          description: Field manager by path of the field. Empty where nobody owns it any more.
          type: dict
      sample:
        - object: Deployment/llama-2-7b-production
          change: changed
          fields:
            spec.replicas: kubectl-edit
requests:
  description: How many requests the API server was sent.
  returned: success
  type: int
"""

from ansible_collections.ai_aas.vllm.plugins.module_utils import options
from ansible_collections.ai_aas.vllm.plugins.module_utils.as_module import run
from ansible_collections.ai_aas.vllm.plugins.module_utils.operations.info import info

if __name__ == "__main__":
    run(info, options.INFO)
