"""The ends of all logs, written down in another log, so that a cut tail is missed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.audit.ends import Head, head_of, plain
from appliance.errors import Damaged
from appliance.paths import StatePaths

FIELD = "heads"


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
