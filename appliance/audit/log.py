"""An append-only log whose lines are chained by hash, one log for each process (see ``line``).

Lines name objects, leases and people by their opaque ids, never a patient and never a UID. A log that has grown or
whose month has passed is put away under the number of its first line and the chain goes on in a new file. Whoever
prunes a log appends to it too, so that each append holds a lock and looks whether the file is still as it was left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.audit.entries import entries
from appliance.audit.line import FIRST, LONGEST_LINE, line_hash, parse, render
from appliance.audit.room import ROOM_BYTES, keep_room
from appliance.clock import stamp
from appliance.durable import let_go, sync_directory, told_as_ours
from appliance.errors import Damaged, EnvironmentProblem
from appliance.paths import StatePaths

SEGMENT_BYTES = 16 * 1024 * 1024
NOT_DONE = "what leaves no trace is not done"


@dataclass(frozen=True, slots=True)
class Head:
    """The last whole line of a log: its number, its hash, when it was written."""

    seq: int
    hash: str
    at: str = ""


class AuditLog:
    """The log of one process; safe to share between its threads."""

    def __init__(self, paths: StatePaths, process: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open the log for appending, continuing its chain; a torn last line is closed off and kept.

        A process can be killed in the middle of a line. That line was never durable, so what it spoke of never
        happened; it stays in the file as it is and the chain goes on from the last whole line.
        """
        self._lock = threading.Lock()
        self._paths = paths
        self._process = process
        self._path = paths.audit_log(process)
        self._segment_bytes = segment_bytes
        self._fd = -1
        self._size = -1
        self._room = 0
        self._head = Head(0, FIRST)
        with self._current():
            pass

    @property
    def head(self) -> Head:
        """Return the last line that this process wrote or found."""
        return self._head

    def append(self, moment: datetime, event: str, **fields: Any) -> Head:
        """Write one line and return it once it is durable; :class:`EnvironmentProblem` when it cannot be."""
        with self._lock, self._current():
            if self._size and (self._size >= self._segment_bytes or self._head.at[:7] != stamp(moment)[:7]):
                self._put_away()
            line: dict[str, Any] = {"seq": self._head.seq + 1, "at": stamp(moment), "event": event, **fields}
            line["prev"] = self._head.hash
            line["hash"] = line_hash(line)
            raw = render(line) + b"\n"
            if len(raw) > LONGEST_LINE:
                raise EnvironmentProblem("An audit line is too long.", "Ask for less at once.")
            with told_as_ours(NOT_DONE):
                written = os.write(self._fd, raw)
                os.fdatasync(self._fd)
                if written != len(raw):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._size += written
            self._head = Head(line["seq"], line["hash"], line["at"])
            self._keep_room()
            return self._head

    def close(self) -> None:
        """Close the file; the log cannot be used afterwards. Every line is durable: a close that fails loses none."""
        let_go(self._fd)

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Hold the right to write, on the file that is the log now and as it is now."""
        while True:
            if self._fd < 0:
                self._fd, self._size, self._head, self._room = _open(self._path), -1, Head(0, FIRST), 0
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            if _same_file(self._fd, self._path):
                break
            self.close()
            self._fd = -1
        try:
            self._catch_up()
            self._keep_room()
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _keep_room(self) -> None:
        """Keep between half of the room and all of it behind the last line, as far as there is any."""
        if self._room - self._size < ROOM_BYTES // 2 and keep_room(self._fd, self._size):
            self._room = self._size + ROOM_BYTES

    def _catch_up(self) -> None:
        size = os.fstat(self._fd).st_size
        if size == self._size:
            return
        with told_as_ours(NOT_DONE):
            self._head, torn = _last_line(self._paths, self._process)
            if torn:
                size += os.write(self._fd, b"\n")
        self._size = size

    def _put_away(self) -> None:
        first = first_line(self._path)
        if first is None:
            return
        with told_as_ours(NOT_DONE):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size)  # Gives back the room behind the last line.
            self._path.rename(self._paths.audit_segment(self._process, int(first["seq"])))
        fresh = _open(self._path)
        fcntl.flock(fresh, fcntl.LOCK_EX)
        let_go(self._fd)  # Whoever waits for its lock finds that the name belongs to another file now.
        self._fd, self._size, self._room = fresh, 0, 0
        self._keep_room()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of the log whose newest file is ``path``; torn ones are passed over.

    Raises :class:`Damaged` at the first line that was changed, removed or put in.
    """
    for entry in entries(StatePaths(path.parent.parent), path.stem):
        if entry.fault == "torn":
            continue
        if entry.fault:
            raise Damaged(f"Line {entry.line} of {entry.file} does not verify.", "Run: appliance audit verify")
        yield entry.fields


def head_of(paths: StatePaths, process: str) -> Head:
    """Return the last whole line of a log, number 0 when it is empty; :class:`Damaged` when none can be read."""
    return _last_line(paths, process)[0]


def first_line(path: Path) -> dict[str, Any] | None:
    """Return the first line of a file that is one."""
    with path.open("rb") as file:
        while raw := file.readline(LONGEST_LINE + 1):
            if (fields := parse(raw.rstrip(b"\n"))) is not None:
                return fields
    return None


def _last_line(paths: StatePaths, process: str) -> tuple[Head, bool]:
    """Return the last whole line of a log and whether its newest file ends in a torn one."""
    torn, found = False, False
    for newest, path in enumerate(reversed(paths.audit_segments(process))):
        head, open_ended = _last_in(path)
        torn = open_ended if newest == 0 else torn
        if head is not None:
            return head, torn
        found = found or path.stat().st_size > 0
    if found:
        raise Damaged(f"The audit log of {process} has no readable line.", "Run: appliance audit verify")
    return Head(0, FIRST), torn


def _last_in(path: Path) -> tuple[Head | None, bool]:
    """Look at the end of a file, and at more and more of it while no whole line is found."""
    size, window = path.stat().st_size, 2 * LONGEST_LINE
    open_ended = False
    with path.open("rb") as file:
        while size:
            start = max(0, size - window)
            file.seek(start)
            tail = file.read(size - start)
            open_ended = not tail.endswith(b"\n")
            for raw in reversed(tail.split(b"\n")):
                fields = parse(raw)
                if fields is not None and line_hash(fields) == fields["hash"]:
                    return Head(fields["seq"], fields["hash"], fields["at"]), open_ended
            if start == 0:
                break
            window *= 2
    return None, open_ended


def _open(path: Path) -> int:
    with told_as_ours(NOT_DONE):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if os.fstat(fd).st_size == 0:
                sync_directory(path.parent)  # Lines are synced one by one; the name of a new file has to be, too.
        except BaseException:
            os.close(fd)
            raise
    if os.geteuid() == 0:  # A person's command must not leave a log that its own process cannot continue.
        owner = path.parent.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


def _same_file(fd: int, path: Path) -> bool:
    try:
        there, here = path.stat(), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
