# SPDX-License-Identifier: GPL-3.0-or-later
"""Ours, Helm and kubernetes.core do the same things to the same cluster, in turn: `make bench`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.ai_aas.vllm.tests.bench import report, single, tools
from ansible_collections.ai_aas.vllm.tests.bench.bench import prepared

CACHE = Path(__file__).resolve().parents[2] / ".cache"
PARTS = ("single", "fleet", "preflight", "verdicts")


def main() -> None:
    options = _options()
    # Its namespaces go with it also when it is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    programs, folder = CACHE / "tools", CACHE / "bench"
    tools.fetch(programs)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started, load = time.monotonic(), os.getloadavg()[0]
    with prepared(Path(os.environ["K8S_AUTH_KUBECONFIG"]), programs, folder) as bench:
        try:
            for part in options.parts:
                getattr(bench, part)(options.rounds)
        finally:
            # What was measured up to a failure is worth as much as it was.
            version = (bench.cluster.ask("GET", "/version") or {})["gitVersion"]
            about = {
                "When": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {options.rounds} rounds "
                f"in {(time.monotonic() - started) / 60:.0f} minutes",
                "Where": f"Kubernetes {version}, Python {platform.python_version()}, {os.cpu_count()} processors; "
                f"load {load:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end",
                "Limit": f"{single.LIMIT} s for a Helm and a kubernetes.core that fail, since they wait to its end; "
                "their own are 300 s and 120 s",
            }
            names = [bench.ours.name, bench.helm.name, bench.core.name]
            print(f"\n{report.write(folder, bench.results, names, about)}\nWritten to {folder}/bench.md and bench.json")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="one server, many, a look ahead, or causes"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
