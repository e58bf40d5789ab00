# Copyright (c) 2026, ai-aas maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the variables of the role vllm_deploy, before anything is done with them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: refusals
short_description: What is wrong with the variables of the role vllm_deploy
version_added: 0.1.0
author: ai-aas maintainers (@ai-aas)
description:
  - Compares the variables of a host with the argument specification of the role P(ai_aas.vllm.vllm_deploy#role), and
    looks for what the specification cannot say. The role asks for it in its first task; there is no use for it
    elsewhere.
options:
  _terms:
    description: The entry point of the role whose variables are meant. Those of the others must only exist.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot be meant
  ansible.builtin.fail:
    msg: "{{ refusals | join(' ') }}"
  when: refusals | length > 0
  vars:
    refusals: "{{ query('ai_aas.vllm.refusals', 'main') }}"
"""

RETURN = r"""
_raw:
  description: One text for each mistake. None means that the role can begin.
  type: list
  elements: str
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.lookup import LookupBase
from ansible_collections.ai_aas.vllm.plugins.plugin_utils.rendering import LOADER

PREFIX = "vllm_deploy_"
# The file that makes an inventory one of an environment.
ENVIRONMENT = "group_vars/vllm.yml"


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **_options: Any) -> list[str]:
        known = variables or {}
        path = Path(known["role_path"], "meta", "argument_specs.yml")
        (specification,) = yaml.load_all(path.read_bytes(), Loader=LOADER)
        options = {point: body["options"] for point, body in specification["argument_specs"].items()}
        (point,) = terms
        return [
            *_unknown(known, options["main"]),
            *self._misfits({name: known[name] for name in options[point] if name in known}, options[point]),
            *_environments(known.get("ansible_inventory_sources", ())),
        ]

    def _misfits(self, given: Mapping[str, Any], options: dict[str, Any]) -> Iterator[str]:
        """What has not the type or is none of the choices that the specification gives."""
        values: dict[str, Any] = {}
        wrong = []
        for name, value in given.items():
            try:
                values |= self._templar.template({name: value})  # which leaves out what is omitted
            except AnsibleError as error:
                wrong.append(f"{name}: {str(error).splitlines()[0].rstrip('. ')}")
        # Ansible would take a string for a list with one item, or read it as key=value.
        structures = [name for name in values if options[name]["type"] in ("list", "dict")]
        strings = [name for name in structures if isinstance(values[name], str)]
        if strings:
            yield (
                f"{', '.join(strings)} must be a list or a dictionary and is a string. The command line makes a string "
                f"of every -e name=value. Set it in the inventory, or give it as JSON: -e '{{\"{strings[0]}\": …}}'."
            )
        fitting = {name: value for name, value in values.items() if name not in strings}
        validator = ArgumentSpecValidator({name: options[name] for name in fitting})
        validated = validator.validate(fitting, validate_role_argument_spec=True)
        wrong += [message[:1].upper() + message[1:] for message in validated.error_messages]
        if wrong:
            yield (
                f"The variables of the role vllm_deploy are not valid. {'; '.join(wrong)}. "
                "Correct them; the README of the role lists what they are."
            )


def _unknown(known: Iterable[str], options: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted(name for name in known if str(name).startswith(PREFIX) and name not in options)
    if unknown:
        meant = {name: get_close_matches(name, options, n=1, cutoff=0.85) for name in unknown}
        told = ", ".join(f"{name} (is it {close[0]}?)" if close else name for name, close in meant.items())
        yield (
            f"The role vllm_deploy has no variable {told}. Nothing was done, because what a misspelt "
            "variable was meant to change would silently keep its default. Correct or remove it; the README of the "
            "role lists what there is."
        )


def _environments(sources: Iterable[str]) -> Iterator[str]:
    """An inventory is a directory or a file in it. The directory above several takes all their hosts, and nobody's
    group_vars."""
    found: set[str] = set()
    for source in (Path(source) for source in sources if "," not in source):  # -i localhost, names a host
        places = [source / ENVIRONMENT, source.parent / ENVIRONMENT, *source.glob(f"[!.]*/{ENVIRONMENT}")]
        found |= {str(place) for place in places if place.is_file()}
    if len(found) > 1:
        yield (
            f"This run mixes {' and '.join(sorted(found))}. Both have the same hosts and group, and the last one would "
            "silently win for all of them. Run one environment after the other."
        )
