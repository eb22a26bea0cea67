"""Reading rows back: what is stored of studies, series and instances."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, func, select

from appliance.errors import Damaged
from appliance.index import compile as compiled
from appliance.index import jsontext, merge, render
from appliance.index.rows import Entry, Known, Lost, SeriesRow, StudyRow
from appliance.index.tables import BODY, INSTANCE, SERIES, STUDY, STUDY_TEXT

CHUNK = 500


def known(connection: Connection, sop_instances: Sequence[str]) -> dict[str, Known]:
    """Return the object of each SOP instance that has a row."""
    found = {}
    for start in range(0, len(sop_instances), CHUNK):
        chunk = list(sop_instances[start : start + CHUNK])
        columns = (INSTANCE.c.uid, INSTANCE.c.object, INSTANCE.c.transfer_syntax, INSTANCE.c.dataset_sha256)
        rows = connection.execute(select(*columns).where(INSTANCE.c.uid.in_(chunk)))
        found.update({uid: Known(obj, syntax, digest) for uid, obj, syntax, digest in rows})
    return found


def as_lost(connection: Connection, objects: Sequence[str]) -> list[Lost]:
    """Return what is to be remembered of objects that vanished; those without a row are absent."""
    found = []
    for start in range(0, len(objects), CHUNK):
        chunk = list(objects[start : start + CHUNK])
        wanted = select(INSTANCE.c.object, STUDY.c.uid, INSTANCE.c.uid, INSTANCE.c.dataset_sha256).where(
            INSTANCE.c.object.in_(chunk), INSTANCE.c.study_id == STUDY.c.id
        )
        found += [Lost(*row) for row in connection.execute(wanted)]
    return found


def _below(statement: Any, study: str, series: str | None, instance: str | None) -> Any:
    statement = statement.where(
        STUDY.c.uid == study,
        INSTANCE.c.study_id == STUDY.c.id,
        SERIES.c.id == INSTANCE.c.series_id,
        BODY.c.id == INSTANCE.c.id,
    )
    if series is not None:
        statement = statement.where(SERIES.c.uid == series)
    if instance is not None:
        statement = statement.where(INSTANCE.c.uid == instance)
    return statement.order_by(SERIES.c.number, SERIES.c.uid, INSTANCE.c.number, INSTANCE.c.uid)


def metadata(
    connection: Connection, study: str, series: str | None, instance: str | None, base_url: str
) -> bytes | None:
    """Return the JSON array of the data sets below a path, ``None`` when there are none."""
    columns = select(SERIES.c.uid.label("series"), INSTANCE.c.uid, BODY.c.attributes)
    texts = []
    for series_uid, uid, packed in connection.execute(_below(columns, study, series, instance)):
        url = base_url + render.instance_path(study, series_uid, uid)
        texts.append(jsontext.absolute_bulk(zlib.decompress(packed), url))
    return b"[%s]" % b",".join(texts) if texts else None


_ENTRY = (
    INSTANCE.c.key,
    INSTANCE.c.object,
    STUDY.c.uid.label("study"),
    SERIES.c.uid.label("series"),
    INSTANCE.c.uid.label("sop_instance"),
    INSTANCE.c.sop_class,
    INSTANCE.c.transfer_syntax,
    INSTANCE.c.frames,
    INSTANCE.c.size,
    INSTANCE.c.dataset_offset,
    BODY.c.attributes,
    BODY.c.bulk,
)


def entries(connection: Connection, study: str, series: str | None, instance: str | None) -> list[Entry]:
    """Return the instances below a path."""
    return [Entry(*row) for row in connection.execute(_below(select(*_ENTRY), study, series, instance))]


def entry(connection: Connection, key: str) -> Entry | None:
    """Return the instance with this opaque key."""
    wanted = select(*_ENTRY).where(
        INSTANCE.c.key == key,
        STUDY.c.id == INSTANCE.c.study_id,
        SERIES.c.id == INSTANCE.c.series_id,
        BODY.c.id == INSTANCE.c.id,
    )
    rows: list[Any] = list(connection.execute(wanted))
    return Entry(*rows[0]) if rows else None


def entries_of(connection: Connection, objects: Sequence[str]) -> list[Entry]:
    """Return the instances that these objects hold."""
    found: list[Entry] = []
    for start in range(0, len(objects), CHUNK):
        wanted = select(*_ENTRY).where(
            INSTANCE.c.object.in_(list(objects[start : start + CHUNK])),
            STUDY.c.id == INSTANCE.c.study_id,
            SERIES.c.id == INSTANCE.c.series_id,
            BODY.c.id == INSTANCE.c.id,
        )
        rows: list[Any] = list(connection.execute(wanted))
        found.extend(Entry(*row) for row in rows)
    return found


def objects_below(connection: Connection, level: str, uid: str) -> set[str]:
    """Return the objects at or below what has this UID at ``level``."""
    wanted = select(INSTANCE.c.object)
    if level == "study":
        wanted = wanted.where(STUDY.c.uid == uid, INSTANCE.c.study_id == STUDY.c.id)
    elif level == "series":
        wanted = wanted.where(SERIES.c.uid == uid, INSTANCE.c.series_id == SERIES.c.id)
    else:
        wanted = wanted.where(INSTANCE.c.uid == uid)
    return set(connection.execute(wanted).scalars())


def verify(connection: Connection) -> None:
    """Read every page; :class:`Damaged` for one whose MAC or structure is wrong."""
    wrong = connection.exec_driver_sql("PRAGMA cipher_integrity_check").all()
    if wrong or connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
        raise Damaged("The index is damaged.", "Run: appliance index rebuild")


def objects_saying(connection: Connection, text: str) -> set[str]:
    """Return the objects in whose attributes' JSON ``text`` occurs."""
    needle = jsontext.dump(text)[1:-1]
    wanted = select(INSTANCE.c.object, BODY.c.attributes).where(BODY.c.id == INSTANCE.c.id)
    rows = connection.execution_options(yield_per=200).execute(wanted)
    return {name for name, packed in rows if needle in zlib.decompress(packed)}


