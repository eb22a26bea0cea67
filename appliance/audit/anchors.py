"""The ends of all logs, written down in another log, so that a cut tail is missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.audit.entries import Entry
from appliance.audit.line import parse
from appliance.audit.log import first_line, head_of
from appliance.errors import Damaged
from appliance.paths import StatePaths

FIELD = "heads"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the line ``by`` knows of another log: its line ``seq`` had this ``hash``."""

    process: str
    seq: int
    hash: str
    by: Entry


def heads(paths: StatePaths, but: str) -> dict[str, dict[str, Any]]:
    """Return the last line of every log but one's own; one that cannot be read is named with a reason."""
    found: dict[str, dict[str, Any]] = {}
    for process in paths.audit_processes():
        if process == but:
            continue
        try:
            head = head_of(paths, process)
            found[process] = {"seq": head.seq, "hash": head.hash}
        except (Damaged, OSError) as error:
            found[process] = {"unreadable": type(error).__name__}
    return found


def anchors_in(entry: Entry) -> Iterator[Anchor]:
    """Yield what a line knows of other logs."""
    known = entry.fields.get(FIELD)
    if entry.fault or not isinstance(known, Mapping):
        return
    for process, head in known.items():
        if isinstance(head, Mapping) and type(head.get("seq")) is int and isinstance(head.get("hash"), str):
            yield Anchor(process, head["seq"], head["hash"], entry)


def still_holds(paths: StatePaths, process: str, seq: int, digest: str) -> bool:
    """Return whether line ``seq`` of a log is there with this hash, or was removed with what is older than the log.

    ``False`` says that the disk is another one than the one that somebody remembers: put back to an earlier day.
    """
    if seq == 0:
        return True
    oldest = None
    for path in reversed(paths.audit_segments(process)):
        first = first_line(path)
        if first is None or first["seq"] > seq:
            oldest = first
            continue
        begin = f'{{"seq":{seq},'.encode()
        with path.open("rb") as file:
            for raw in file:
                if raw.startswith(begin):
                    fields = parse(raw.rstrip(b"\n"))
                    if fields is not None:
                        return bool(fields["hash"] == digest)
        return False
    # Every line that is left is newer: only the hash of the very last one that was removed is still known.
    if oldest is None:
        return False
    return bool(seq < oldest["seq"] - 1 or oldest["prev"] == digest)
