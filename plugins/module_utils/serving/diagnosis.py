# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a server does not serve: from what it and Kubernetes have left behind to a cause and a cure. Pure.

The last line of a log is nearly always only the wrapper ("Engine core initialization failed"); the cause stands up to
some hundred lines before it, and every tensor parallel worker repeats it. So the whole log is read, at least 1000 lines
of it, and the order of the tables in `causes` decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.ai_aas.vllm.plugins.module_utils.findings import Cause
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes import cluster
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.machine import MACHINE
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.model import MODEL
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.process import (
    GENERIC,
    KILLED_WHILE_LOADING,
    PROCESS,
)
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.row import Row
from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.scheduling import SCHEDULING

LOG = MODEL + MACHINE + PROCESS
MESSAGES = cluster.EVENTS + SCHEDULING

# How much is looked at where there is more than any failed start has shown: first the cause, last the death.
HEAD, TAIL, LINE = 80_000, 40_000, 4000

# What stands before the words of a line: the time and stream of the container runtime, the rank, the process, the
# level and the place in the source.
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\S+ )?(?:std(?:out|err) [FP] )?(?:\[rank\d+\]: ?)?"
    r"(?:[^()\n]{0,40}\([^()\n]*\bpid=\d+[^()\n]*\) (?:\([^()\n]*\bpid=\d+[^()\n]*\) ){0,2})?(?:\[rank\d+\]: ?)?"
    r"(?:(?P<level>[A-Z]+) \d\d-\d\d \d\d:\d\d:\d\d \[?(?P<place>[\w./]+):\d+\] ?"
    r"|(?P<other>(?:\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[\d.,]*\]? (?:- )?)?(?:DEBUG|INFO|WARNING)(?=[:\s])"
    r"|\[?[IWV]\d{3,4} \d\d:|[\w.-]+:\d+:\d+ \[\d+\] NCCL (?:INFO|TRACE)\b"
    r"|\{(?=[^\n]*\"level(?:name)?\": ?\"(?i:debug|info|warning)\")))?"
)
_ANSI = re.compile(r"\x1b\[[\d;]*[A-Za-z]|\[\d[\d;]*m")
# Nobody dies of what is reported at these levels. It is also where requests and settings are quoted.
_QUIET = ("DEBUG", "INFO", "WARNING")
# Report errors that are overcome, or raised again: an unwritable cache, a file that the hub does not have.
_TOLERANT = ("registry.py", "repo_utils.py", "config.py", "__init__.py")
_SERVES = re.compile(r'Application startup complete|INFO: +\S+ - "[A-Z]+ [^"]* HTTP/')
_STOPS = ("[shutdown] API server: shutdown triggered", "INFO:     Shutting down", "Shutting down FastAPI HTTP server")
_RETRIES = ("Retrying in ", "Rate limited. Waiting ")
_FRAME, _TRACEBACK = ("  File ", "    "), "Traceback (most recent call last)"


