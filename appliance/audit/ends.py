"""The first and the last line of a log, and whether a line that somebody remembers is still in it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from appliance.audit.line import FIRST, LONGEST_LINE, line_hash, parse
from appliance.errors import Damaged
from appliance.paths import StatePaths
from appliance.regular import open_regular

WINDOW = 256 * 1024  # bytes that are read at once from the end of a log
NOT_PLAIN = frozenset({errno.EINVAL, errno.ELOOP, errno.ENXIO})  # what opening a pipe, a directory or a link says


@dataclass(frozen=True, slots=True)
class Head:
    """The last whole line of a log: its number, its hash, when it was written."""

    seq: int
    hash: str
    at: str = ""


@contextmanager
def plain(path: Path) -> Iterator[BinaryIO]:
    """Yield a file of a log; :class:`Damaged` when something else lies there, :class:`OSError` as the system says."""
    try:
        file = open_regular(path, sys.maxsize)
    except OSError as error:
        if error.errno in NOT_PLAIN:
            raise Damaged(f"{path.name} is not a plain file.", "Run: appliance audit verify") from error
        raise
    with file:
        yield file


def head_of(paths: StatePaths, process: str) -> Head:
    """Return the last whole line of a log, number 0 when it is empty; :class:`Damaged` when none can be read."""
    fields, _ = last_line(paths, process)
    return Head(fields["seq"], fields["hash"], fields["at"]) if fields else Head(0, FIRST)


def first_line(path: Path) -> dict[str, Any] | None:
    """Return the first line of a file that is one."""
    with plain(path) as file:
        while raw := file.readline(LONGEST_LINE + 1):
            if (fields := parse(raw.rstrip(b"\n"))) is not None:
                return fields
    return None


def last_line(paths: StatePaths, process: str) -> tuple[Mapping[str, Any], bool]:
    """Return the last whole line of a log, nothing when it is empty, and whether its newest file ends in a torn one.

    Raises :class:`Damaged` when there are bytes but no line.
    """
    torn, found = False, False
    for newest, path in enumerate(reversed(paths.audit_segments(process))):
        with plain(path) as file:
            fields, open_ended, empty = _last_in(file)
        torn = open_ended if newest == 0 else torn
        if fields is not None:
            return fields, torn
        found = found or not empty
    if found:
        raise Damaged(f"The audit log of {process} has no readable line.", "Run: appliance audit verify")
    return {}, torn


def still_holds(paths: StatePaths, process: str, seq: int, digest: str) -> bool:
    """Return whether line ``seq`` of a log is there with this hash, or was removed with what is older than the log.

    ``False`` says that the log is another one than the one that somebody remembers: cut, or put back to an earlier day.
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
        with plain(path) as file:
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


def newest(paths: StatePaths, process: str, wanted: Callable[[Mapping[str, Any]], bool], mark: bytes) -> dict[str, Any]:
    """Return the newest whole line of a log that is wanted, empty when there is none; such a line has ``mark`` in it.

    The log is read from its end, so that this costs what was written since, in the memory of a few lines. Raises
    :class:`Damaged` when something else than a file lies there, :class:`OSError` as the system says.
    """
    for path in reversed(paths.audit_segments(process)):
        with plain(path) as file:
            for raw in _backwards(file):
                fields = _whole(raw) if mark in raw else None
                if fields is not None and wanted(fields):
                    return fields
    return {}


def _last_in(file: BinaryIO) -> tuple[dict[str, Any] | None, bool, bool]:
    """Look at the end of a file, and at more and more of it while no whole line is found.

    Returns the line, whether bytes without a line feed are at the end, and whether the file is empty.
    """
    size = file.seek(0, 2)
    open_ended = False
    for number, raw in enumerate(_backwards(file)):
        open_ended = open_ended or (number == 0 and bool(raw))
        fields = _whole(raw)
        if fields is not None:
            return fields, open_ended, False
    return None, open_ended, size == 0


def _whole(raw: bytes) -> dict[str, Any] | None:
    """Return the fields of a line with the hash that it names, ``None`` for anything else."""
    fields = parse(raw)
    return fields if fields is not None and line_hash(fields) == fields["hash"] else None


def _backwards(file: BinaryIO) -> Iterator[bytes]:
    """Yield what lies before, between and behind the line feeds of a file, the last first.

    Of a line that is longer than any of ours comes a part that is, too.
    """
    place, begun = file.seek(0, 2), b""
    while place:
        start = max(0, place - WINDOW)
        file.seek(start)
        first, *rest = (file.read(place - start) + begun).split(b"\n")
        yield from reversed(rest)
        place, begun = start, first[: LONGEST_LINE + 1]
    yield begun
