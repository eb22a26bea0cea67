"""The library between a process and libc: built, put in front of a box, its plan set, its records read."""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tests.box import Box
from tests.compiled import compiled

SOURCE = Path(__file__).with_name("shim.c")
MAGIC = 0x4E45474F
HEAD = struct.Struct("<IIIIqqqIIII")
PLAN = struct.Struct("<20q")


class Call(IntEnum):
    """What was called, numbered as in shim.c; ``MARK`` is a note of the test's own among the records."""

    OPEN = 1
    WRITE = 2
    SYNC = 3
    RENAME = 4
    LINK = 5
    UNLINK = 6
    CLOSE = 7
    TRUNCATE = 8
    MARK = 9


CREATED, DIRECTORY, TRUNCATED = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Record:
    """One call that succeeded. ``fd`` belongs to the process ``pid``; ``data`` was written at ``offset``."""

    call: Call
    flags: int
    pid: int
    fd: int
    offset: int
    path: str
    other: str
    data: bytes


class Shim:
    """The library in front of one box's processes and commands."""

    def __init__(self, box: Box) -> None:
        """Prepare; what is started with the box's environment from now on is looked at."""
        self.journal = box.root / "journal.bin"
        plan = box.root / "plan.bin"
        plan.write_bytes(bytes(PLAN.size))
        self.journal.touch(mode=0o600)
        with plan.open("r+b") as file:
            self._plan = mmap.mmap(file.fileno(), PLAN.size)
        box.environment |= {
            "LD_PRELOAD": str(compiled(SOURCE, "-shared", "-fPIC")),
            "NEGATO_SHIM_ROOT": str(box.state),
            "NEGATO_SHIM_JOURNAL": str(self.journal),
            "NEGATO_SHIM_PLAN": str(plan),
        }

    def fail(self, call: Call, after: int, error: int) -> None:
        """Let the call of this kind that comes after ``after`` others fail once; ``error`` 0 is a short write."""
        struct.pack_into("<4q", self._plan, 0, 0, after, error, 0)
        struct.pack_into("<q", self._plan, 0, call)

    def fired(self) -> bool:
        """Return whether the planned call has come, and plan no other."""
        happened = bool(struct.unpack_from("<q", self._plan, 24)[0])
        struct.pack_into("<q", self._plan, 0, 0)
        return happened

    def counted(self, call: Call) -> int:
        """Return how many calls of a kind there were so far."""
        return int(struct.unpack_from("<q", self._plan, 32 + 8 * call)[0])

    def mark(self, **said: object) -> None:
        """Write a note of the test's own among the records: what the outside was told by now."""
        data = json.dumps(said).encode()
        head = HEAD.pack(MAGIC, HEAD.size + len(data), Call.MARK, 0, 0, 0, 0, 0, 0, len(data), 0)
        with self.journal.open("ab", buffering=0) as file:
            file.write(head + data)

    def records(self) -> Iterator[Record]:
        """Yield what was done, in order."""
        raw = memoryview(self.journal.read_bytes())
        place = 0
        while place < len(raw):
            magic, size, call, flags, pid, fd, offset, path, other, data, _ = HEAD.unpack_from(raw, place)
            assert magic == MAGIC, "a record was torn"
            body = bytes(raw[place + HEAD.size : place + size])
            names = body[:path].decode(), body[path : path + other].decode()
            yield Record(Call(call), flags, pid, fd, offset, *names, body[path + other : path + other + data])
            place += size
