"""The backend on local files.

Object and note are written under draft names in the inbox itself, so that one directory sync makes both names durable:
three syncs before an acknowledgement, none ordered against another.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from appliance.archive.backend import Draft
from appliance.archive.strays import erase_strays
from appliance.durable import as_its_folders, let_go, sync_directory, told_as_ours
from appliance.errors import Damaged, EnvironmentProblem, NotFound, StorageFull
from appliance.paths import StatePaths

ID = re.compile(r"[0-9a-f]{64}")
DECISION = re.compile(r"[0-9]{8}")
OBJECT, NOTE = ".age", ".note.age"
NOTHING = "nothing was stored"
NOT_ALL = "not everything that should go is gone yet"
UNREAD = "the archive cannot be read"


class FileDraft:
    """A draft in a file of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        if os.geteuid() == 0:  # What root writes for the box is the box's, whatever root's mask is.
            with told_as_ours(NOTHING):
                as_its_folders(self.fd, path.parent)

    def write(self, data: bytes | memoryview) -> int:
        """Write all of ``data``."""
        view = memoryview(data)
        done = 0
        while done < len(view):
            with told_as_ours(NOTHING):
                taken = os.write(self.fd, view[done:])
                if not taken:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            done += taken
        return done

    def sync(self) -> None:
        """Return once every byte is durable."""
        with told_as_ours(NOTHING):
            os.fsync(self.fd)

    def close(self) -> None:
        """Close the file and keep it."""
        # The number is given up first: whatever close reports, it may belong to another file right afterwards.
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def abandon(self) -> None:
        """Close the file and remove it if it still has its draft name."""
        try:
            self.close()
        finally:
            self.path.unlink(missing_ok=True)


