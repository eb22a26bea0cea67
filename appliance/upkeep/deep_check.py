"""The check with keys: every chunk of every object and note verifies, and note, object and row say the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.archive.files import NOTE, OBJECT, FileBackend
from appliance.dicom.note import Note
from appliance.dicom.scan import Scanner
from appliance.errors import BadInput, Damaged, DiskFailed, NegatoError, NotFound, NotLoggedIn
from appliance.index import jsontext
from appliance.index.rows import Entry, pack_bulk
from appliance.index.store import Index
from appliance.ingest.decision_book import DecisionBook
from appliance.ingest.index_file import index_key
from appliance.ingest.note_reader import BATCH, NoteReader
from appliance.keyring.client import AgentClient
from appliance.keyring.public import current_epoch
from appliance.paths import StatePaths
from appliance.sealing.header import read_header
from appliance.sealing.reader import SealedReader
from appliance.upkeep.check import Progress, in_parallel
from appliance.upkeep.findings import Finding, What, finding
from appliance.upkeep.rescue import Rescue

PURPOSE = "retrieve"


@dataclass(frozen=True, slots=True)
class _Job:
    """One object to verify: its file key, ``None`` when there is none, and its note, ``None`` when that is lost."""

    object_id: str
    key: bytes | None
    note: Note | None


class DeepCheck:
    """One pass over an archive, for a person who may read images; every study read leaves its audit lines."""

    def __init__(
        self, paths: StatePaths, archive: FileBackend, agent: AgentClient, token: str, repair: bool = False
    ) -> None:
        """``token`` is the person's; the work on notes asks for a lease of its own. ``repair`` makes notes anew."""
        self._paths = paths
        self._archive = archive
        self._agent = agent
        self._token = token
        self._job = agent.job()
        self._reader = NoteReader(archive, agent, self._job)
        self._book = DecisionBook(archive, self._reader, current_epoch(paths))
        self._rescue = Rescue(paths, archive, self._reader, lambda ids: self._keys(ids, "check"), repair)

    def run(self, progress: Progress = lambda _done, _all: None) -> Iterator[Finding]:
        """Yield what is wrong; ``progress`` gets objects done and in all."""
        try:
            yield from self._run(progress)
        finally:
            self._agent.logout(self._job)

    def _run(self, progress: Progress) -> Iterator[Finding]:
        self._book.refresh()
        for number in self._book.unreadable:
            yield finding("decision-damaged", f"decisions/{number}{NOTE}")
        index, broken = self._index()
        yield from broken
        try:
            if index is not None and self._has_followed_more(index):
                yield finding("decision-missing", "decisions/: the index has followed one that is not there")
            shelved = sorted(self._archive.shelved())
            waiting = self._archive.inbox()
            rows = index.objects() if index else set()
            everything = shelved + waiting
            on_shelf = set(shelved)
            for start in range(0, len(everything), BATCH):
                batch = everything[start : start + BATCH]
                notes, unread = self._reader.read(batch, "rebuild")
                yield from self._objects(index, notes, unread)
                if index is not None:
                    yield from self._rows(index, [note for note in notes if note.object in on_shelf])
                progress(start + len(batch), len(everything))
            for object_id in sorted(rows - on_shelf):
                if index is None or object_id not in index.objects() or self._is_shelved(object_id):
                    continue
                # The row of what was deleted is a leftover; any other is the last trace of an image that was taken.
                what: What = "row-differs" if object_id in self._book.decided.tombstoned else "image-lost"
                yield finding(what, f"index.db: {object_id}", _study_of(index, object_id))
            for one in index.lost() if index else ():
                if one.object not in self._book.decided.tombstoned and not self._is_shelved(one.object):
                    yield finding("image-lost", f"index.db: {one.object}", one.study)
            yield from self._rescue.notes(self._book.decided.tombstoned, index)
            yield from self._rescue.objects(self._book.decided.tombstoned)
        finally:
            if index is not None:
                index.close()

    def _index(self) -> tuple[Index | None, list[Finding]]:
        if not self._paths.index_db.exists():
            return None, [finding("index-damaged", self._paths.index_db.name)]
        index = None
        try:
            index = Index.open(self._paths.index_db, index_key(self._paths, self._agent, self._job))
            index.verify()
            return index, []
        except Damaged:
            if index is not None:
                index.close()
            return None, [finding("index-damaged", self._paths.index_db.name)]

    def _has_followed_more(self, index: Index) -> bool:
        followed, missed = index.applied(), index.missed()
        self._book.refresh()  # Afterwards: decisions are durable before an index follows them.
        if missed is not None and not self._book.begins_with(missed):
            return True
        return followed is not None and self._book.lacks(followed)

    def _objects(self, index: Index | None, notes: list[Note], unread: list[str]) -> Iterator[Finding]:
        """Verify objects study by study, so that each batch of keys is one read of one study."""
        by_study: dict[str, list[Note]] = {}
        for note in notes:
            by_study.setdefault(note.study, []).append(note)
        jobs: list[_Job] = []
        for study, members in by_study.items():
            key = index.study_key(study) if index else "check"
            keys = self._keys([note.object for note in members], key)
            jobs.extend(_Job(note.object, keys.get(note.object), note) for note in members)
        lost = self._keys(unread, "check")
        for object_id in unread:
            jobs.append(_Job(object_id, lost.get(object_id), None))
        for job, found in in_parallel(self._verify, jobs):
            for what, named in found:
                ending = OBJECT if what.startswith("object") else NOTE
                yield finding(what, f"{job.object_id}{ending}", named)

    def _keys(self, object_ids: Sequence[str], study_key: str) -> dict[str, bytes]:
        """Return the file keys of these objects; what cannot be opened is absent."""
        if not object_ids:
            return {}
        try:
            headers = []
            for object_id in object_ids:
                with self._archive.object(object_id) as file:
                    headers.append(read_header(file).raw)
            keys = self._agent.unwrap(self._token, PURPOSE, study_key, headers)
            return dict(zip(object_ids, keys, strict=True))
        except NotLoggedIn:
            raise
        except (BadInput, Damaged, DiskFailed, NotFound):
            if len(object_ids) == 1:
                return {}
        half = len(object_ids) // 2
        return self._keys(object_ids[:half], study_key) | self._keys(object_ids[half:], study_key)

    def _verify(self, job: _Job) -> list[tuple[What, str | None]]:
        """Read one object to its end; return what is wrong with it or its note, with the study where it is known."""
        study = job.note.study if job.note else None
        unreadable: list[tuple[What, str | None]] = [("object-damaged", study)]
        if job.note is None:
            unreadable.append(("note-damaged", None))
        if job.note is None and not self._is_there(job.object_id):
            return []  # Deleted meanwhile.
        if job.key is None:
            return unreadable
        try:
            with self._archive.object(job.object_id) as file:
                reader = SealedReader(file, job.key)
                if job.note is None:
                    return [("note-damaged", _study_in(reader))]
                if _dataset_digest(reader, job.note.dataset_offset) != job.note.dataset_sha256:
                    return [("note-differs", study)]
                return [] if reader.size == job.note.size else [("note-differs", study)]
        except NotFound:
            return [("object-missing", study)] if self._is_there(job.object_id) else []
        except (NegatoError, OSError):
            return unreadable

    def _rows(self, index: Index, notes: list[Note]) -> Iterator[Finding]:
        entries = {entry.object: entry for entry in index.entries_of([note.object for note in notes])}
        known = index.known([note.sop_instance for note in notes])
        for note in notes:
            where = f"index.db: {note.object}"
            entry = entries.get(note.object)
            hidden = self._book.decided.hidden(note.object)
            if entry is None:
                displaced = note.sop_instance in known
                if not hidden and not displaced and self._is_shelved(note.object):
                    yield finding("row-missing", where, note.study)
            elif hidden or not _same(entry, self._book.decided.effective(note)):
                yield finding("row-differs", where, note.study)

    def _is_there(self, object_id: str) -> bool:
        try:
            self._archive.note(object_id).close()
        except NotFound:
            return False
        return True

    def _is_shelved(self, object_id: str) -> bool:
        try:
            self._archive.object(object_id).close()
        except NotFound:
            return False
        return True


