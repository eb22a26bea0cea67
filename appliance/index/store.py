"""The index as the rest of the house sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, or_, select, tuple_

from appliance.dicom.matching import Query
from appliance.dicom.note import Note
from appliance.index import migrate, read, search
from appliance.index.engine import EncryptedFile
from appliance.index.rows import Applied, Entry, Known, Lost, SeriesRow, StudyRow
from appliance.index.tables import APPLIED, BODY, INSTANCE, LOST, MISSED, SERIES, STUDY, STUDY_TEXT
from appliance.index.write import Batch


class Index:
    """Every method is safe from any thread; writers wait for one another, readers for nobody (see
    ``engine``).

    Every method raises :class:`Damaged` when the file does not verify, :class:`StorageFull` or
    :class:`EnvironmentProblem` when the disk is in the way.
    """

    def __init__(self, file: EncryptedFile, key: bytes) -> None:
        """Wrap an open file; call :meth:`open` instead."""
        self._file = file
        self._key = hashlib.blake2b(key=key, person=b"negato-index-key").digest()

    @classmethod
    def open(cls, path: Path, key: bytes) -> Index:
        """Open the index at ``path`` with its raw 32 byte key, creating or upgrading the tables.

        Raises :class:`Damaged` for a wrong key or a damaged file, :class:`EnvironmentProblem` for a newer
        one.
        """
        file = EncryptedFile(path, key)
        try:
            with file.reading() as connection:
                current = migrate.version(connection) == migrate.HEAD
            if not current:
                with file.writing() as connection:
                    migrate.migrate(connection)
        except BaseException:
            file.close()
            raise
        return cls(file, key)

    def close(self) -> None:
        """Close the file and forget its key."""
        self._file.close()

    def add(self, notes: Sequence[Note]) -> None:
        """Add these notes durably in one transaction; what is there already changes nothing.

        What is there again is lost no longer, be it the object itself or another one with the same data set.
        Of two objects with one SOPInstanceUID the earlier received one is kept, in whatever order they are
        added.
        """
        if notes:
            with self._file.writing() as connection:
                Batch(connection, self._opaque).add(notes)
                back = or_(
                    LOST.c.object.in_([note.object for note in notes]),
                    tuple_(LOST.c.sop_instance, LOST.c.dataset_sha256).in_(
                        [(note.sop_instance, note.dataset_sha256) for note in notes]
                    ),
                )
                connection.execute(delete(LOST).where(back))

    def remove(self, objects: Iterable[str]) -> None:
        """Remove the instances that these objects hold; unknown ones are ignored."""
        wanted = list(objects)
        if wanted:
            with self._file.writing() as connection:
                Batch(connection, self._opaque).remove(wanted)

    def lose(self, objects: Iterable[str]) -> None:
        """Remove the instances of objects that vanished from the disk, and remember which studies they were of."""
        wanted = list(objects)
        if wanted:
            with self._file.writing() as connection:
                _miss(connection, read.as_lost(connection, wanted))
                Batch(connection, self._opaque).remove(wanted)

    def lost(self) -> list[Lost]:
        """Return every object that vanished and did not come back, by its id."""
        with self._file.reading() as connection:
            found = connection.execute(select(LOST).order_by(LOST.c.object))
            return [Lost(row.object, row.study, row.sop_instance, row.dataset_sha256) for row in found]

    def found(self, objects: Iterable[str]) -> None:
        """Forget that these objects had vanished: they are back, or deleted by a decision."""
        with self._file.writing() as connection:
            for object_id in objects:
                connection.execute(delete(LOST).where(LOST.c.object == object_id))

    def replace(self, gone: Iterable[str], notes: Sequence[Note]) -> None:
        """Remove the instances of the objects ``gone`` and add these notes in one transaction."""
        with self._file.writing() as connection:
            Batch(connection, self._opaque).remove(list(gone))
            Batch(connection, self._opaque).add(notes)

    def verify(self) -> None:
        """Read every page, which authenticates it; :class:`Damaged` if one does not verify."""
        with self._file.reading() as connection:
            read.verify(connection)

    def start_over(self, missed: Applied | None) -> None:
        """Forget every row, in one transaction, but not what was lost; ``missed`` marks what the rows had followed.

        An earlier mark stays: what it stands for is missing still.
        """
        with self._file.writing() as connection:
            for table in (STUDY, STUDY_TEXT, SERIES, INSTANCE, BODY, APPLIED):
                connection.execute(delete(table))
            _miss(connection, [], missed)

    def miss(self, lost: Sequence[Lost], missed: Applied | None) -> None:
        """Take over from another index what vanished: :meth:`lost` and :meth:`missed` of it."""
        with self._file.writing() as connection:
            _miss(connection, lost, missed)

    def missed(self) -> Applied | None:
        """Return the mark of decisions that the rows had followed and that were gone later."""
        with self._file.reading() as connection:
            row = connection.execute(select(MISSED.c.decisions, MISSED.c.digest)).first()
            return None if row is None else Applied(row.decisions, row.digest)

    def forget_missed(self) -> None:
        """Forget that mark: the decisions are back."""
        with self._file.writing() as connection:
            connection.execute(delete(MISSED))

    def mark_applied(self, applied: Applied) -> None:
        """Note durably which decisions the rows follow."""
        with self._file.writing() as connection:
            connection.execute(delete(APPLIED))
            connection.execute(insert(APPLIED), [{"id": 1, "decisions": applied.count, "digest": applied.digest}])

    def applied(self) -> Applied | None:
        """Return which decisions the rows follow; ``None`` for a new index."""
        with self._file.reading() as connection:
            row = connection.execute(select(APPLIED.c.decisions, APPLIED.c.digest)).first()
            return None if row is None else Applied(row.decisions, row.digest)

    def known(self, sop_instances: Sequence[str]) -> dict[str, Known]:
        """Return which object holds each of these SOP instances; unknown ones are absent."""
        with self._file.reading() as connection:
            return read.known(connection, sop_instances)

    def objects(self) -> set[str]:
        """Return the name of every object that has a row."""
        with self._file.reading() as connection:
            return set(connection.execute(select(INSTANCE.c.object)).scalars())

    def objects_below(self, level: Literal["study", "series", "instance"], uid: str) -> set[str]:
        """Return the objects of a study, of every series or of the instance with this UID."""
        with self._file.reading() as connection:
            return read.objects_below(connection, level, uid)

    def objects_saying(self, text: str) -> set[str]:
        """Return the objects among whose attributes ``text`` occurs anywhere: reads every row."""
        with self._file.reading() as connection:
            return read.objects_saying(connection, text)

    def entries_of(self, objects: Sequence[str]) -> list[Entry]:
        """Return the instances that these objects hold, in no order; unknown ones are absent."""
        with self._file.reading() as connection:
            return read.entries_of(connection, objects)

    def counts(self) -> tuple[int, int, int]:
        """Return how many studies, series and instances there are."""
        with self._file.reading() as connection:
            tables = (STUDY, SERIES, INSTANCE)
            found = [connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables]
            return found[0], found[1], found[2]

    def search(self, query: Query, base_url: str) -> tuple[bytes, bool]:
        """Return one page of a QIDO search as a JSON array, and whether more results are behind it.

        ``base_url`` is the DICOMweb root without a slash at the end. Raises :class:`BadInput` for a key with too
        many values.
        """
        with self._file.reading() as connection:
            return search.search(connection, query, base_url)

    def metadata(
        self, study: str, series: str | None = None, instance: str | None = None, *, base_url: str
    ) -> bytes | None:
        """Return the data sets below a path as DICOM JSON, BulkDataURIs absolute; ``None`` for none."""
        with self._file.reading() as connection:
            return read.metadata(connection, study, series, instance, base_url)

    def entries(self, study: str, series: str | None = None, instance: str | None = None) -> list[Entry]:
        """Return the instances below a path, in viewing order: series number, instance number, UID."""
        with self._file.reading() as connection:
            return read.entries(connection, study, series, instance)

    def studies(
        self,
        text: str = "",
        modality: str = "",
        date_from: str = "",
        date_to: str = "",
        offset: int = 0,
        limit: int = 50,
        order: Literal["study", "received"] = "study",
    ) -> tuple[int, list[StudyRow]]:
        """Return how many studies fit and one page of them, newest first by their own date or by when they came.

        Every word of ``text`` must begin a word of the name, an id or the description, whatever its case and
        accents; dates are YYYYMMDD, inclusive, empty for open.
        """
        with self._file.reading() as connection:
            return read.studies(connection, text, modality, date_from, date_to, offset, limit, order)

    def study_by_key(self, key: str) -> StudyRow | None:
        """Return the study behind an opaque key of :class:`StudyRow`."""
        with self._file.reading() as connection:
            return read.study(connection, STUDY.c.key == key)

    def study_key(self, study: str) -> str:
        """Return the opaque key of the study with this UID, whether there is one or not."""
        return self._opaque("study", study)

    def series_of(self, study: str) -> list[SeriesRow]:
        """Return the series of the study with this UID, by number."""
        with self._file.reading() as connection:
            return read.series(connection, STUDY.c.uid == study)

    def series_by_key(self, key: str) -> SeriesRow | None:
        """Return the series behind an opaque key of :class:`SeriesRow`."""
        with self._file.reading() as connection:
            return next(iter(read.series(connection, SERIES.c.key == key)), None)

    def instance_by_key(self, key: str) -> Entry | None:
        """Return the instance behind an opaque key of :class:`Entry`."""
        with self._file.reading() as connection:
            return read.entry(connection, key)

    def _opaque(self, *parts: Any) -> str:
        """Return a keyed digest, so that URLs show no UID and survive a rebuild with one key."""
        text = "\n".join(parts).encode("utf-8", "replace")
        return hashlib.blake2b(text, key=self._key, digest_size=16).hexdigest()


def _miss(connection: Connection, lost: Sequence[Lost], missed: Applied | None = None) -> None:
    if lost:
        rows = [asdict(one) for one in lost]
        connection.execute(insert(LOST).prefix_with("OR REPLACE"), rows)
    if missed is not None:
        row = {"id": 1, "decisions": missed.count, "digest": missed.digest}
        connection.execute(insert(MISSED).prefix_with("OR IGNORE"), [row])