class FileBackend:
    """Sealed bytes in the directories of :class:`StatePaths`."""

    def __init__(self, paths: StatePaths, writer: str, reserve: int = 0) -> None:
        """Serve the process named ``writer``; refuse to store when less than ``reserve`` bytes would stay free."""
        self._paths = paths
        self._prefix = f".draft-{writer}-"
        self._reserve = reserve

    def forget_drafts(self) -> None:
        """Remove what this writer left half written when it was killed; call at its start only."""
        for path in self._paths.inbox.glob(f"{self._prefix}*"):
            path.unlink(missing_ok=True)

    def draft(self) -> FileDraft:
        """Begin a draft in the inbox."""
        space = os.statvfs(self._paths.inbox)
        if space.f_bavail * space.f_frsize < self._reserve:
            raise StorageFull("The disk is full; nothing was stored.", "Free space or move to a larger disk.")
        with told_as_ours(NOTHING):
            return FileDraft(self._paths.inbox / f"{self._prefix}{secrets.token_hex(16)}")

    def admit(self, object_id: str, object_draft: Draft, note_draft: Draft) -> None:
        """Sync both drafts, give them their names, sync the inbox."""
        if not isinstance(object_draft, FileDraft) or not isinstance(note_draft, FileDraft):
            raise TypeError("A draft of another backend cannot be admitted.")
        target, note_target = self._inbox_object(object_id), self._inbox_note(object_id)
        try:
            with told_as_ours(NOTHING):
                object_draft.sync()
                note_draft.sync()
                object_draft.close()
                note_draft.close()
                with self._inbox_held(fcntl.LOCK_SH) as inbox:
                    object_draft.path.rename(target)
                    note_draft.path.rename(note_target)
                    os.fsync(inbox)
        except BaseException:
            # The note first: a lone object in the inbox is not listed.
            for path in (note_target, target):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            raise

    def inbox(self) -> list[str]:
        """Return the ids of whole pairs, by time of arrival; the object may have reached its shelf before its note."""
        objects: set[str] = set()
        notes: dict[str, int] = {}
        with os.scandir(self._paths.inbox) as entries:
            for entry in entries:
                name, _, ending = entry.name.partition(".")
                if not ID.fullmatch(name):
                    continue
                if f".{ending}" == OBJECT:
                    objects.add(name)
                elif f".{ending}" == NOTE:
                    try:
                        notes[name] = entry.stat().st_mtime_ns
                    except FileNotFoundError:
                        continue
        whole = (name for name in notes if name in objects or self._shelf_object(name).exists())
        return sorted(whole, key=lambda name: (notes[name], name))

    def inbox_stamp(self) -> int:
        """Return a number that changes whenever something arrives in or leaves the inbox."""
        return self._paths.inbox.stat().st_mtime_ns

    def shelve(self, object_ids: Iterable[str]) -> None:
        """Move objects first, then notes, so that a note on a shelf always names an object on a shelf.

        A new name is durable before anybody may sync the inbox. Otherwise the receiver, with its next image, could make
        the end of the old name durable before the new one is, and POSIX lets a power cut lose a file in between.
        """
        ids = list(object_ids)
        self._move([(self._inbox_object(i), self._shelf_object(i)) for i in ids])
        self._move([(self._inbox_note(i), self._shelf_note(i)) for i in ids])
        _sync_directory(self._paths.inbox)

    def discard(self, object_ids: Iterable[str]) -> None:
        """Remove the note first: a lone object is not listed, be it in the inbox or half way to its shelf."""
        with told_as_ours(NOT_ALL):
            for object_id in object_ids:
                self._inbox_note(object_id).unlink(missing_ok=True)
                self._inbox_object(object_id).unlink(missing_ok=True)
                if not self._shelf_note(object_id).exists():
                    self._shelf_object(object_id).unlink(missing_ok=True)
            sync_directory(self._paths.inbox)

    def shelved(self) -> Iterator[str]:
        """Yield the id of every note on a shelf whose object is on its shelf, too."""
        for shelf in sorted(self._paths.notes.iterdir()):
            objects = _names(self._paths.objects / shelf.name, OBJECT)
            for name in _names(shelf, NOTE):
                if name in objects and name[:2] == shelf.name:
                    yield name

    def erase(self, object_ids: Iterable[str]) -> None:
        """Remove notes, make that durable, then objects, then renditions, then what a check set aside of them."""
        ids = list(object_ids)
        with told_as_ours(NOT_ALL):
            for steps in (
                (self._inbox_note, self._shelf_note),
                (self._inbox_object, self._shelf_object),
                (self._rendition,),
            ):
                touched = set()
                for path in (step(object_id) for object_id in ids for step in steps):
                    try:
                        path.unlink()
                        touched.add(path.parent)
                    except FileNotFoundError:
                        continue
                for directory in touched:
                    sync_directory(directory)
            erase_strays(self._paths.strays, set(ids))

    def note(self, object_id: str) -> BinaryIO:
        """Open a sealed note, on its shelf or in the inbox."""
        return _open_first(self._shelf_note(object_id), self._inbox_note(object_id))

    def object(self, object_id: str) -> BinaryIO:
        """Open a sealed object, on its shelf or in the inbox."""
        return _open_first(self._shelf_object(object_id), self._inbox_object(object_id))

    def decide(self, sealed: bytes, above: int = 0) -> str:
        """Append a decision under the next number that nobody had."""
        with told_as_ours(NOTHING):
            number = max(above, *(int(name) for name, _ in self._decision_files()), 0)
            draft = FileDraft(self._paths.decisions / f"{self._prefix}{secrets.token_hex(16)}")
            try:
                draft.write(sealed)
                draft.sync()
                draft.close()
                while True:
                    number += 1
                    try:
                        (self._paths.decisions / f"{number:08d}{NOTE}").hardlink_to(draft.path)
                        break
                    except FileExistsError:
                        continue
            finally:
                draft.abandon()
            sync_directory(self._paths.decisions)
            return f"{number:08d}"

    def decisions(self, after: str = "") -> Iterator[tuple[str, BinaryIO]]:
        """Yield decisions by number, from the one behind ``after`` on."""
        for name, path in self._decision_files():
            if name > after:
                with told_as_ours(UNREAD):
                    file = path.open("rb")
                yield name, file

    def decisions_stamp(self) -> int:
        """Return a number that changes whenever a decision is added."""
        return self._paths.decisions.stat().st_mtime_ns

    def _decision_files(self) -> list[tuple[str, Path]]:
        names = ((path.name.removesuffix(NOTE), path) for path in self._paths.decisions.glob(f"*{NOTE}"))
        return sorted((name, path) for name, path in names if DECISION.fullmatch(name))

    def _make_shelves(self, shelves: Iterable[Path]) -> None:
        """Make the shelves that are not there, as after a backup that left out empty directories, durably.

        Their names are synced in any case: a run that was killed may have made them and gone no further.
        """
        with told_as_ours(NOTHING):
            for shelf in shelves:
                shelf.mkdir(mode=0o750, exist_ok=True)
            for room in {shelf.parent for shelf in shelves}:
                sync_directory(room)

    def _move(self, pairs: list[tuple[Path, Path]]) -> None:
        by_shelf: dict[Path, list[tuple[Path, Path]]] = {}
        for source, target in pairs:
            by_shelf.setdefault(target.parent, []).append((source, target))
        self._make_shelves(by_shelf)
        for shelf, moves in by_shelf.items():
            with told_as_ours(NOTHING), self._inbox_held(fcntl.LOCK_EX):
                for source, target in moves:
                    try:
                        source.rename(target)
                    except FileNotFoundError as error:
                        if not target.exists():
                            raise Damaged("Something vanished from the inbox.", "Run: appliance check") from error
                sync_directory(shelf)

    @contextlib.contextmanager
    def _inbox_held(self, how: int) -> Iterator[int]:
        """Hold the inbox (flock(2)) and yield its descriptor: who makes its names durable shares it, who moves out of
        it has it alone, for one shelf at a time."""
        directory = os.open(self._paths.inbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, how)
            yield directory
        finally:
            let_go(directory)

    def _inbox_object(self, object_id: str) -> Path:
        return self._paths.inbox / f"{checked(object_id)}{OBJECT}"

    def _inbox_note(self, object_id: str) -> Path:
        return self._paths.inbox / f"{checked(object_id)}{NOTE}"

    def _shelf_object(self, object_id: str) -> Path:
        return self._paths.objects / checked(object_id)[:2] / f"{object_id}{OBJECT}"

    def _shelf_note(self, object_id: str) -> Path:
        return self._paths.notes / checked(object_id)[:2] / f"{object_id}{NOTE}"

    def _rendition(self, object_id: str) -> Path:
        return self._paths.renditions / checked(object_id)[:2] / f"{object_id}{OBJECT}"


