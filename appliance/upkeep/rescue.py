"""What is left of an image that lost its other half: its study is named, and it is made whole where that can be.

An object says itself all that its note said, except who sent it and when. A note says of an object that is gone only
what has to be sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from appliance.archive.files import NOTE, OBJECT, FileBackend
from appliance.archive.lone import give_note, lone_notes, lone_objects
from appliance.dicom import note as notes
from appliance.dicom.note import Note, Source
from appliance.dicom.scan import Scanner
from appliance.errors import NegatoError, NotFound
from appliance.index.rows import Known
from appliance.index.store import Index
from appliance.ingest.note_reader import NoteReader
from appliance.ingest.receive import note_of
from appliance.keyring.public import current_epoch
from appliance.paths import StatePaths
from appliance.sealing.reader import SealedReader
from appliance.sealing.writer import SealingWriter
from appliance.upkeep.findings import Finding, finding

DERIVED = Source("check", "", "")


class Rescue:
    """Looks at the halves of one archive; with ``repair`` it makes notes anew."""

    def __init__(
        self,
        paths: StatePaths,
        archive: FileBackend,
        reader: NoteReader,
        keys: Callable[[Sequence[str]], dict[str, bytes]],
        repair: bool,
    ) -> None:
        """``keys`` returns the file keys of objects by their ids, as far as they can be opened."""
        self._paths = paths
        self._archive = archive
        self._reader = reader
        self._keys = keys
        self._repair = repair

    def objects(self, tombstoned: set[str]) -> Iterator[Finding]:
        """Yield every object without a note with its study, made whole if that is asked for and possible."""
        for object_id in lone_objects(self._paths):
            if object_id in tombstoned:
                continue  # A deletion that goes on at the next login.
            key = self._keys([object_id]).get(object_id)
            note = self._derived(object_id, key) if key is not None else None
            if _opens(self._archive.note, object_id) or not _opens(self._archive.object, object_id):
                continue  # Whole or gone meanwhile.
            if note is None:
                yield finding("object-damaged", f"{object_id}{OBJECT}")
                continue
            found = finding("note-missing", f"{object_id}{NOTE}", note.study)
            if self._repair:
                self._write(note)
            yield replace(found, repaired=self._repair)

    def notes(self, tombstoned: set[str], index: Index | None) -> Iterator[Finding]:
        """Yield every note without an object with its study; one whose image came again is done with."""
        for read, damaged in self._reader.batches(lone_notes(self._paths), "rebuild"):
            listed = index.known([note.sop_instance for note in read]) if index else {}
            for note in read:
                if note.object in tombstoned or _opens(self._archive.object, note.object):
                    continue
                again = listed.get(note.sop_instance)
                done = self._repair and again is not None and self._came_again(again, note)
                if done:
                    self._archive.erase([note.object])
                found = finding("object-missing", f"{note.object}{OBJECT}", note.study)
                yield replace(found, repaired=done)
            for object_id in damaged:
                if object_id not in tombstoned and _opens(self._archive.note, object_id):
                    yield finding("note-damaged", f"{object_id}{NOTE}")

    def _derived(self, object_id: str, key: bytes) -> Note | None:
        """Return the note that an object has to have; ``None`` for one that is not whole or not an image."""
        scanner = Scanner(None)
        try:
            with self._archive.object(object_id) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != object_id:  # type: ignore[arg-type]  # a file
                    return None
                file.seek(0)
                reader = SealedReader(file, key)
                for chunk in reader.chunks():
                    scanner.feed(chunk)
                received = datetime.fromtimestamp(Path(file.name).stat().st_mtime, UTC)
            return note_of(object_id, reader.size, scanner.finish(), DERIVED, received)
        except (NegatoError, OSError):
            return None

    def _write(self, note: Note) -> None:
        draft = self._archive.draft()
        try:
            writer = SealingWriter(draft, [current_epoch(self._paths).notes])
            writer.write(notes.to_bytes(note))
            writer.finish()
            give_note(self._paths, note.object, draft)
        finally:
            draft.abandon()

    def _came_again(self, listed: Known, note: Note) -> bool:
        """Say whether what is listed is a later copy of a note's image, and is there: the lost may still be listed."""
        later = listed.object != note.object and _is_copy(listed, note)
        return later and _opens(self._archive.object, listed.object)


def _is_copy(listed: Known, note: Note) -> bool:
    """Say whether an image that is listed is the very one that a note tells of."""
    return (listed.transfer_syntax, listed.dataset_sha256) == (note.transfer_syntax, note.dataset_sha256)


def _opens(open_it: Callable[[str], object], object_id: str) -> bool:
    try:
        open_it(object_id).close()  # type: ignore[attr-defined]  # a file
    except NotFound:
        return False
    return True
