"""Adding and removing instances, with the studies and series they belong to kept right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import Insert, insert

from appliance.dicom import levels
from appliance.dicom.note import Note
from appliance.index import jsontext, merge, render
from appliance.index.rows import pack_bulk
from appliance.index.tables import BODY, INSTANCE, SERIES, STUDY, STUDY_TEXT

CHUNK = 500  # values of one IN list
MakeKey = Callable[..., str]  # kind, UIDs -> opaque key

_STUDY_OWN = levels.STUDY - levels.PATIENT


@dataclass(slots=True)
class _Study:
    id: int
    uid: str
    facts: merge.Facts
    series: int = 0
    instances: int = 0


@dataclass(slots=True)
class _Series:
    id: int
    study: _Study
    uid: str
    facts: merge.Facts
    instances: int = 0


class Batch:
    """The studies and series that one transaction touches, read once, written back once."""

    def __init__(self, connection: Connection, make_key: MakeKey) -> None:
        self._connection = connection
        self._make_key = make_key
        self._studies: dict[str, _Study] = {}
        self._series: dict[tuple[str, str], _Series] = {}
        self._ids: dict[str, int] = {}

    def add(self, notes: Sequence[Note]) -> None:
        """Add every note that is not there; of two objects with one SOPInstanceUID the earlier received one
        stays.

        The rule by time of receipt, not of adding, makes a rebuild in any order choose the same object.
        """
        wanted = self._winners(notes)
        if not wanted:
            return
        self._load({note.study for note in wanted}, {note.series for note in wanted})
        rows, bodies = [], []
        for note in wanted:
            series = self._series_of(note.study, note.series)
            series.instances += 1
            series.study.instances += 1
            _absorb(series, note.attributes, note.received, note.sop_instance, note.object)
            row = render.instance_columns(note)
            row["id"] = self._next_id(INSTANCE)
            row["study_id"] = series.study.id
            row["series_id"] = series.id
            row["key"] = self._make_key("instance", note.sop_instance)
            rows.append(row)
            packed = {"attributes": jsontext.pack(note.attributes), "bulk": pack_bulk(note.bulk)}
            bodies.append({"id": row["id"], **packed})
        self._write()
        self._connection.execute(_INSERT["instance"], rows)
        self._connection.execute(_INSERT["body"], bodies)

    def remove(self, objects: Iterable[str]) -> None:
        """Remove the instances of these objects; what is left of their studies is derived afresh."""
        gone = [row for rows in self._find(INSTANCE.c.object, objects) for row in rows]
        for table in (INSTANCE, BODY):
            for chunk in _chunks([row.id for row in gone]):
                self._connection.execute(delete(table).where(table.c.id.in_(chunk)))
        touched = {row.study_id for row in gone}
        for rows in self._find(STUDY.c.id, touched):
            for row in rows:
                self._studies[row.uid] = _Study(row.id, row.uid, merge.empty())
        by_id = {study.id: study for study in self._studies.values()}
        series_by_id: dict[int, _Series] = {}
        for rows in self._find(SERIES.c.study_id, touched):
            for row in rows:
                series = _Series(row.id, by_id[row.study_id], row.uid, merge.empty())
                series_by_id[row.id] = series
        for id_ in touched:
            left = select(INSTANCE, BODY.c.attributes).where(INSTANCE.c.study_id == id_, BODY.c.id == INSTANCE.c.id)
            for row in self._connection.execute(left):
                series = series_by_id[row.series_id]
                series.instances += 1
                series.study.instances += 1
                _absorb(series, jsontext.unpack(row.attributes), row.received, row.uid, row.object)
        for series in series_by_id.values():
            if series.instances:
                series.study.series += 1
                self._series[series.study.uid, series.uid] = series
            else:
                self._connection.execute(delete(SERIES).where(SERIES.c.id == series.id))
        for study in [study for study in self._studies.values() if not study.instances]:
            del self._studies[study.uid]
            self._connection.execute(delete(STUDY).where(STUDY.c.id == study.id))
            self._connection.execute(delete(STUDY_TEXT).where(STUDY_TEXT.c.id == study.id))
        self._write()

    def _winners(self, notes: Sequence[Note]) -> list[Note]:
        best: dict[str, Note] = {}
        for note in notes:
            present = best.get(note.sop_instance)
            if present is None or (note.received, note.object) < (present.received, present.object):
                best[note.sop_instance] = note
        losers = []
        for rows in self._find(INSTANCE.c.uid, list(best)):
            for row in rows:
                note = best[row.uid]
                if (row.received, row.object) <= (note.received, note.object):
                    del best[row.uid]
                else:
                    losers.append(row.object)
        if losers:
            Batch(self._connection, self._make_key).remove(losers)
        return list(best.values())

    def _load(self, studies: set[str], series: set[str]) -> None:
        by_id = {}
        for chunk in _chunks(studies):
            for id_, uid, count, instances, facts in self._connection.execute(_STUDIES, {"values": chunk}):
                by_id[id_] = self._studies[uid] = _Study(id_, uid, jsontext.unpack(facts), count, instances)
        for rows in self._find(SERIES.c.uid, series):
            for row in rows:
                if study := by_id.get(row.study_id):
                    facts = jsontext.unpack(row.facts)
                    found_series = _Series(row.id, study, row.uid, facts, row.instance_count)
                    self._series[study.uid, row.uid] = found_series

    def _series_of(self, study_uid: str, uid: str) -> _Series:
        series = self._series.get((study_uid, uid))
        if series is not None:
            return series
        study = self._studies.get(study_uid)
        if study is None:
            study = self._studies[study_uid] = _Study(self._next_id(STUDY), study_uid, merge.empty())
        study.series += 1
        series = self._series[study_uid, uid] = _Series(self._next_id(SERIES), study, uid, merge.empty())
        return series

    def _write(self) -> None:
        studies, texts, series_rows = [], [], []
        for study in self._studies.values():
            row = render.study_columns(study.uid, study.facts, study.series, study.instances)
            rendered = row.pop("rendered")
            texts.append({"id": study.id, "rendered": rendered, "facts": jsontext.pack(study.facts)})
            studies.append({"id": study.id, "uid": study.uid, "key": self._make_key("study", study.uid), **row})
        for series in self._series.values():
            row = render.series_columns(series.study.uid, series.uid, series.facts, series.instances)
            row |= {"id": series.id, "study_id": series.study.id, "uid": series.uid}
            row |= {"key": self._make_key("series", series.study.uid, series.uid)}
            series_rows.append(row | {"facts": jsontext.pack(series.facts)})
        for table, rows in ((STUDY, studies), (STUDY_TEXT, texts), (SERIES, series_rows)):
            if rows:
                self._connection.execute(_UPSERT[table.name], rows)

    def _find(self, column: Column[Any], values: Iterable[Any]) -> Iterator[Sequence[Row[Any]]]:
        """Yield the rows of the column's table in which it has one of these values, chunk by chunk."""
        for chunk in _chunks(values):
            yield self._connection.execute(_FIND[column], {"values": chunk}).all()

    def _next_id(self, table: Table) -> int:
        if table.name not in self._ids:
            self._ids[table.name] = self._connection.execute(_LAST[table.name]).scalar() or 0
        self._ids[table.name] += 1
        return self._ids[table.name]