def make_shelves(paths: StatePaths) -> None:
    """Create the directories of a new archive."""
    for directory in (paths.inbox, paths.decisions, paths.tmp):
        directory.mkdir(mode=0o750, parents=True)
    for shelves in (paths.objects, paths.notes):
        for byte in range(256):
            (shelves / f"{byte:02x}").mkdir(mode=0o750, parents=True)
        _sync_directory(shelves)
    _sync_directory(paths.root)


def checked(object_id: str) -> str:
    """Return ``object_id`` if it is 64 lower-case hex digits; :class:`NotFound` otherwise."""
    if not ID.fullmatch(object_id):
        raise NotFound("There is no such object.")
    return object_id


def _sync_directory(path: Path) -> None:
    with told_as_ours(NOTHING):
        sync_directory(path)


def _names(shelf: Path, ending: str) -> set[str]:
    try:
        with os.scandir(shelf) as entries:
            found = (entry.name.removesuffix(ending) for entry in entries if entry.name.endswith(ending))
            return {name for name in found if ID.fullmatch(name)}
    except FileNotFoundError:
        return set()


def _open_first(*paths: Path) -> BinaryIO:
    # Settling moves files from the inbox to a shelf: the shelf is looked at once more.
    for path in (*paths, paths[0]):
        try:
            with told_as_ours(UNREAD), contextlib.suppress(FileNotFoundError):
                return path.open("rb")
        except EnvironmentProblem as error:
            if isinstance(error.__cause__, PermissionError):  # One file's fault, which holds up no other.
                raise Damaged(f"{path.name} may not be read.", "Give it to the box's own user.") from error
            raise
    raise NotFound("The archive has no such object.", "Run: appliance check")
