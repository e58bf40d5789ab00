# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one of our own releases as a Helm chart and as a template for kubernetes.core, so that all contestants
apply the same objects. The few values that the benchmark changes become variables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DROPPED = "NetworkPolicy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of a server. `model`: a directory in its container; `load`: seconds that it loads for;
    `network_policy`: whether it has that object; `limit`: seconds that Helm and kubernetes.core may wait."""

    tag: str = "v0.33.0"
    model: str = "/usr/share"
    flag: str = "--enable-prefix-caching"
    load: str = "0.25"
    network_policy: bool = True
    limit: int = 300

    def values(self) -> dict[str, Any]:
        """The values of the chart, and the variables of the template."""
        return {
            "tag": self.tag,
            "model": self.model,
            "flag": self.flag,
            "load": self.load,
            "network_policy": self.network_policy,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a template language writes a variable of ours, and a condition around an object."""

    variables: Mapping[str, str]
    begin: str
    end: str


HELM = Dialect(
    variables={
        "release": ".Release.Name",
        "namespace": ".Release.Namespace",
        "tag": ".Values.tag",
        "model": ".Values.model",
        "flag": ".Values.flag",
        "load": ".Values.load",
    },
    begin="{{ if .Values.network_policy }}",
    end="{{ end }}",
)
JINJA = Dialect(
    variables={name: name for name in HELM.variables} | {"namespace": "release_namespace"},
    begin="{% if network_policy %}",
    end="{% endif %}",
)


def render(definition: Sequence[Mapping[str, Any]], marks: Mapping[str, str], dialect: Dialect) -> str:
    """`marks`: the text that stands for each variable in `definition`. All of them have to occur."""
    text = "\n".join(_document(body, dialect) for body in definition)
    for name, mark in marks.items():
        assert mark in text, f"the objects do not hold {mark}, which is to become {name}"
        text = text.replace(mark, f"{{{{ {dialect.variables[name]} }}}}")
    return text


def write_chart(folder: Path, template: str, wish: Wish) -> None:
    """A chart of one template."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "server", "version": "1.0.0"}))
    (folder / "values.yaml").write_text(json.dumps(wish.values()))
    (folder / "templates" / "objects.yaml").write_text(template)


def _document(body: Mapping[str, Any], dialect: Dialect) -> str:
    # Prometheus' own templates have to come out as they are; Go's and Jinja's way to write that is the same.
    text = json.dumps(body, indent=1).replace("{{", '{{ "{{" }}')
    begin, end = (dialect.begin, dialect.end) if body["kind"] == DROPPED else ("", "")
    return f"{begin}\n---\n{text}\n{end}"