def _same(entry: Entry, note: Note) -> bool:
    facts = (entry.object, entry.study, entry.series, entry.sop_instance, entry.sop_class, entry.transfer_syntax)
    wanted = (note.object, note.study, note.series, note.sop_instance, note.sop_class, note.transfer_syntax)
    return (
        facts == wanted
        and (entry.size, entry.dataset_offset) == (note.size, note.dataset_offset)
        and entry.attributes_json == jsontext.dump(note.attributes)
        and jsontext.unpack(entry.packed_bulk) == jsontext.unpack(pack_bulk(note.bulk))
    )


def _dataset_digest(reader: SealedReader, offset: int) -> str:
    digest, position = hashlib.sha256(), 0
    for chunk in reader.chunks():
        if position + len(chunk) > offset:
            digest.update(memoryview(chunk)[max(0, offset - position) :])
        position += len(chunk)
    return digest.hexdigest()


def _study_in(reader: SealedReader) -> str | None:
    """Read an object to its end and return the StudyInstanceUID that it states itself."""
    scanner = Scanner(None)
    for chunk in reader.chunks():
        scanner.feed(chunk)
    values = scanner.finish().attributes.get("0020000D", {}).get("Value", [])
    return str(values[0]) if values else None


def _study_of(index: Index, object_id: str) -> str | None:
    return next((entry.study for entry in index.entries_of([object_id])), None)
