# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom in `plugins/`. The layers are what lets the engine be tested without a cluster."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

OURS = "ansible_collections.ai_aas.vllm.plugins."

# From each part of the plugins to what it may use of the collection, besides itself. A file that no entry covers is an
# error: a new one has to find its place.
MAY_USE = {
    "module_utils.findings": (),
    "module_utils.errors": ("findings",),
    "module_utils.quantity": (),
    "module_utils.options": (),
    "module_utils.cluster": ("findings", "errors"),
    "module_utils.release": ("cluster", "findings", "errors", "quantity"),
    "module_utils.serving": ("cluster", "findings", "errors", "quantity"),
    # Releases and serving meet here and nowhere else.
    "module_utils.operations": ("outcome", "release", "serving", "cluster", "findings", "errors", "quantity"),
    "module_utils.outcome": ("release", "findings", "errors"),
    "module_utils.as_module": ("operations",),
    "filter": (),
    "lookup": ("plugin_utils",),
    "plugin_utils": ("operations",),
    "modules": ("operations", "options", "as_module"),
    "action": ("operations", "options", "plugin_utils"),
    "doc_fragments": (),
}

# No I/O, no clock, no Ansible, no client library: all of these but for the files named below them.
PURE = (
    "module_utils.findings",
    "module_utils.errors",
    "module_utils.quantity",
    "module_utils.cluster.paths",
    "module_utils.release",
    "module_utils.serving",
)
IMPURE = (
    "module_utils.release.aftermath",
    "module_utils.release.apply",
    "module_utils.release.attempt",
    "module_utils.release.autopsy",
    "module_utils.release.clock",
    "module_utils.release.engine",
    "module_utils.release.events",
    "module_utils.release.follow",
    "module_utils.release.lock",
    "module_utils.release.placement",
    "module_utils.release.planner",
    "module_utils.release.proof",
    "module_utils.release.removal",
    "module_utils.release.services",
    "module_utils.release.store",
    "module_utils.release.stuck",
    "module_utils.serving.address",
    "module_utils.serving.examination",
    "module_utils.serving.probe",
)
PURE_PYTHON = (
    "__future__ base64 collections copy dataclasses datetime enum functools hashlib itertools json math re typing "
    "decimal urllib.parse zlib"
).split()
CLOCKS = {"now", "today", "utcnow"}
DOORS = {"input", "open", "print"}

# Libraries that only some parts may know.
LIBRARIES = {
    "ansible": ("module_utils.as_module", "plugin_utils", "action", "lookup"),
    "ansible_collections.kubernetes": ("module_utils.options", "module_utils.cluster"),
    "http": ("module_utils.serving.probe",),
    "kubernetes": ("module_utils.cluster",),
    "urllib3": ("module_utils.cluster",),
    "websocket": ("module_utils.cluster",),
}


def violations(module: str, source: str) -> list[str]:
    """What is wrong with the imports of `module`, named as below `plugins` ("module_utils.release.plan")."""
    tree = ast.parse(source)
    imported = list(_imported(module, tree))
    found = [*_layers(module, imported), *_libraries(module, imported)]
    if _is_pure(module):
        found += [*_impure_imports(imported), *_impure_calls(tree)]
    return [f"{module} {what}" for what in found]


def _imported(module: str, tree: ast.AST) -> Iterator[str]:
    """Full names. Of `from a import b` it is "a.b", whether b is a module or not."""
    package = (OURS + module).split(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: -node.level], node.module or ""] if node.level else [node.module or ""]
            yield from (".".join([*filter(None, base), alias.name]) for alias in node.names)


def _below(name: str, parts: Sequence[str]) -> bool:
    return any(f"{name}.".startswith(f"{part}.") for part in parts)


def _is_pure(module: str) -> bool:
    return _below(module, PURE) and not _below(module, IMPURE)


def _ours(imported: Sequence[str]) -> list[str]:
    return [name.removeprefix(OURS) for name in imported if name.startswith(OURS)]


def _layers(module: str, imported: Sequence[str]) -> Iterator[str]:
    part = next((part for part in MAY_USE if _below(module, [part])), None)
    if part is None:
        yield "belongs to no layer: give it a place in tests/rules/layers.py"
        return
    allowed = [part, *(name if name == "plugin_utils" else f"module_utils.{name}" for name in MAY_USE[part])]
    yield from (f"must not use {name}" for name in _ours(imported) if not _below(name, allowed))


def _libraries(module: str, imported: Sequence[str]) -> Iterator[str]:
    for library, parts in LIBRARIES.items():
        if not _below(module, parts):
            yield from (f"must not use {name}" for name in imported if _below(name, [library]))


def _impure_imports(imported: Sequence[str]) -> Iterator[str]:
    for name in imported:
        if not name.startswith(OURS) and not _below(name, PURE_PYTHON):
            yield f"is pure and must not use {name}"
    for name in _ours(imported):
        if not _below(name, PURE) or _below(name, IMPURE):
            yield f"is pure and must not use {name}, which is not"


def _impure_calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                yield f"is pure and must not ask the clock (line {node.lineno})"
            if isinstance(node.func, ast.Name) and node.func.id in DOORS:
                yield f"is pure and must not call {node.func.id} (line {node.lineno})"
