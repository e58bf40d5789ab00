# SPDX-License-Identifier: GPL-3.0-or-later
"""Head and records in the namespace itself, as ConfigMaps next to the server."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.api import CONFIG_MAP, Api
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.paths import FIELD_MANAGER
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import Conflict, Lost, NotFound, Refused
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
        return record.load((self._stored.get("data") or {}).get("head", ""))

    def save(self, head: record.Head, operation_id: str) -> None:
        """Raises Lost when somebody else has written since the head was read or written here, and every time from then
        on.

        A write of our own whose answer was lost looks like that at first; the operation's id tells.
        """
        data = {"head": record.dump(head)}
        try:
            self._write(data)
        except (Conflict, NotFound) as error:
            if isinstance(error, NotFound) and error.namespace_missing:
                raise
            ours = self._stored
            found = self.load()
            if found == head:
                return
            if found is None or found.operation is None or found.operation.id != operation_id:
                self._stored = ours  # what we would write is about a head that is no more
                raise self._lost(found) from error
            self._write(data)

    @property
    def written(self) -> str:
        """When the head was written last, by the API server's clock, as objects have their times."""
        return _written(self._stored).strftime("%Y-%m-%dT%H:%M:%SZ") if self._stored else ""

    def age(self) -> float:
        """Seconds since the head was written last, both times by the API server's clock. Writes nothing."""
        if self._stored is None:
            return 0.0
        touched = self._stored | {"data": (self._stored.get("data") or {}) | {"now": "?"}}
        try:
            moment = _written(self.api.replace(touched, dry_run=True))
        except (Conflict, NotFound):  # it has been written, or deleted, this very moment
            return 0.0
        return (moment - _written(self._stored)).total_seconds()

    def write_record(self, revision: int, content: dict[str, Any]) -> None:
        """Written once. The same record written by a run that was cut short is left alone. Another one is of a release
        that the head, which came back from a backup, knows nothing of."""
        body = self._config_map(f"{self.name}.v{revision}", "revision")
        body |= {"immutable": True, "binaryData": {"record": record.pack(content)}}
        try:
            self.api.create(body)
        except Conflict:
            there = self.api.get(CONFIG_MAP, body["metadata"]["name"])
            if not record.holds((there.get("binaryData") or {}).get("record", ""), content["digest"]):
                self.api.delete(CONFIG_MAP, body["metadata"]["name"], uid=there["metadata"]["uid"])
                self.api.create(body)

    def read_record(self, revision: int) -> dict[str, Any]:
        """The record of a revision. Raises Refused when it is not there, or not what was written."""
        try:
            body = self.api.get(CONFIG_MAP, f"{self.name}.v{revision}")
            return record.unpack((body.get("binaryData") or {}).get("record", ""))
        except NotFound as error:
            why = f"ConfigMap/{self.name}.v{revision} is not there: it was trimmed, or deleted by hand"
            raise Refused(f"Revision {revision} cannot be had", why, self._choice(revision)) from error
        except ValueError as error:
            why = f"ConfigMap/{self.name}.v{revision} was changed by hand: {error}"
            raise Refused(f"Revision {revision} cannot be had", why, self._choice(revision)) from error

    def delete_records(self, keep: Iterable[int] = ()) -> None:
        """All records but these."""
        kept = frozenset(keep)
        for body in self._records():
            if self._revision(body) not in kept:
                with contextlib.suppress(NotFound):
                    self.api.delete(CONFIG_MAP, body["metadata"]["name"], uid=body["metadata"]["uid"])

    def delete_head(self) -> None:
        if self._stored:
            metadata = self._stored["metadata"]
            with contextlib.suppress(NotFound):
                self.api.delete(
                    CONFIG_MAP, self.name, uid=metadata["uid"], resource_version=metadata["resourceVersion"]
                )
            self._stored = None

    def newest_recorded(self) -> int:
        """The highest revision of which there is a record; 0 for none. Numbers are never used twice, also without a
        head."""
        return max((self._revision(body) for body in self._records()), default=0)

    def _choice(self, revision: int) -> str:
        """What can be had instead. One request."""
        others = sorted({self._revision(body) for body in self._records()} - {revision}, reverse=True)
        return f"Choose another revision ({', '.join(map(str, others))})" if others else "There is no other record"

    def _write(self, data: dict[str, str]) -> None:
        if self._stored is None:
            self._stored = self.api.create(self._config_map(self.name, "head") | {"data": data})
        else:
            self._stored = self.api.replace(self._stored | {"data": data})

    def _lost(self, found: record.Head | None) -> Lost:
        return Lost(
            f"Another run has taken {self.release}",
            f"ConfigMap/{self.name} was written while this run was looking at it: {_winner(found)}",
            "Nothing more was written by this run; look at the history, then run the same command again",
        )

    def _records(self) -> list[Object]:
        return self.api.list(CONFIG_MAP, f"{names.RECORD}=revision,{names.RECORD_OF}={self.release}")

    @staticmethod
    def _revision(body: Object) -> int:
        found = re.search(r"\.v(\d+)$", body["metadata"]["name"])
        return int(found[1]) if found else 0

    def _config_map(self, name: str, role: str) -> Object:
        labels = {names.RECORD: role, names.RECORD_OF: self.release}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


def _winner(found: record.Head | None) -> str:
    """Who was faster, and with what."""
    if found is None:
        return "the release was removed"
    if found.operation:
        return f"{found.operation.holder} is {found.operation.doing}"
    row = found.history[0] if found.history else None
    return (
        f"{row.by.get('user') or 'somebody'} has made revision {row.revision} ({row.state})" if row else "it moved on"
    )


def _written(body: Object) -> datetime:
    """When our field manager wrote an object last."""
    entries = [entry for entry in body["metadata"].get("managedFields") or [] if entry["manager"] == FIELD_MANAGER]
    # None: it came back from a backup, say, and nobody alive has written it.
    return max((datetime.fromisoformat(entry["time"]) for entry in entries), default=datetime.min.replace(tzinfo=UTC))
