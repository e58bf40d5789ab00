# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of `vllm serve`, with the flags that a version of vLLM knows and its way to refuse others."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

USAGE = """\
usage: vllm [-h] [-v]
            {chat,complete,serve,launch,bench,collect-env,download-kernels,preload,run-batch,snapshot}
            ...
"""
MULTIPLIERS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Parser(argparse.ArgumentParser):
    """vLLM's parser takes underscores for dashes, and names itself `vllm` when it does not know an argument."""

    def error(self, message: str) -> NoReturn:
        prog = "vllm" if message.startswith("unrecognized arguments") else self.prog
        sys.stderr.write(f"{USAGE}{prog}: error: {message}\n")
        raise SystemExit(2)


def parse(arguments: Sequence[str], version: str) -> argparse.Namespace:
    """Reads what follows `vllm serve`. A wrong argument writes vLLM's message and raises SystemExit(2)."""
    parser = _parser(version)
    options = parser.parse_args(_with_config_file(parser, [_with_dashes(argument) for argument in arguments]))
    options.model = options.model_tag or options.model or "Qwen/Qwen3-0.6B"
    return options


def given(options: argparse.Namespace, version: str) -> dict[str, Any]:
    """The options that differ from their defaults, for the log."""
    defaults = vars(_parser(version).parse_args([]))
    return {name: value for name, value in vars(options).items() if value != defaults.get(name) and name != "config"}


def _parser(version: str) -> Parser:
    parser = Parser(prog="vllm serve", usage=argparse.SUPPRESS)
    parser.add_argument("model_tag", nargs="?")
    for line in (Path(__file__).parent / "flags.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        names, kind, versions = line.split()
        if version in versions.split(","):
            parser.add_argument(*names.split("|"), **_keywords(kind))
    parser.set_defaults(port=8000, tensor_parallel_size=1, pipeline_parallel_size=1, shutdown_timeout=0)
    parser.set_defaults(fingerprint_mode="full", fingerprint_value=None)
    return parser


def _keywords(kind: str) -> dict[str, Any]:
    name, _unused, choices = kind.partition(":")
    keywords: dict[str, dict[str, Any]] = {
        "choice": {"choices": choices.split(",")},
        "flag": {"action": argparse.BooleanOptionalAction},
        "float": {"type": float},
        "int": {"type": int},
        "json": {"type": json.loads},
        "list": {"nargs": "+"},
        "optional": {"nargs": "?", "const": True},
        "size": {"type": _size},
        "switch": {"action": "store_true"},
        "text": {},
    }
    return keywords[name]


def _size(text: str) -> int:
    if text == "-1" or text.lower() == "auto":
        return -1
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgGtT])", text)
    return int(float(found[1]) * MULTIPLIERS[found[2]]) if found else int(text)


_size.__name__ = "human_readable_int"  # argparse prints it


def _with_dashes(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def _with_config_file(parser: Parser, arguments: list[str]) -> list[str]:
    """Puts what a `--config` file says before the other arguments, which so win."""
    path, rest = None, list(arguments)
    for index, argument in enumerate(arguments):
        if argument == "--config" and index + 1 < len(arguments):
            path, rest = arguments[index + 1], arguments[:index] + arguments[index + 2 :]
        elif argument.startswith("--config="):
            path, rest = argument.partition("=")[2], arguments[:index] + arguments[index + 1 :]
    if path is None:
        return arguments
    import yaml  # only here: the standard library has no YAML, and few use a file

    document = yaml.safe_load(Path(path).read_text())
    from_file = [word for name, value in document.items() if name != "model" for word in _words(name, value)]
    model = [str(document["model"])] if "model" in document and not _names_model(parser, rest) else []
    return [*model, *from_file, *rest]


def _names_model(parser: Parser, arguments: list[str]) -> bool:
    return parser.parse_known_args(arguments)[0].model_tag is not None


def _words(name: str, value: object) -> list[str]:
    flag = "--" + name.replace("_", "-")
    match value:
        case True:
            return [flag]
        case False:
            return []
        case list():
            return [flag, *map(str, value)]
        case dict():
            return [flag, json.dumps(value)]
        case _:
            return [flag, str(value)]
