# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook: with --check it writes nothing, and a second time it changes nothing."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ai_aas.vllm.tests.cluster.proxy import Proxy
from ansible_collections.ai_aas.vllm.tests.integration.namespace import Namespace
from ansible_collections.ai_aas.vllm.tests.integration.playbook import CHECKOUT, Run, play

# In the order of a server's life, with what each needs to mean the same the second time.
LIFE: dict[str, dict[str, Any]] = {
    "preflight": {},
    "deploy": {},
    "status": {},
    "history": {},
    "verify": {},
    "rollback": {"vllm_deploy_revision": 1},
    "remove": {},
}


def test_every_playbook(namespace: Namespace, proxy: Proxy) -> None:
    there = {path.stem for path in (CHECKOUT / "playbooks").glob("*.yml")}
    assert there <= LIFE.keys(), "a playbook that is not tried here"
    placed = {"vllm_deploy_namespace": namespace.name}

    def run(name: str, *options: str, **more: Any) -> Run:
        done = play(
            f"ai_aas.vllm.{name}",
            *("--limit", "one", "--diff", *options),
            variables=placed | more,
            environment={"K8S_AUTH_KUBECONFIG": str(proxy.kubeconfig)},
        )
        assert done.succeeded, done.told
        return done

    for name in (name for name in LIFE if name in there):
        if name == "rollback":  # something to go back from
            run("deploy", vllm_deploy_model_revision="other")
        proxy.requests.clear()
        foreseen = run(name, "--check", **LIFE[name])
        assert proxy.writes() == [], name
        assert proxy.requests, name
        first = run(name, **LIFE[name])
        assert changes(first) == changes(foreseen), name
        proxy.requests.clear()
        second = run(name, **LIFE[name])
        assert changes(second) == 0, f"{name}\n{second.told}"
        assert proxy.writes() == [], name


def changes(run: Run) -> int:
    (found,) = re.findall(r"^one .* changed=(\d+)", run.stdout, re.MULTILINE)
    return int(found)
