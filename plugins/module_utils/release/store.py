# SPDX-License-Identifier: GPL-3.0-or-later
"""Head and records in the namespace itself, as ConfigMaps next to the server."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import CONFIG_MAP, Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Conflict, NotFound, Refused
from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Object
from ansible_collections.ai_aas.vllm.plugins.module_utils.release import names, record


class Store:
    """The records of one release. `save` is compare and swap: it fails when anybody else has written since."""

    def __init__(self, api: Api, release: str) -> None:
        self.api, self.release = api, release
        self.name = f"vllm-release-{release}"
        self._stored: Object | None = None

    def load(self) -> record.Head | None:
        """The head, or None where the release was never deployed. One request."""
        try:
            self._stored = self.api.get(CONFIG_MAP, self.name)
        except NotFound:
            self._stored = None
            return None
        return record.load(self._stored["data"]["head"])

    def save(self, head: record.Head) -> None:
        """Raises Refused when the head has changed since it was read or written here."""
        data = {"head": record.dump(head)}
        try:
            if self._stored is None:
                self._stored = self.api.create(self._config_map(self.name, "head") | {"data": data})
            else:
                self._stored = self.api.replace(self._stored | {"data": data})
        except (Conflict, NotFound) as error:
            if isinstance(error, NotFound) and error.namespace_missing:
                raise
            raise Refused(
                f"Somebody else is working on {self.release}",
                f"The record in ConfigMap/{self.name} has changed while this run was looking at it",
                "Look at the history, then run the same command again",
            ) from error

    def write_record(self, revision: int, content: dict[str, Any]) -> None:
        """Written once. The same content written by a run that was cut short is left alone."""
        body = self._config_map(f"{self.name}.v{revision}", "revision")
        body |= {"immutable": True, "binaryData": {"record": record.pack(content)}}
        with contextlib.suppress(Conflict):
            self.api.create(body)

    def delete_records(self, revisions: tuple[int, ...] | None = None) -> None:
        """The records of these revisions; of all if None. One that is not there is no error."""
        for body in self._records():
            revision = self._revision(body)
            if revisions is None or revision in revisions:
                with contextlib.suppress(NotFound):
                    self.api.delete(CONFIG_MAP, body["metadata"]["name"], uid=body["metadata"]["uid"])

    def delete_head(self) -> None:
        if self._stored:
            metadata = self._stored["metadata"]
            self.api.delete(CONFIG_MAP, self.name, uid=metadata["uid"], resource_version=metadata["resourceVersion"])
            self._stored = None

    def newest_recorded(self) -> int:
        """The highest revision of which there is a record; 0 for none. Numbers are never used twice, also without a
        head."""
        return max((self._revision(body) for body in self._records()), default=0)

    def _records(self) -> list[Object]:
        return self.api.list(CONFIG_MAP, f"{names.RECORD}=revision,{names.RECORD_OF}={self.release}")

    @staticmethod
    def _revision(body: Object) -> int:
        found = re.search(r"\.v(\d+)$", body["metadata"]["name"])
        return int(found[1]) if found else 0

    def _config_map(self, name: str, role: str) -> Object:
        labels = {names.RECORD: role, names.RECORD_OF: self.release}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}
