"""Reading a log from its beginning, line by line, whatever lies in it."""

from __future__ import annotations

import contextlib
import fcntl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from appliance.audit.ends import plain
from appliance.audit.line import FIRST, LONGEST_LINE, is_torn, line_hash, parse
from appliance.errors import Damaged
from appliance.paths import StatePaths

Fault = Literal["", "torn", "foreign", "altered", "gap", "special"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log.

    ``line`` counts the lines of ``file`` from 1. ``fields`` is empty for what is no line. ``fault``: ``torn`` was cut
    short by the end of its process and is harmless, ``foreign`` is no line of ours, ``altered`` has not the hash it
    names, ``gap`` does not follow the line before, ``special`` (line 0) is a pipe, a link or a directory, unread.
    """

    process: str
    file: str
    line: int
    fields: dict[str, Any]
    fault: Fault = ""


def entries(paths: StatePaths, process: str) -> Iterator[Entry]:
    """Yield every line of a log as it stands now, oldest first; the process may go on writing.

    The chain is followed from wherever it begins: only the caller knows whether its beginning was removed rightly.
    Never raises for what lies in the files; :class:`OSError` when they cannot be read.
    """
    seq, prev = 0, ""
    for path, size in _snapshot(paths, process):
        if size is None:
            yield Entry(process, path.name, 0, {}, "special")
            continue
        for number, raw in _lines(path, size):
            fields = parse(raw)
            if fields is None:
                yield Entry(process, path.name, number, {}, "torn" if is_torn(raw, seq + 1) else "foreign")
                continue
            if line_hash(fields) != fields["hash"]:
                yield Entry(process, path.name, number, fields, "altered")
                continue
            follows = not prev or (fields["seq"] == seq + 1 and fields["prev"] == prev)
            if not prev and fields["seq"] == 1 and fields["prev"] != FIRST:
                follows = False
            seq, prev = fields["seq"], fields["hash"]
            yield Entry(process, path.name, number, fields, "" if follows else "gap")


def _snapshot(paths: StatePaths, process: str) -> list[tuple[Path, int | None]]:
    """Return the files of a log with their sizes at a moment when no line is half written, ``None`` for no file."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(FileNotFoundError, Damaged):
            file = held.enter_context(plain(paths.audit_log(process)))
            fcntl.flock(file, fcntl.LOCK_SH)
        return [(path, _size(path)) for path in paths.audit_segments(process)]


def _size(path: Path) -> int | None:
    found = path.lstat()
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _lines(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line; of one that is longer than any of ours, only the beginning."""
    with plain(path) as file:
        number = 0
        while (left := size - file.tell()) > 0:
            raw = file.readline(min(left, LONGEST_LINE + 2))
            if not raw:
                return
            number += 1
            whole = raw
            while not whole.endswith(b"\n") and file.tell() < size and (more := file.readline(LONGEST_LINE)):
                whole = more
            yield number, raw[:-1] if raw.endswith(b"\n") else raw
