# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a server ten times a second while a command runs, and says what came of it:

python -m … NAMESPACE SERVICE MODEL COMMAND…"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.load.client import Client, lost, told
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Cluster, Namespace


def main(name: str, service: str, model: str, *command: str) -> int:
    kubeconfig = Path(os.environ["K8S_AUTH_KUBECONFIG"])
    namespace = Namespace(cluster=Cluster(kubeconfig), name=name)
    try:
        client = Client(Connection({"kubeconfig": str(kubeconfig)}, {}), namespace, service=service, model=model)
        code = subprocess.run(command, check=False).returncode
        client.wait_for_more()
        answers = client.answers()
    finally:
        hands.delete(namespace, "pods", name="client")
    print(f"\n{told(answers)}")
    return code or (1 if lost(answers) else 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
