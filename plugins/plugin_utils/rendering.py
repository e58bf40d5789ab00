# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates to Kubernetes objects, as ansible.builtin.template would render them. Errors name file and line."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from jinja2 import Environment, TemplateError, nodes

# The one of libyaml, unless PyYAML was built without it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ENVIRONMENT = Environment(autoescape=True)  # nothing is rendered in it


class RenderingAction(ActionBase):
    """An action whose arguments may name templates."""

    def _objects(self, paths: list[str], task_vars: dict[str, Any]) -> list[Any]:
        """The documents of the templates, empty ones as None. Raises AnsibleActionFail."""
        search_path = [os.path.join(base, "templates") for base in task_vars.get("ansible_search_path", [])]
        sources = [self._source(path, search_path) for path in paths]
        texts = [self._text(source) for source in sources]
        variables = self._evaluated(texts, task_vars)
        return [
            body
            for source, text in zip(sources, texts, strict=True)
            for body in self._documents(source, text, search_path, variables)
        ]

    def _text(self, source: str) -> str:
        try:
            text: str = trust_as_template(self._loader.get_text_file_contents(source))
            return text
        except AnsibleError as error:
            raise AnsibleActionFail(f"The template {source} cannot be read. {_first_line(error)}.") from None

    def _evaluated(self, texts: Iterable[str], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The variables, those that the templates need as values. Ansible would work each out, and compile its
        expression, anew at each place where it stands: half of the time that a server's templates take."""
        variables = dict(task_vars)
        templar = self._templar.copy_with_new_env(available_variables=variables)
        for name in needed(texts, task_vars):
            # It may stand where it is never reached. Where it is, the template says what is wrong with it.
            with contextlib.suppress(AnsibleError):
                variables[name] = templar.template(variables[name])
        return variables

    def _documents(self, source: str, text: str, search_path: list[str], variables: dict[str, Any]) -> list[Any]:
        templar = self._templar.copy_with_new_env(
            searchpath=[os.path.dirname(source), *search_path], available_variables=variables
        )
        try:
            rendered = templar.template(text, escape_backslashes=False)
        except AnsibleError as error:
            problem, line = _first_line(error), _line(error, text)
            where = f"Line {line}: {problem}" if line else problem
            cure = "Define it" if isinstance(error, AnsibleUndefinedVariable) else "Correct the template"
            raise AnsibleActionFail(f"The template {source} cannot be rendered. {where}. {cure}.") from None
        try:
            return list(yaml.load_all(str(rendered or ""), Loader=LOADER))
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


def needed(texts: Iterable[str], variables: dict[str, Any]) -> dict[str, None]:
    """The variables that templates name, and those that these are made of: each behind all that it needs. `vars`, which
    is all of them, is not looked into."""
    found: dict[str, None] = {}

    def add(value: Any, above: frozenset[str]) -> None:
        for name in sorted(_named(value) & variables.keys() - above):
            if name not in found:
                add(variables[name], above | {name})
                found[name] = None

    add(list(texts), frozenset({"vars"}))
    return found


def _named(value: Any) -> set[str]:
    """The variables that the templates in a value name, without those that they set themselves; none where one cannot
    be parsed, which rendering it tells."""
    if isinstance(value, dict):
        return _named(list(value.values()))
    if isinstance(value, list):
        return set().union(*map(_named, value))
    if not isinstance(value, str) or "{" not in value:
        return set()
    try:
        names = list(ENVIRONMENT.parse(value).find_all(nodes.Name))
    except TemplateError:
        return set()
    return {name.name for name in names if name.ctx == "load"} - {name.name for name in names if name.ctx != "load"}


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
