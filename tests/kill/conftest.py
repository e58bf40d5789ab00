# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes too long to be done each time. The means are those of the integration tests."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.tests.integration import conftest

cluster = conftest.cluster
kubeconfig = conftest.kubeconfig
namespace = conftest.namespace
proxy = conftest.proxy
