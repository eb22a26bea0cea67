"""Answering a QIDO query: narrow by SQL, check the rest on stored attributes, join the rendered text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select

from appliance.dicom import levels
from appliance.dicom.levels import Level, level_of
from appliance.dicom.matching import Condition, Query, matches
from appliance.index import jsontext, merge, render
from appliance.index.compile import PLACES, STUDY_PLACES, clause, narrowing
from appliance.index.tables import BODY, INSTANCE, SERIES, STUDY, STUDY_TEXT

CHUNK = 500  # values of one IN list
CACHED = 256  # unpacked data sets kept during one search
Statement = Any  # SQLAlchemy types a select by its columns; these are chosen while running
Checks = list[tuple[Level, Condition]]
Rows = Iterator[Row[Any]]


def search(connection: Connection, query: Query, base_url: str) -> tuple[bytes, bool]:
    """Return the JSON array of one page, and whether there are more results behind it.

    The order is fixed by what the images say, never by arrival: studies newest first, in a study by series
    and number, else by UID. So pages fit together and a rebuilt index answers the same.
    """
    where: list[ColumnElement[bool]] = []
    checks: Checks = []
    joins: set[Level] = set()
    places = PLACES[query.level]
    for condition in query.conditions:
        if condition.path == (levels.INSTANCE_AVAILABILITY,):
            if not matches(condition, render.AVAILABILITY):
                return b"[]", False
            continue
        place = places.get(condition.path)
        sql = None if place is None else clause(condition, place)
        if sql is None:
            checks.append((level_of(condition.path[0]), condition))
        narrowed = [sql] if sql is not None else narrowing(condition, place) if place is not None else []
        if narrowed:
            where.extend(narrowed)
            if condition.path in STUDY_PLACES:
                joins.add("studies")
            elif place is not None and place.column.table is SERIES:
                joins.add("series")
    statement = _select(query.level, joins, inside=query.study is not None)
    if query.study is not None:
        ids = _path_ids(connection, query.study, query.series)
        if ids is None:
            return b"[]", False
        where.append((SERIES if query.level == "series" else INSTANCE).c.study_id == ids[0])
        if query.series is not None:
            where.append(INSTANCE.c.series_id == ids[1])
    statement = statement.where(*where)
    stored = _Stored(connection, query.level)
    if checks:
        rows = _checked(connection, statement, stored, checks, query.offset)
    else:
        rows = iter(connection.execute(statement.limit(query.limit + 1).offset(query.offset)))
    page: list[Row[Any]] = []
    for row in rows:
        if len(page) == query.limit:
            return jsontext.array(_texts(query, page, stored), base_url), True
        page.append(row)
    return jsontext.array(_texts(query, page, stored), base_url), False


def _select(level: Level, joins: set[Level], *, inside: bool) -> Statement:
    chosen: Statement
    if level == "studies":
        newest = (STUDY.c.study_date.desc(), STUDY.c.study_time.desc(), STUDY.c.uid.desc())
        chosen = select(STUDY_TEXT.c.rendered, STUDY.c.id.label("study_id"))
        return chosen.where(STUDY_TEXT.c.id == STUDY.c.id).order_by(*newest)
    if level == "series":
        chosen = select(SERIES.c.rendered, SERIES.c.study_id, SERIES.c.id.label("series_id"))
        if "studies" in joins:
            chosen = chosen.where(STUDY.c.id == SERIES.c.study_id)
        return chosen.order_by(*((SERIES.c.number,) if inside else ()), SERIES.c.uid, SERIES.c.key)
    chosen = select(INSTANCE.c.rendered, INSTANCE.c.study_id, INSTANCE.c.series_id, INSTANCE.c.id)
    if "studies" in joins:
        chosen = chosen.where(STUDY.c.id == INSTANCE.c.study_id)
    if "series" in joins or inside:
        chosen = chosen.where(SERIES.c.id == INSTANCE.c.series_id)
    order = (SERIES.c.number, SERIES.c.uid, INSTANCE.c.number) if inside else ()
    return chosen.order_by(*order, INSTANCE.c.uid)


def _path_ids(connection: Connection, study: str, series: str | None) -> tuple[int, int] | None:
    study_id = connection.execute(select(STUDY.c.id).where(STUDY.c.uid == study)).scalar()
    if study_id is None or series is None:
        return None if study_id is None else (study_id, 0)
    wanted = select(SERIES.c.id).where(SERIES.c.study_id == study_id, SERIES.c.uid == series)
    series_id = connection.execute(wanted).scalar()
    return None if series_id is None else (study_id, series_id)


def _checked(connection: Connection, statement: Statement, stored: _Stored, checks: Checks, offset: int) -> Rows:
    """Yield the narrowed rows, in order, whose stored attributes match, after the offset."""
    for row in connection.execution_options(yield_per=200).execute(statement):
        if all(matches(condition, stored.attributes(level, row)) for level, condition in checks):
            if offset:
                offset -= 1
            else:
                yield row


def _texts(query: Query, page: list[Row[Any]], stored: _Stored) -> list[bytes]:
    """Return the rendered object of every row, with what the path leaves open and what was asked for besides.

    PS3.18 10.6.3: all series also carry their study's attributes, all instances of a study their series', all
    instances both. The lower level's line wins where both have one (RetrieveURL).
    """
    above: list[Level] = []
    if query.level != "studies" and query.study is None:
        above.append("studies")
    if query.level == "instances" and query.series is None:
        above.append("series")
    asked: list[tuple[Level, str]] = []
    for tag in query.include:
        if tag not in levels.EVERYWHERE:
            asked.append((level_of(tag), tag))
    if not (above or asked or query.include_all):
        return [row.rendered for row in page]
    for level in above:
        stored.fetch_lines(level, page)
    texts = []
    for row in page:
        lines: dict[bytes, bytes] = {}
        for level in above:
            lines |= stored.lines(level, row)
        lines |= jsontext.by_tag(row.rendered)
        everything = [*above, query.level] if query.include_all else []
        wanted = [(level, tag) for level in everything for tag in stored.attributes(level, row)]
        for level, tag in wanted + asked:
            name = tag.encode()
            if name not in lines:
                element = stored.attributes(level, row).get(tag)
                if element is not None:
                    lines[name] = jsontext.line(tag, element)
                elif tag in levels.COUNTED_OF_STUDY or tag in levels.COUNTED_OF_SERIES:
                    lines[name] = stored.lines(level, row).get(name, b"")
        texts.append(jsontext.join({name: line for name, line in lines.items() if line}))
    return texts


class _Stored:
    """What is stored of the rows of one search, by level, each read at most once while cached."""

    def __init__(self, connection: Connection, level: Level) -> None:
        self._connection = connection
        self._level = level
        self._attributes: dict[tuple[Level, int], Mapping[str, Any]] = {}
        self._lines: dict[tuple[Level, int], dict[bytes, bytes]] = {}

    def attributes(self, level: Level, row: Row[Any]) -> Mapping[str, Any]:
        """Return the merged attributes of the row's study or series, or the instance's own."""
        id_ = _id(level, row)
        found = self._attributes.get((level, id_))
        if found is None:
            if len(self._attributes) >= CACHED:
                self._attributes.clear()
            packed = self._connection.execute(_PACKED[level], {"id_": id_}).scalar_one()
            value = jsontext.unpack(packed)
            found = value if level == "instances" else merge.merged(value)
            self._attributes[level, id_] = found
        return found

    def fetch_lines(self, level: Level, page: list[Row[Any]]) -> None:
        """Read the rendered lines of a whole page's studies or series at once."""
        table = STUDY_TEXT if level == "studies" else SERIES
        ids = sorted({_id(level, row) for row in page})
        for start in range(0, len(ids), CHUNK):
            wanted = select(table.c.id, table.c.rendered).where(table.c.id.in_(ids[start : start + CHUNK]))
            for id_, rendered in self._connection.execute(wanted):
                self._lines[level, id_] = jsontext.by_tag(rendered)

    def lines(self, level: Level, row: Row[Any]) -> dict[bytes, bytes]:
        """Return the rendered lines of the row's study or series, by tag."""
        id_ = _id(level, row)
        found = self._lines.get((level, id_))
        if found is None:
            rendered = self._connection.execute(_RENDERED[level], {"id_": id_}).scalar_one()
            found = self._lines[level, id_] = jsontext.by_tag(rendered)
        return found


_ID = {"studies": "study_id", "series": "series_id", "instances": "id"}
_PACKED: dict[Level, Statement] = {
    "studies": select(STUDY_TEXT.c.facts).where(STUDY_TEXT.c.id == bindparam("id_")),
    "series": select(SERIES.c.facts).where(SERIES.c.id == bindparam("id_")),
    "instances": select(BODY.c.attributes).where(BODY.c.id == bindparam("id_")),
}
_RENDERED: dict[Level, Statement] = {
    "studies": select(STUDY_TEXT.c.rendered).where(STUDY_TEXT.c.id == bindparam("id_")),
    "series": select(SERIES.c.rendered).where(SERIES.c.id == bindparam("id_")),
}


def _id(level: Level, row: Row[Any]) -> int:
    id_: int = getattr(row, _ID[level])
    return id_
