# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who may do no more than a Role says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.engine import hands
from ansible_collections.ai_aas.vllm.tests.integration.engine.command import Command
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT

README = CHECKOUT / "README.md"
RBAC = "rbac.authorization.k8s.io/v1"


def written_role() -> dict[str, Any]:
    """The one that users copy."""
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (role,) = [
        body for block in blocks if isinstance(body := yaml.safe_load(block), dict) and body.get("kind") == "Role"
    ]
    return dict(role)


class Account:
    """A service account with nothing but some rules, and a kubeconfig for it that leads through a proxy."""

    def __init__(self, namespace: Namespace, rules: list[dict[str, Any]], proxy: Proxy, folder: Path) -> None:
        name = "deployer"
        hands.create(namespace, "serviceaccounts", {"metadata": {"name": name}})
        hands.create(namespace, f"{RBAC}/roles", {"metadata": {"name": name}, "rules": rules})
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace.name}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
        hands.create(namespace, f"{RBAC}/rolebindings", binding)
        where = hands.path(namespace, "serviceaccounts", f"{name}/token")
        token = namespace.cluster.ask("POST", where, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"})
        assert token
        document = json.loads(proxy.kubeconfig.read_text(encoding="utf-8"))
        document["users"] = [
            {"name": user["name"], "user": {"token": token["status"]["token"]}} for user in document["users"]
        ]
        self.kubeconfig = folder / "deployer.kubeconfig"
        self.kubeconfig.write_text(json.dumps(document), encoding="utf-8")
        self.namespace, self.proxy = namespace, proxy

    def does(self, command: Command, *, fails: bool = False) -> None:
        run = command.run(self.kubeconfig, self.namespace.name)
        assert bool(run.result.get("failed")) is fails, f"{run.message}\n{run.told}"

    @property
    def refused(self) -> set[str]:
        return {f"{each.method} {each.path}" for each in self.proxy.requests if each.status == 403}