def _absorb(series: _Series, attributes: Any, received: str, sop_instance: str, obj: str) -> None:
    order = merge.rank(received, sop_instance, obj)
    merge.absorb(series.facts, levels.SERIES, attributes, order, received)
    merge.absorb(series.study.facts, _STUDY_OWN, attributes, order, received)
    merge.absorb_study(series.study.facts, attributes, order)


def _upsert(table: Table) -> Insert:
    statement = insert(table)
    changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name != "id"}
    return statement.on_conflict_do_update(index_elements=["id"], set_=changed)


def _among(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("values", expanding=True))


# Built once: making one takes SQLAlchemy longer than SQLite needs to run it.
_UPSERT = {table.name: _upsert(table) for table in (STUDY, STUDY_TEXT, SERIES)}
_LAST = {table.name: select(func.max(table.c.id)) for table in (STUDY, SERIES, INSTANCE)}
_FIND = {
    column: select(column.table).where(_among(column))
    for column in (INSTANCE.c.uid, INSTANCE.c.object, STUDY.c.id, SERIES.c.uid, SERIES.c.study_id)
}
_STUDIES = select(STUDY.c.id, STUDY.c.uid, STUDY.c.series_count, STUDY.c.instance_count, STUDY_TEXT.c.facts).where(
    _among(STUDY.c.uid), STUDY_TEXT.c.id == STUDY.c.id
)
_INSERT = {table.name: insert(table) for table in (INSTANCE, BODY)}


def _chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(values)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]
