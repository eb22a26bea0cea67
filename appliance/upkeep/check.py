"""The check that needs no key: names against SHA-256 of the ciphertext, whole pairs, keys, strays.

It runs while the archive is locked, and beside a box that goes on working: what looks halved is looked at once more at
the end, since a pair may have been on its way to a shelf.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from appliance.archive.files import DECISION, ID, NOTE, OBJECT
from appliance.audit.verify import verify
from appliance.errors import NegatoError
from appliance.paths import StatePaths
from appliance.regular import open_regular
from appliance.upkeep import key_check, places
from appliance.upkeep.findings import Finding, finding
from appliance.upkeep.folders import entries, is_folder
from appliance.upkeep.forms import is_named_right, is_old, is_sealed
from appliance.upkeep.layout import check_layout

READERS = 4
INDEX_PAGE = 4096  # bytes; SQLCipher's
IN_CLEAR = b"SQLite format 3\0"
T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int], None]


def check(paths: StatePaths, progress: Progress = lambda _done, _all: None) -> Iterator[Finding]:
    """Yield what is wrong with a state directory; ``progress`` gets files done and in all."""
    yield from _format(paths)
    yield from _places(paths)
    yield from key_check.keys(paths)
    yield from key_check.tunnel(paths)
    yield from key_check.people(paths)
    yield from _record(paths)
    yield from _decisions(paths)
    yield from _index(paths)
    total = sum(1 for shelf in _shelves(paths) for _ in entries(paths.root, paths.objects / shelf))
    total += sum(1 for _ in entries(paths.root, paths.inbox))
    done = 0
    halves: list[str] = []
    for shelf in _shelves(paths):
        objects, object_strays = _sorted_names(paths, paths.objects / shelf, OBJECT, shelf)
        notes, note_strays = _sorted_names(paths, paths.notes / shelf, NOTE, shelf)
        renditions, rendition_strays = _sorted_names(paths, paths.renditions / shelf, OBJECT, shelf)
        for path in (*object_strays, *note_strays, *rendition_strays):
            yield from _stray(paths, path)
        if not _is_behind_link(paths, shelf):
            halves.extend(objects ^ notes)
            for object_id in sorted(renditions - objects):
                yield finding("rendition-stray", f"renditions/{shelf}/{object_id}{OBJECT}")
        for path in (paths.notes / shelf / f"{object_id}{NOTE}" for object_id in sorted(notes)):
            if not is_sealed(path):
                yield finding("note-damaged", _name(paths, path))
        files = [paths.objects / shelf / f"{object_id}{OBJECT}" for object_id in sorted(objects)]
        for path, whole in in_parallel(is_named_right, files):
            if not whole:
                yield finding("object-altered", _name(paths, path))
            done += 1
            progress(done, total)
    yield from _inbox(paths, lambda count: progress(done + count, total))
    yield from _halves(paths, halves)


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Yield every item with what ``work`` made of it, in order, a few at a time so that memory stays flat."""
    running: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for item in items:
            running.append((item, pool.submit(work, item)))
            if len(running) >= 2 * READERS:
                first, future = running.popleft()
                yield first, future.result()
        while running:
            first, future = running.popleft()
            yield first, future.result()


def _format(paths: StatePaths) -> Iterator[Finding]:
    try:
        check_layout(paths)
    except NegatoError as error:
        yield Finding("format", paths.format.name, None, str(error))


def _places(paths: StatePaths) -> Iterator[Finding]:
    yield from places.folders(paths)
    for path in places.foreign(paths):
        yield from _stray(paths, path)
    yield from places.shelves(paths)


def _record(paths: StatePaths) -> Iterator[Finding]:
    if os.path.lexists(paths.audit) and not is_folder(paths.root, paths.audit):
        return
    for problem in (problem for log in verify(paths) for problem in log.problems):
        line = f" line {problem.line}" if problem.line else ""
        yield finding("record-altered", f"{paths.audit.name}/{problem.file}{line}")


def _index(paths: StatePaths) -> Iterator[Finding]:
    """Look at the size and the first letters of the index; one that is not there is made at the next login."""
    try:
        with open_regular(paths.index_db, sys.maxsize) as file:
            damaged = file.read(len(IN_CLEAR)) == IN_CLEAR or file.seek(0, os.SEEK_END) % INDEX_PAGE
    except PermissionError:
        raise
    except OSError:
        return  # It is not there, or something else is in its place, which is a stray.
    if damaged:
        yield finding("index-damaged", paths.index_db.name)


