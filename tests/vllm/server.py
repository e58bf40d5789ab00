# SPDX-License-Identifier: GPL-3.0-or-later
"""A release of a real vLLM, worked on by the playbooks.

No image holds vLLM's five gigabytes: its pods have it from the disk of this machine, which must be their node.
Everything keeps its path there, since the scripts of a virtual environment name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.tunnel import open_tunnel
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.exchange import Answer, Limits, Request
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.probe import Conversation
from ansible_collections.ai_aas.vllm.tests.integration import playbook
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace, Object
from ansible_collections.ai_aas.vllm.tests.vllm.install import ENVIRONMENT, MODEL, PYTHON_HOME

INVENTORY = Path(__file__).with_name("inventory")
# A start takes a minute, several on a busy machine, and no playbook has more than two.
PATIENCE = 1200
PORT = 8000
# The system's libraries come along: those of the image may be older than this machine's Python.
SYSTEM = Path("/usr")
# Closed to everybody but root in the image; a volume in its place lets the server's user through to what lies below.
CLOSED = Path("/root")


@dataclass(frozen=True, slots=True, kw_only=True)
class RealServer:
    namespace: Namespace
    api: Api

    def start_deploy(self, **changes: Any) -> playbook.Run:
        """`changes`: variables of the role, without their prefix."""
        changed = {f"vllm_deploy_{name}": value for name, value in changes.items()}
        return playbook.start_deploy(self.namespace.name, inventory=INVENTORY, variables=_placed() | changed)

    def deploy(self, **changes: Any) -> playbook.Run:
        return self.start_deploy(**changes).finish(PATIENCE)

    def play(self, name: str) -> playbook.Run:
        """One of the collection's other playbooks."""
        variables = {"vllm_deploy_namespace": self.namespace.name}
        return playbook.play(f"ai_aas.vllm.{name}", inventory=INVENTORY, variables=variables)

    @property
    def pod(self) -> Object:
        """The one that there is."""
        (found,) = self.namespace.pods()
        return found

    def ask(self, path: str) -> Answer:
        name = self.pod["metadata"]["name"]
        line = Conversation(lambda: open_tunnel(self.api.connection, self.namespace.name, name, PORT, 10))
        return line.ask(Request(method="GET", path=path), Limits(), last=True)


def _placed() -> dict[str, Any]:
    places = {
        "system": (SYSTEM, SYSTEM),
        "vllm": (ENVIRONMENT, ENVIRONMENT),
        "model": (MODEL, Path("/models", MODEL.name)),
    }
    if not PYTHON_HOME.is_relative_to(SYSTEM):
        places["python"] = (PYTHON_HOME, PYTHON_HOME)
    volumes = [
        {"name": name, "hostPath": {"path": str(here), "type": "Directory"}} for name, (here, _there) in places.items()
    ]
    mounts = [{"name": name, "mountPath": str(there), "readOnly": True} for name, (_here, there) in places.items()]
    return {
        "vllm_deploy_extra_volumes": [{"name": "closed", "emptyDir": {}}, *volumes],
        "vllm_deploy_extra_volume_mounts": [{"name": "closed", "mountPath": str(CLOSED)}, *mounts],
        "vllm_deploy_extra_env": [{"name": "PATH", "value": f"{ENVIRONMENT}/bin:/usr/bin:/bin"}],
    }
