# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    # What every operation that makes a revision takes.
    DOCUMENTATION = r"""
options:
  name:
    description: Name of the release. Its records are called C(vllm-release-<name>).
    type: str
    required: true
  namespace:
    description: Namespace of all its objects.
    type: str
    required: true
  reason:
    description: Why this revision is made. Stands in the history.
    type: str
    default: ''
  wait_timeout:
    description: Seconds that the rollout may take in all. Unset, the budgets of the pods decide.
    type: int
  image_pull_timeout:
    description: Seconds that a pod may take before its container starts, in addition to its startup probe's budget.
    type: int
    default: 600
  schedule_timeout:
    description:
      - Seconds to wait for what may still come by itself, such as a node with a free GPU, quota, or a registry that
        lets us in. Not counted while old pods are ending.
    type: int
    default: 300
  strategy:
    description:
      - How pods are replaced, for a Deployment that does not say so itself.
      - V(surge) starts a further pod before an old one goes, V(replace) lets an old one go first.
      - V(auto) begins with V(surge) and goes over to V(replace) where the scheduler finds no room for a further pod,
        unless an autoscaler is adding a node. It does not try where a quota has no room, or where the pods mount a
        volume that only one node can have; a single pod then ends before the next one is made.
      - With one replica and no room, nobody serves until the new pod is ready.
    type: str
    choices: [auto, surge, replace]
    default: auto
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
          - Seconds for which every new pod is sent a small completion about every second, once it has answered
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
  history_max:
    description:
      - How many of the newest revisions keep their record, without which a rollback cannot put them back. The current
        and the newest verified one always keep theirs.
      - The history shows at least 20 revisions, with or without a record.
    type: int
    default: 10
  lock_wait:
    description: Seconds to wait for another run that is alive and at work on this release, before refusing.
    type: int
    default: 0
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
