"""An append-only log whose lines are chained by hash, one log for each process.

A line is one JSON object: ``seq`` counts from 1, ``at`` is RFC 3339 in UTC, ``event`` reads ``source:subject:action``,
``prev`` is the ``hash`` of the line before (64 zeros for the first), and ``hash`` is the SHA-256 of the line without
it. Lines name objects, leases and people by their opaque ids, never a patient and never a UID.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.clock import stamp
from appliance.errors import Damaged, StorageFull

FIRST = "0" * 64
LONGEST_LINE = 8 * 1024 * 1024


class AuditLog:
    """The log of one process; safe to share between its threads."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` for appending, continuing its chain; a torn last line is closed off and kept.

        A process can be killed in the middle of a line. That line was never durable, so what it spoke of never
        happened; it stays in the file as it is and the chain goes on from the last whole line.
        """
        self._lock = threading.Lock()
        self._path = path
        self._seq, self._prev, self._torn = _tail(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def append(self, moment: datetime, event: str, **fields: Any) -> None:
        """Write one line and return once it is durable; :class:`StorageFull` when there is no room for it."""
        with self._lock:
            line: dict[str, Any] = {"seq": self._seq + 1, "at": stamp(moment), "event": event, **fields}
            line["prev"] = self._prev
            digest = line_hash(line)
            line["hash"] = digest
            raw = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            try:
                self._write(raw)
            except OSError as error:
                raise StorageFull("The disk is full: what leaves no trace is not done.", "Free space.") from error
            self._seq, self._prev = self._seq + 1, digest

    def _write(self, raw: bytes) -> None:
        """Write and sync a whole line; of one that did not fit, what was written is closed off before the next."""
        if self._torn:
            raw = b"\n" + raw
        written = os.write(self._fd, raw)
        self._torn = written != len(raw)
        if self._torn:
            raise OSError("The audit line was cut short.")
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file; the log cannot be used afterwards."""
        os.close(self._fd)


def line_hash(line: Mapping[str, Any]) -> str:
    """Return the SHA-256 in hex of a line without its ``hash``, keys sorted, as compact UTF-8 JSON."""
    body = {key: value for key, value in line.items() if key != "hash"}
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return hashlib.sha256(raw).hexdigest()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a log in order, each verified against its hash and the line before.

    Raises :class:`Damaged` at the first line that was changed, removed or put in. Torn lines are passed over.
    """
    seq, prev = 0, FIRST
    with path.open("rb") as file:
        for raw in file:
            line = _parse(raw)
            if line is None:
                continue
            if line.get("seq") != seq + 1 or line.get("prev") != prev or line_hash(line) != line.get("hash"):
                raise Damaged(
                    f"The audit log {path.name} was altered after line {seq}.", "Keep the disk as it is and report it."
                )
            seq, prev = seq + 1, str(line["hash"])
            yield line


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _tail(path: Path) -> tuple[int, str, bool]:
    """Return the last whole line's number and hash, and whether the file ends in a torn line."""
    if not path.exists():
        return 0, FIRST, False
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - LONGEST_LINE))
        tail = file.read()
    for raw in reversed(tail.split(b"\n")):
        line = _parse(raw)
        if line is not None and line_hash(line) == line.get("hash"):
            return int(line["seq"]), str(line["hash"]), not tail.endswith(b"\n")
    if size:
        raise Damaged(f"The audit log {path.name} has no readable line.", "Run: appliance check")
    return 0, FIRST, False
