# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error a user can meet.

CollectionError             one sentence of what, one of why, one of what to do
├── InvalidInput            options or definition are wrong; the cluster was not asked
├── ConnectionFailed        no API server, or no way to prove who we are
├── ApiError                the API server answered, and said no
│   ├── Forbidden           401 and 403: credentials or rights
│   ├── NotFound            404
│   └── Conflict            409: somebody else owns the field, or the object has moved
├── Refused                 the plan does not allow it; nothing was changed
│   └── Lost                another run has the release now; what it has made is not to be touched
└── ReleaseFailed           it was tried, and is not good; carries what is known about it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import with_names


class CollectionError(Exception):
    """`what` happened, `why`, and what to `do` about it: three sentences, the last two may be empty.

    `setting` is the engine's word for what has to change, for which a caller may have another name. `changed`: whether
    something had been written by then. `transient`: it says nothing about what was asked, and may go away by itself.
    """

    changed: bool = False
    transient: bool = False

    def __init__(self, what: str, why: str = "", do: str = "", *, setting: str = "") -> None:
        self.what, self.why, self.do, self.setting = what, why, do, setting
        super().__init__(self.told({}))

    def told(self, setting_names: Mapping[str, str]) -> str:
        """The message, with the caller's names for settings."""
        do = with_names(self.do, self.setting, setting_names) if self.do else ""
        return " ".join(sentence(part) for part in (self.what, self.why, do) if part)


def sentence(text: str) -> str:
    """`text` without the blanks around it and with a full stop, unless it ends in one of its own."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


class InvalidInput(CollectionError):
    pass


class ConnectionFailed(CollectionError):
    transient = True


class ApiError(CollectionError):
    """`status`: HTTP status. `reason` and `causes` (reason, message, field) as in the Kubernetes Status object."""

    def __init__(
        self,
        what: str,
        why: str = "",
        do: str = "",
        *,
        status: int,
        reason: str = "",
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(what, why, do)
        self.status, self.reason = status, reason
        self.transient = status in (401, 429) or status >= 500
        self.details = details or {}

    @property
    def unauthorized(self) -> bool:
        """A token may be renewed until the next run; who waits would wait in vain."""
        return self.status == 401

    @property
    def causes(self) -> list[dict[str, str]]:
        return self.details.get("causes") or []


class Forbidden(ApiError):
    pass


class NotFound(ApiError):
    @property
    def namespace_missing(self) -> bool:
        """True when the namespace itself is not there, which the server only says when it is asked to write."""
        return self.details.get("kind") == "namespaces"

    @property
    def kind_missing(self) -> bool:
        """True when the server does not know the kind at all (a CRD that is not installed)."""
        return not self.details.get("name") and not self.details.get("kind")


class Conflict(ApiError):
    @property
    def about_ownership(self) -> bool:
        """True: another field manager owns a field. False: the object has moved since it was read."""
        return any(cause.get("reason") == "FieldManagerConflict" for cause in self.causes)


class Refused(CollectionError):
    pass


class Lost(Refused):
    pass


class ReleaseFailed(CollectionError):
    changed = True

    def __init__(
        self, what: str, why: str = "", do: str = "", *, setting: str = "", result: dict[str, Any] | None = None
    ) -> None:
        super().__init__(what, why, do, setting=setting)
        self.result = result or {}
