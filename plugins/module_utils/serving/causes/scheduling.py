# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scheduler says about a pod that no node takes. It names for each node the first thing that is in the way, so
a node that only lacks something is the nearest miss, and stands first here."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.row import Row

# Taints of nodes that are not meant for servers, or not ready for any pod.
_COMMON = r"(?:node-role\.kubernetes\.io|node\.kubernetes\.io|node\.cloudprovider\.kubernetes\.io)/"

SCHEDULING: tuple[Row, ...] = (
    Row(
        id="gpus_insufficient",
        signs=r"nodes are available: (?:[^\n]*, )?(?P<nodes>\d+) Insufficient (?P<resource>[\w.-]+/[\w.-]+)",
        sentence="no node has enough free {resource} ({nodes} would suit otherwise)",
        cure="Free GPUs (a preflight names who holds them), add a node, or ask for fewer",
        setting="gpus",
        transient=True,
    ),
    Row(
        id="resources_insufficient",
        signs=r"nodes are available: (?:[^\n]*, )?\d+ Insufficient (?P<resource>cpu|memory|ephemeral-storage)",
        sentence="no node has enough free {resource}",
        cure="Free some on the nodes with GPUs, or lower the pod's request of {resource}",
        setting="{resource} request",
        transient=True,
    ),
    # Kubernetes 1.35 does not name the taints any more. Those of control planes are among them, too.
    Row(
        id="nodes_unsuitable",
        signs=r"untolerated taint\(s\)[^\n]*didn't match Pod's node affinity/selector"
        r"|didn't match Pod's node affinity/selector[^\n]*untolerated taint\(s\)",
        sentence="the nodes have other labels than the pod selects, or taints that it does not tolerate",
        cure="Compare the node selector (and affinity) with the nodes' labels, and the tolerations with their taints",
        setting="node selector",
        transient=True,
    ),
    Row(
        id="taint_untolerated",
        signs=r"untolerated taint(?:\(s\))? \{(?P<taint>(?!" + _COMMON + r")[^}]+?)(?:: ?)?\}|untolerated taint\(s\)",
        sentence="the pod does not tolerate the taint[ {taint}] of the nodes",
        cure="Add a toleration of the taint[ {taint}]",
        setting="tolerations",
        transient=True,
    ),
    Row(
        id="node_selector_unmet",
        signs=r"didn't match Pod's node affinity/selector",
        sentence="no node has the labels that the pod selects",
        cure="Correct the node selector (or affinity), or label the nodes",
        setting="node selector",
        transient=True,
    ),
)