def _decisions(paths: StatePaths) -> Iterator[Finding]:
    wanted = 1
    for path in entries(paths.root, paths.decisions):
        number = path.name.removesuffix(NOTE)
        if not path.name.endswith(NOTE) or not DECISION.fullmatch(number):
            yield from _stray(paths, path)
            continue
        for missing in range(wanted, min(int(number), wanted + 100)):
            yield finding("decision-missing", f"{paths.decisions.name}/{missing:08d}{NOTE}")
        wanted = int(number) + 1
        if not is_sealed(path):
            yield finding("decision-damaged", _name(paths, path))


def _inbox(paths: StatePaths, progress: Callable[[int], None]) -> Iterator[Finding]:
    objects, _ = _sorted_names(paths, paths.inbox, OBJECT)
    notes, _ = _sorted_names(paths, paths.inbox, NOTE)
    for path in entries(paths.root, paths.inbox):
        object_id, ending = path.name[:64], path.name[64:]
        if not ID.fullmatch(object_id) or ending not in (OBJECT, NOTE):
            yield from _stray(paths, path)
        elif ending == NOTE and not is_sealed(path):
            yield finding("note-damaged", _name(paths, path))
        elif _is_half(paths, path, objects, notes) and is_old(path):
            # A whole half is never moved: a deep check names its study, and what is missing may come back.
            if ending == NOTE or is_named_right(path):
                yield finding("half", _name(paths, path))
            else:
                yield finding("stray", _name(paths, path))
    files = [paths.inbox / f"{object_id}{OBJECT}" for object_id in sorted(objects & notes)]
    for count, (path, whole) in enumerate(in_parallel(is_named_right, files), 1):
        if not whole:
            yield finding("object-altered", _name(paths, path))
        progress(count)


def _is_half(paths: StatePaths, path: Path, objects: set[str], notes: set[str]) -> bool:
    object_id = path.name[:64]
    return object_id not in notes or (object_id not in objects and not _shelf(paths, object_id).exists())


def _halves(paths: StatePaths, candidates: list[str]) -> Iterator[Finding]:
    for object_id in sorted(candidates):
        waiting = paths.inbox / f"{object_id}{NOTE}"
        here, note = _shelf(paths, object_id), paths.notes / object_id[:2] / f"{object_id}{NOTE}"
        if note.exists() and not here.exists():
            yield finding("object-missing", _name(paths, here))
        elif here.exists() and not note.exists() and not waiting.exists():
            yield finding("note-missing", _name(paths, note))


def _stray(paths: StatePaths, path: Path) -> Iterator[Finding]:
    # Writers of single files name a draft .name.draft, the others .draft-… .
    if not path.name.startswith(".") or "draft" not in path.name or is_old(path):
        yield finding("stray", _name(paths, path))


def _sorted_names(paths: StatePaths, folder: Path, ending: str, shelf: str = "") -> tuple[set[str], list[Path]]:
    """Return the ids of a folder's files with this ending, and the files that do not belong there."""
    ids: set[str] = set()
    strays = []
    for path in entries(paths.root, folder):
        object_id = path.name.removesuffix(ending)
        if path.name.endswith(ending) and ID.fullmatch(object_id) and object_id.startswith(shelf):
            ids.add(object_id)
        else:
            strays.append(path)
    return ids, sorted(strays)


def _shelves(paths: StatePaths) -> list[str]:
    rooms = (paths.objects, paths.notes, paths.renditions)
    there = (path for room in rooms for path in entries(paths.root, room) if places.SHELF.fullmatch(path.name))
    return sorted({path.name for path in there if is_folder(paths.root, path)})


def _is_behind_link(paths: StatePaths, shelf: str) -> bool:
    """Return whether a link hides objects or notes, so that neither can be missed."""
    return any(path.is_symlink() for room in (paths.objects, paths.notes) for path in (room, room / shelf))


def _shelf(paths: StatePaths, object_id: str) -> Path:
    return paths.objects / object_id[:2] / f"{object_id}{OBJECT}"


def _name(paths: StatePaths, path: Path) -> str:
    return str(path.relative_to(paths.root))