# Exit codes by SIGINT, SIGKILL and SIGTERM. Seconds: no longer grace period is expected.
_BY_SIGNAL, _LONGEST_GRACE = (130, 137, 143), 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What may speak of a cause in a log, one line each, without repetition. `serves`: the server had begun to serve,
    and all that was before is left out. `stops`: it was told to stop, and all that came after is left out."""

    text: str
    serves: bool
    stops: bool


def explain(
    text: str,
    exit_code: int | None = None,
    *,
    reason: str = "",
    ran_seconds: float | None = None,
    startup_budget: float | None = None,
    messages: Sequence[str] = (),
) -> Cause | None:
    """The cause that a container's log names, else the one that Kubernetes' `messages` about its end do, else the one
    that the end itself does; the latter as in explain_exit. None: nothing names one, as for a server that was told to
    stop."""
    seen = evidence(text)
    told = _first(LOG, seen.text, serves=seen.serves)
    if told:
        told = replace(told, exit_code=exit_code)
    said = explain_events(messages, ran_seconds, startup_budget)
    if said and reason != "OOMKilled" and (told is None or told.id in (GENERIC, KILLED_WHILE_LOADING)):
        return replace(said, exit_code=exit_code)
    if exit_code is None or (exit_code == 0 and seen.stops and not told):
        return told
    ended = explain_exit(exit_code, reason, ran_seconds, startup_budget)
    certain = ended is not None and ended.id == cluster.OUT_OF_MEMORY.id
    if told and not certain and (ended is None or told.id not in (GENERIC, KILLED_WHILE_LOADING)):
        return told
    if not (ended and told):
        return ended
    if seen.serves and told.id == GENERIC and ended.id == cluster.EXITS[0].id:  # the log knows what the engine died of
        ended = replace(ended, sentence=told.sentence)
    return replace(ended, message=told.message)


def explain_exit(
    exit_code: int, reason: str = "", ran_seconds: float | None = None, startup_budget: float | None = None
) -> Cause | None:
    """The cause that the end of a container names by itself. None for exit code 1, behind which everything may be.

    `reason`: of the container's terminated state. `startup_budget`: the seconds that its startup probe gives it
    (initialDelaySeconds + failureThreshold * periodSeconds); who is killed for exceeding it has run about so long, and
    at most for the grace period longer, since vLLM does not heed SIGTERM while it loads."""
    timed = bool(ran_seconds and startup_budget and _spent(ran_seconds, startup_budget))
    if timed and exit_code in _BY_SIGNAL and reason not in ("OOMKilled", "ContainerStatusUnknown"):
        return _too_slow(ran_seconds or 0, startup_budget or 0, exit_code)
    facts = {"ran": _duration(ran_seconds)} if ran_seconds is not None else {}
    row = cluster.EXITS.get(exit_code)
    if reason == "OOMKilled":
        row = cluster.OUT_OF_MEMORY
    elif reason == "ContainerStatusUnknown":
        row = cluster.NODE_LOST
    return _cause(row, facts, exit_code=exit_code) if row else None


def explain_events(
    messages: Iterable[str], ran_seconds: float | None = None, startup_budget: float | None = None
) -> Cause | None:
    """The cause that the messages of a pod's events name, or those of its conditions and its containers' states.
    `ran_seconds` and `startup_budget` as in explain_exit."""
    cause = _first(MESSAGES, "\n".join(messages), serves=False)
    if cause is None or cause.id != cluster.STARTUP_TOO_SLOW.id or not ran_seconds or not startup_budget:
        return cause
    if not _spent(ran_seconds, startup_budget):  # the kubelet goes on counting failures when a container ends by itself
        return replace(cause, transient=True)
    return replace(_too_slow(ran_seconds, startup_budget), message=cause.message)


def evidence(log: str) -> Evidence:
    kept: list[str] = []
    serves = stops = False
    for raw in _ANSI.sub("", log).replace("\r", "\n").split("\n"):
        if any(sign in raw for sign in _STOPS):
            stops = True
            break
        if not serves and _SERVES.search(raw):
            serves = True
            kept.clear()
        elif words := _words(raw):
            if not words.startswith(_RETRIES):
                kept.append(words[:LINE])
            elif kept and "thrown while requesting" in kept[-1]:
                kept.pop()
    if not serves:
        # A server that is told to stop says this, too, and the beginning of its log may be missing.
        kept = [line for line in kept if "EngineDeadError" not in line]
    text = "\n".join(dict.fromkeys(kept))
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]}\n{text[-TAIL:]}"
    return Evidence(text=text, serves=serves, stops=stops)


def _words(raw: str) -> str:
    """What a line says without its prefix; nothing, if it cannot speak of a cause."""
    prefix = _PREFIX.match(raw)
    if prefix is None:
        return raw
    words, place = raw[prefix.end() :], (prefix["place"] or "").rpartition("/")[2]
    if prefix["other"] or prefix["level"] in _QUIET or place in _TOLERANT:
        return ""
    if words.startswith(_FRAME) or "' thrown while requesting" in words:
        return ""
    if prefix["level"] and words.startswith(_TRACEBACK):  # reported; one that ends the process has no level
        return ""
    return words.rstrip()


def _first(rows: Iterable[Row], text: str, *, serves: bool) -> Cause | None:
    for row in rows:
        match = re.search(row.signs, text, re.MULTILINE) if row.serving or not serves else None
        if match:
            start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.start())
            return _cause(row, _facts(row, match, text), message=text[start : end if end >= 0 else None][:1000])
    return None


def _facts(row: Row, match: re.Match[str], text: str) -> dict[str, str]:
    """The named groups; the earlier pattern wins, and the earliest place in the text."""
    found = {name: value for name, value in match.groupdict().items() if value}
    for pattern in row.facts:
        other = re.search(pattern, text, re.MULTILINE)
        if other:
            found = {name: value.strip() for name, value in other.groupdict().items() if value} | found
    if "field" in found:
        found["flag"] = "--" + re.sub("[ _]", "-", found["field"])
    return found


def _cause(row: Row, facts: Mapping[str, str], *, exit_code: int | None = None, message: str = "") -> Cause:
    return Cause(
        id=row.id,
        sentence=_filled(row.sentence, facts),
        cure=_filled(row.cure, facts),
        setting=_filled(row.setting, facts),
        transient=row.transient,
        exit_code=exit_code,
        message=message,
    )


def _filled(template: str, facts: Mapping[str, str]) -> str:
    parts = re.split(r"[\[\]]", template)
    known = (place % 2 == 0 or facts.keys() >= set(re.findall(r"\{(\w+)\}", part)) for place, part in enumerate(parts))
    return "".join(part.format_map(facts) for part, told in zip(parts, known, strict=True) if told).strip()


def _too_slow(ran: float, budget: float, exit_code: int | None = None) -> Cause:
    facts = {"ran": _duration(ran), "budget": _duration(budget), "more": _duration(2 * budget)}
    return _cause(cluster.STARTUP_TOO_SLOW, facts, exit_code=exit_code)


def _spent(ran: float, budget: float) -> bool:
    # The last probe comes a period before the end of the budget.
    return 0.8 * budget <= ran <= budget + _LONGEST_GRACE


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
