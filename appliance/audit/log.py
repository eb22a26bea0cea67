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
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.audit.anchors import FIELD, as_field
from appliance.audit.ends import Head, first_line, last_line, still_holds
from appliance.audit.line import FIRST, LONGEST_LINE, line_hash, render
from appliance.audit.room import ROOM_BYTES, keep_room
from appliance.clock import stamp
from appliance.durable import let_go, sync_directory, told_as_ours
from appliance.errors import EnvironmentProblem
from appliance.paths import StatePaths

SEGMENT_BYTES = 16 * 1024 * 1024
COMMANDS = "cli"  # the log of the command line: its first line says that the archive was made
NOT_DONE = "what leaves no trace is not done"


class AuditLog:
    """The log of one process; safe to share between its threads.

    A line that this process wrote or found and that is gone at the next one was cut off meanwhile: the next line names
    it, as it would another log's, so that the chain goes on and what is missing shows.
    """

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
        self._cut: Head | None = None
        try:
            with self._current():
                pass
        except BaseException:
            self.close()
            raise

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
            if self._cut is not None:
                line[FIELD] = {**fields.get(FIELD, {}), self._process: as_field(self._cut)}
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
            self._head, self._cut = Head(line["seq"], line["hash"], line["at"]), None
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
                self._fd, self._size, self._room = _open(self._path), -1, 0
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
            fields, torn = last_line(self._paths, self._process)
            if self._cut is None and not still_holds(self._paths, self._process, self._head.seq, self._head.hash):
                self._cut = self._head
            self._head = Head(fields["seq"], fields["hash"], fields["at"]) if fields else Head(0, FIRST)
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


def _open(path: Path) -> int:
    with told_as_ours(NOT_DONE):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(path, flags, 0o640)
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