_STUDY_ROW = select(STUDY, STUDY_TEXT.c.facts).where(STUDY_TEXT.c.id == STUDY.c.id)


def studies(
    connection: Connection,
    text: str,
    modality: str,
    date_from: str,
    date_to: str,
    offset: int,
    limit: int,
    order: Literal["study", "received"],
) -> tuple[int, list[StudyRow]]:
    """Return the number of fitting studies and one page of them, newest first in that order."""
    where: list[ColumnElement[bool]] = compiled.words_clause(text)
    if modality:
        where.append(STUDY.c.modalities.op("GLOB")(f"*\\{compiled.glob_escape(modality)}\\*"))
    if date_from:
        where.append(STUDY.c.study_date >= date_from)
    if date_to:
        where.append(STUDY.c.study_date.between("0", date_to))
    total = connection.execute(select(func.count()).select_from(STUDY).where(*where)).scalar_one()
    newest = (STUDY.c.study_date.desc(), STUDY.c.study_time.desc(), STUDY.c.uid.desc())
    first = (STUDY.c.received.desc(),) if order == "received" else ()
    page = _STUDY_ROW.where(*where).order_by(*first, *newest).limit(limit).offset(offset)
    return total, [_study_row(row) for row in connection.execute(page)]


def study(connection: Connection, where: ColumnElement[bool]) -> StudyRow | None:
    """Return the study that fits."""
    row = connection.execute(_STUDY_ROW.where(where)).first()
    return None if row is None else _study_row(row)


def series(connection: Connection, where: ColumnElement[bool]) -> list[SeriesRow]:
    """Return the series that fit, by number."""
    columns = (
        SERIES.c.key,
        STUDY.c.uid,
        SERIES.c.uid,
        SERIES.c.modality,
        SERIES.c.number,
        SERIES.c.description,
        SERIES.c.instance_count,
    )
    wanted = select(*columns).where(STUDY.c.id == SERIES.c.study_id, where)
    return [SeriesRow(*row) for row in connection.execute(wanted.order_by(SERIES.c.number, SERIES.c.uid))]


def _study_row(row: Row[Any]) -> StudyRow:
    found = merge.merged(jsontext.unpack(row.facts))
    name = merge.first_name(found, "00100010")
    return StudyRow(
        key=row.key,
        uid=row.uid,
        patient_name=name,
        patient_id=row.patient_id,
        birth_date=row.birth_date,
        sex=row.sex,
        study_date=row.study_date,
        study_time=merge.first_text(found, "00080030"),
        description=row.description,
        modalities=tuple(m for m in row.modalities.split("\\") if m),
        series_count=row.series_count,
        instance_count=row.instance_count,
        received=row.received,
    )
