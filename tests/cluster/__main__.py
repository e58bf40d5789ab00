# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.cluster up | down | status | image`"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import cluster, packages, processes, registry
from .settings import API_SERVER, CHECKOUT, KUBECONFIG, KUBERNETES_VERSION, NODE, STATE
from .steps import StepError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="The cluster for tests and the demo.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the cluster, or find it healthy")
    commands.add_parser("down", help="stop it and remove what it left on the machine")
    commands.add_parser("status", help="say whether it is healthy; exit code 1 when it is not")
    image = commands.add_parser("image", help="write the stand-in server's image for another cluster")
    image.add_argument("--version", choices=sorted(registry.VERSIONS), default="v0.33.0")
    image.add_argument("--output", type=Path, default=CHECKOUT / ".cache" / "cluster" / "stand-in.tar")
    arguments = parser.parse_args()
    try:
        return _run(arguments)
    except StepError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. What was begun is cleared away by the next `up` or `down`.", file=sys.stderr)
        return 130


def _run(arguments: argparse.Namespace) -> int:
    begun = time.monotonic()
    match arguments.command:
        case "up":
            print(f"Test cluster: Kubernetes {KUBERNETES_VERSION}, one node ({NODE}), stand-ins for GPUs and for vLLM")
            cluster.up()
            print(f"Ready after {time.monotonic() - begun:.1f} s. export KUBECONFIG={KUBECONFIG}")
        case "down":
            print("Test cluster: down")
            cluster.down()
        case "status":
            return _status()
        case "image":
            packages.refuse_wrong_machine()
            packages.install_missing()
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            registry.write_stand_in(arguments.output, arguments.version)
            print(f"{arguments.output}: {registry.REPOSITORY}:{arguments.version}, a stand-in for vLLM")
    return 0


def _status() -> int:
    packages.refuse_wrong_machine()
    running = processes.running()
    for name in cluster.COMPONENTS:
        pids = " ".join(map(str, running.get(name, []))) or "does not run"
        print(f"  {name:<24} {pids}")
    problem = cluster.what_is_wrong()
    print(f"Not healthy: {problem}. State and logs are in {STATE}." if problem else f"Healthy, at {API_SERVER}.")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
