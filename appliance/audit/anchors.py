"""The ends of all logs, written down in another log, so that a cut tail is missed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.audit.ends import Head, head_of, newest, plain, still_holds
from appliance.errors import Damaged
from appliance.paths import StatePaths

FIELD = "heads"
_MARK = f'"{FIELD}":{{'.encode()


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a line knows of a log: its line ``seq`` had this ``hash``."""

    process: str
    seq: int
    hash: str


def heads(paths: StatePaths, but: str) -> dict[str, dict[str, Any]]:
    """Return the last line of every log but one's own; one that cannot be read is named with a reason.

    Each of them is on the disk when this returns: its process may be between writing it and having it synced, and a
    line that others remember must not be lost when the power is.
    """
    found: dict[str, dict[str, Any]] = {}
    for process in paths.audit_processes():
        if process == but:
            continue
        try:
            head = head_of(paths, process)
            _make_durable(paths, process)
            found[process] = as_field(head)
        except (Damaged, OSError) as error:
            found[process] = {"unreadable": type(error).__name__}
    return found


def _make_durable(paths: StatePaths, process: str) -> None:
    for path in paths.audit_segments(process)[-1:]:
        with plain(path) as file:
            os.fdatasync(file.fileno())


def as_field(head: Head) -> dict[str, Any]:
    """Return the end of a log as a line names it."""
    return {"seq": head.seq, "hash": head.hash}


def anchors_of(fields: Mapping[str, Any]) -> Iterator[Anchor]:
    """Yield what a line with these fields knows of the ends of logs."""
    known = fields.get(FIELD)
    if not isinstance(known, Mapping):
        return
    for process, head in known.items():
        if isinstance(head, Mapping) and type(head.get("seq")) is int and isinstance(head.get("hash"), str):
            yield Anchor(process, head["seq"], head["hash"])


def last_seen(paths: StatePaths, process: str) -> list[Anchor]:
    """Return what the newest line of a log that names the ends of others knows of them; nothing when none does.

    Raises :class:`Damaged` or :class:`OSError` when the log cannot be read.
    """

    def names_others(fields: Mapping[str, Any]) -> bool:
        known = fields.get(FIELD)
        return isinstance(known, Mapping) and not known.keys() <= {process}

    line = newest(paths, process, names_others, _MARK)
    return [anchor for anchor in anchors_of(line) if anchor.process != process]


def missed(paths: StatePaths, anchors: Iterable[Anchor]) -> set[str]:
    """Return the processes whose log does not hold any more what was seen of it, or cannot be read."""
    missing = set()
    for anchor in anchors:
        try:
            held = still_holds(paths, anchor.process, anchor.seq, anchor.hash)
        except (Damaged, OSError):
            held = False
        if not held:
            missing.add(anchor.process)
    return missing
