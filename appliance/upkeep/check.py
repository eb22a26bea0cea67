"""The check that needs no key: names against SHA-256 of the ciphertext, whole pairs, keys, strays.

It runs while the archive is locked, and beside a box that goes on working: what looks halved is looked at once more at
the end, since a pair may have been on its way to a shelf.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from appliance.archive.files import DECISION, ID, NOTE, OBJECT
from appliance.audit.verify import verify
from appliance.errors import Damaged, NegatoError
from appliance.keyring.possession import devices
from appliance.keyring.public import read_recipient
from appliance.keyring.sums import is_as_written, read_sums
from appliance.paths import Kind, StatePaths
from appliance.people.store import People
from appliance.regular import open_regular, read_regular
from appliance.sealing.header import read_header
from appliance.sealing.slots import read_slot_header
from appliance.sealing.stream import NONCE_SIZE, layout_of
from appliance.upkeep import key_journal, places
from appliance.upkeep.findings import Finding, finding
from appliance.upkeep.layout import check_layout

READERS = 4
PIECE = 1024 * 1024
# No sealed file of ours is longer: the largest object that a setting allows, with what sealing adds; a key, a slot.
LARGEST = 4400 * PIECE
LARGEST_KEY = PIECE
FRESH_SECONDS = 60.0  # younger drafts and halves belong to somebody who is writing
KINDS: tuple[Kind, ...] = ("notes", "images")
T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int], None]


def check(paths: StatePaths, progress: Progress = lambda _done, _all: None) -> Iterator[Finding]:
    """Yield what is wrong with a state directory; ``progress`` gets files done and in all."""
    yield from _format(paths)
    yield from _places(paths)
    yield from _keys(paths)
    yield from _tunnel_key(paths)
    yield from _people(paths)
    yield from _record(paths)
    yield from _decisions(paths)
    total = sum(1 for shelf in _shelves(paths) for _ in _entries(paths.objects / shelf))
    total += sum(1 for _ in _entries(paths.inbox))
    done = 0
    halves: list[str] = []
    for shelf in _shelves(paths):
        objects, object_strays = _sorted_names(paths.objects / shelf, OBJECT, shelf)
        notes, note_strays = _sorted_names(paths.notes / shelf, NOTE, shelf)
        renditions, rendition_strays = _sorted_names(paths.renditions / shelf, OBJECT, shelf)
        halves.extend(objects ^ notes)
        for path in (*object_strays, *note_strays, *rendition_strays):
            yield from _stray(paths, path)
        for object_id in sorted(renditions - objects):
            yield finding("rendition-stray", f"renditions/{shelf}/{object_id}{OBJECT}")
        for path in (paths.notes / shelf / f"{object_id}{NOTE}" for object_id in sorted(notes)):
            if not _is_sealed(path):
                yield finding("note-damaged", _name(paths, path))
        files = [paths.objects / shelf / f"{object_id}{OBJECT}" for object_id in sorted(objects)]
        for path, whole in in_parallel(_is_named_right, files):
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
    for folder in places.missing(paths):
        yield finding("folder-missing", _name(paths, folder))
    for path in places.foreign(paths):
        yield from _stray(paths, path)


def _record(paths: StatePaths) -> Iterator[Finding]:
    for problem in (problem for log in verify(paths) for problem in log.problems):
        line = f" line {problem.line}" if problem.line else ""
        yield finding("record-altered", f"{paths.audit.name}/{problem.file}{line}")


def _tunnel_key(paths: StatePaths) -> Iterator[Finding]:
    for path in (paths.wireguard_key, paths.wireguard_public):
        if not path.exists():
            yield finding("tunnel-key-missing", _name(paths, path))


def _keys(paths: StatePaths) -> Iterator[Finding]:
    unfinished = 0
    if paths.key_journal.exists():
        whole = _holds(partial(key_journal.pending, paths))
        yield finding("keys-unfinished" if whole else "key-damaged", _name(paths, paths.key_journal))
        unfinished = _epoch_under_way(paths)
    yield from _listed_keys(paths, settled=not paths.key_journal.exists())
    for number in _epochs(paths):
        if number == unfinished:
            continue
        for kind in KINDS:
            recipient, identity = _of_epoch(paths, number, kind)
            if not recipient.exists():
                yield finding("key-missing", _name(paths, recipient))
            elif not _holds(partial(read_recipient, paths, number, kind)) or not is_as_written(paths, recipient):
                yield finding("key-damaged", _name(paths, recipient))
            yield from _sealed_key(paths, identity)
    yield from _sealed_key(paths, paths.index_key)
    if paths.paper_recipient.exists() and not is_as_written(paths, paths.paper_recipient):
        yield finding("key-damaged", _name(paths, paths.paper_recipient))
    slots = sorted(paths.slots.glob("*.json"))
    if not slots:
        yield finding("key-missing", _name(paths, paths.slots))
    for slot in slots:
        if not _holds(partial(_read_slot, slot)):
            yield finding("key-damaged", _name(paths, slot))
    for held in sorted(paths.slots.glob("*.devices")):
        if not _holds(partial(devices, paths, held.stem)):
            yield finding("key-damaged", _name(paths, held))


def _listed_keys(paths: StatePaths, settled: bool) -> Iterator[Finding]:
    """Yield what SHA256SUMS names and is not there, unless keys are being changed; the list itself, gone or damaged."""
    try:
        listed = read_sums(paths)
    except NegatoError:
        yield finding("key-damaged", _name(paths, paths.key_sums))
        return
    if listed is None:
        yield finding("key-missing", _name(paths, paths.key_sums))
        return
    if not settled:
        return
    epochs = {path.name for number in _epochs(paths) for kind in KINDS for path in _of_epoch(paths, number, kind)}
    for name in sorted(set(listed) - epochs - {paths.index_key.name}):
        if not (paths.keys / name).exists():
            yield finding("key-missing", f"{paths.keys.name}/{name}")


def _epochs(paths: StatePaths) -> list[int]:
    names = (re.match(r"([1-9]\d*)\.(notes|images)\.", path.name) for path in paths.keys.glob("*"))
    return sorted({int(match[1]) for match in names if match}) or [1]


def _of_epoch(paths: StatePaths, number: int, kind: Kind) -> tuple[Path, Path]:
    return paths.epoch_recipient(number, kind), paths.epoch_identity(number, kind)


def _epoch_under_way(paths: StatePaths) -> int:
    try:
        entry = key_journal.pending(paths)
    except NegatoError:
        return 0
    return entry.epoch if entry else 0


def _people(paths: StatePaths) -> Iterator[Finding]:
    people = People(paths.system_db)
    try:
        if not paths.system_db.exists() or not _holds(people.everybody):
            yield finding("people-damaged", paths.system_db.name)
        elif not paths.key_journal.exists():
            for slot in (paths.slots / f"{one.id}.json" for one in people.everybody() if one.role != "technician"):
                if not slot.exists():
                    yield finding("key-missing", _name(paths, slot))
    finally:
        people.close()


def _read_slot(path: Path) -> None:
    header = read_slot_header(read_regular(path, LARGEST_KEY))
    if header.person != path.stem:
        raise Damaged("This slot is somebody else's.")


def _sealed_key(paths: StatePaths, path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield finding("key-missing", _name(paths, path))
    elif not _is_sealed(path) or not is_as_written(paths, path):
        yield finding("key-damaged", _name(paths, path))


def _decisions(paths: StatePaths) -> Iterator[Finding]:
    wanted = 1
    for path in sorted(_entries(paths.decisions)):
        number = path.name.removesuffix(NOTE)
        if not path.name.endswith(NOTE) or not DECISION.fullmatch(number):
            yield from _stray(paths, path)
            continue
        for missing in range(wanted, min(int(number), wanted + 100)):
            yield finding("decision-missing", f"{paths.decisions.name}/{missing:08d}{NOTE}")
        wanted = int(number) + 1
        if not _is_sealed(path):
            yield finding("decision-damaged", _name(paths, path))


def _inbox(paths: StatePaths, progress: Callable[[int], None]) -> Iterator[Finding]:
    objects, _ = _sorted_names(paths.inbox, OBJECT)
    notes, _ = _sorted_names(paths.inbox, NOTE)
    for path in sorted(_entries(paths.inbox)):
        object_id, ending = path.name[:64], path.name[64:]
        if not ID.fullmatch(object_id) or ending not in (OBJECT, NOTE):
            yield from _stray(paths, path)
        elif ending == NOTE and not _is_sealed(path):
            yield finding("note-damaged", _name(paths, path))
        elif (object_id not in notes or (object_id not in objects and not _shelf(paths, object_id).exists())) and _old(
            path
        ):
            yield finding("half", _name(paths, path))
    files = [paths.inbox / f"{object_id}{OBJECT}" for object_id in sorted(objects & notes)]
    for count, (path, whole) in enumerate(in_parallel(_is_named_right, files), 1):
        if not whole:
            yield finding("object-altered", _name(paths, path))
        progress(count)


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
    if not path.name.startswith(".") or "draft" not in path.name or _old(path):
        yield finding("stray", _name(paths, path))


def _sorted_names(folder: Path, ending: str, shelf: str = "") -> tuple[set[str], list[Path]]:
    """Return the ids of a folder's files with this ending, and the files that do not belong there."""
    ids: set[str] = set()
    strays = []
    for path in _entries(folder):
        object_id = path.name.removesuffix(ending)
        if path.name.endswith(ending) and ID.fullmatch(object_id) and object_id.startswith(shelf):
            ids.add(object_id)
        else:
            strays.append(path)
    return ids, sorted(strays)


