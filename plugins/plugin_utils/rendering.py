# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates to Kubernetes objects, as ansible.builtin.template would render them. Errors name file and line."""

from __future__ import annotations

import os
import re
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template


class RenderingAction(ActionBase):
    """An action whose arguments may name templates."""

    def _objects(self, path: str, task_vars: dict[str, Any]) -> list[Any]:
        """The documents of a template, empty ones as None. Raises AnsibleActionFail."""
        search_path = [os.path.join(base, "templates") for base in task_vars.get("ansible_search_path", [])]
        source = self._source(path, search_path)
        try:
            text = trust_as_template(self._loader.get_text_file_contents(source))
        except AnsibleError as error:
            raise AnsibleActionFail(f"The template {source} cannot be read. {_first_line(error)}.") from None
        search_path.insert(0, os.path.dirname(source))
        templar = self._templar.copy_with_new_env(searchpath=search_path, available_variables=task_vars)
        try:
            rendered = templar.template(text, escape_backslashes=False)
        except AnsibleError as error:
            problem, line = _first_line(error), _line(error, text)
            where = f"Line {line}: {problem}" if line else problem
            cure = "Define it" if isinstance(error, AnsibleUndefinedVariable) else "Correct the template"
            raise AnsibleActionFail(f"The template {source} cannot be rendered. {where}. {cure}.") from None
        try:
            return list(yaml.safe_load_all(str(rendered or "")))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" in line {mark.line + 1} of what it renders to" if mark else ""
            problem = getattr(error, "problem", None) or _first_line(error)
            raise AnsibleActionFail(
                f"The template {source} does not render to YAML. {problem[:1].upper()}{problem[1:]}{where}. "
                "Correct the template, or the variable that stands there."
            ) from None

    def _source(self, path: str, search_path: list[str]) -> str:
        try:
            return str(self._find_needle("templates", path))
        except AnsibleError:
            places = ", ".join(dict.fromkeys(search_path))
            raise AnsibleActionFail(
                f"There is no template {path}. It was looked for in {places}. Correct the path."
            ) from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(". ")


def _line(error: BaseException, text: str) -> int:
    """The line of the template that an error is about, counted from 1; 0 if it cannot be told. Jinja tells it of a
    wrong syntax. Of an undefined variable it only tells the name: the line is the first that has it."""
    name = re.search(r"^'([^']+)' is undefined", str(error))
    if name:
        pattern = re.compile(rf"\b{re.escape(name[1])}\b")
        return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)), 0)
    cause = error.__cause__
    return int(getattr(cause, "lineno", None) or 0)