def _shelves(paths: StatePaths) -> list[str]:
    rooms = (paths.objects, paths.notes, paths.renditions)
    return sorted({path.name for room in rooms for path in _entries(room) if path.is_dir()})


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except (FileNotFoundError, NotADirectoryError):
        return


def _is_named_right(path: Path) -> bool:
    """Say whether a file's name is the SHA-256 of its bytes; one that has gone meanwhile is no finding."""
    digest = hashlib.sha256()
    try:
        with open_regular(path, LARGEST) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return path.name == f"{digest.hexdigest()}{OBJECT}"


def _is_sealed(path: Path) -> bool:
    """Say whether a file has the form of an age file; one that has gone meanwhile is no finding."""
    try:
        with open_regular(path, LARGEST) as file:
            return _holds(lambda: _form(file))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _form(file: BinaryIO) -> None:
    header = read_header(file)
    layout_of(file.seek(0, 2) - len(header.raw) - NONCE_SIZE)


def _holds(look: Callable[[], object]) -> bool:
    try:
        look()
    except (NegatoError, OSError, ValueError):
        return False
    return True


def _old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_ctime > FRESH_SECONDS
    except OSError:
        return False


def _shelf(paths: StatePaths, object_id: str) -> Path:
    return paths.objects / object_id[:2] / f"{object_id}{OBJECT}"


def _name(paths: StatePaths, path: Path) -> str:
    return str(path.relative_to(paths.root))
