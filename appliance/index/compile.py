"""Conditions of a query as SQL over the columns of the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, false, or_, select, union_all

from appliance.dicom.folding import fold_words
from appliance.dicom.levels import Level
from appliance.dicom.matching import Condition
from appliance.errors import BadInput
from appliance.index.tables import INSTANCE, SERIES, STUDY

Store = Literal["text", "list", "name", "integer"]
_LAST = "\U0010ffff"
_INTEGERS = range(-(2**63), 2**63)  # what SQLite holds as one
MAX_LISTED = 500  # alternatives in one condition: SQLite takes expressions of depth 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attribute is stored, in which form."""

    column: Column[Any]
    store: Store = "text"


STUDY_PLACES: dict[tuple[str, ...], Place] = {
    ("00080020",): Place(STUDY.c.study_date),
    ("00080030",): Place(STUDY.c.study_time),
    ("00080050",): Place(STUDY.c.accession),
    ("00080061",): Place(STUDY.c.modalities, "list"),
    ("00080062",): Place(STUDY.c.sop_classes, "list"),
    ("00080090",): Place(STUDY.c.referring, "name"),
    ("00081030",): Place(STUDY.c.description),
    ("00100010",): Place(STUDY.c.patient_name, "name"),
    ("00100020",): Place(STUDY.c.patient_id),
    ("00100030",): Place(STUDY.c.birth_date),
    ("00100040",): Place(STUDY.c.sex),
    ("0020000D",): Place(STUDY.c.uid),
    ("00200010",): Place(STUDY.c.number),
    ("00201206",): Place(STUDY.c.series_count, "integer"),
    ("00201208",): Place(STUDY.c.instance_count, "integer"),
}
SERIES_PLACES: dict[tuple[str, ...], Place] = {
    ("00080060",): Place(SERIES.c.modality),
    ("0008103E",): Place(SERIES.c.description),
    ("0020000E",): Place(SERIES.c.uid),
    ("00200011",): Place(SERIES.c.number, "integer"),
    ("00201209",): Place(SERIES.c.instance_count, "integer"),
    ("00400244",): Place(SERIES.c.step_date),
    ("00400245",): Place(SERIES.c.step_time),
    ("00400275", "00400009"): Place(SERIES.c.step_ids, "list"),
    ("00400275", "00401001"): Place(SERIES.c.procedure_ids, "list"),
}
INSTANCE_PLACES: dict[tuple[str, ...], Place] = {
    ("00080016",): Place(INSTANCE.c.sop_class),
    ("00080018",): Place(INSTANCE.c.uid),
    ("00200013",): Place(INSTANCE.c.number, "integer"),
}
PLACES: dict[Level, dict[tuple[str, ...], Place]] = {
    "studies": STUDY_PLACES,
    "series": STUDY_PLACES | SERIES_PLACES,
    "instances": STUDY_PLACES | SERIES_PLACES | INSTANCE_PLACES,
}


def clause(condition: Condition, place: Place) -> ColumnElement[bool] | None:
    """Return the SQL, or ``None`` where stored text in another form must be compared (see ``matches``).

    Raises :class:`BadInput` for more alternatives than SQLite takes.
    """
    column = place.column
    values = condition.values
    if place.store == "integer":
        return _integer(condition, column)
    if place.store == "list":
        if len(values) > MAX_LISTED:
            raise BadInput("A key of the query has too many values.", f"At most {MAX_LISTED}.")
        if condition.kind == "empty":
            return column == ""
        form = glob_escape if condition.kind == "exact" else glob
        return or_(false(), *(column.op("GLOB")(f"*\\{form(value)}\\*") for value in values))
    if place.store == "name":
        return _name(condition, column)
    if condition.kind == "empty":
        return column == ""
    if condition.kind == "range":
        return column.between(values[0], values[1])
    if condition.kind == "wildcard":
        return or_(false(), *(_like(column, value) for value in values))
    return column.in_(values)


def _integer(condition: Condition, column: Column[Any]) -> ColumnElement[bool] | None:
    if condition.kind == "empty" and not column.nullable:
        return column.in_([])  # A count always has a value.
    if condition.kind != "number":
        return None
    whole = (int(value) for value in condition.values if value.lstrip("-").isdigit())
    return column.in_([number for number in whole if number in _INTEGERS])


def _name(condition: Condition, column: Column[Any]) -> ColumnElement[bool] | None:
    other = column.table.c[f"{column.name}_other"]
    if condition.kind == "empty":
        return (column == "") & (other == "")
    if condition.kind == "words" or len(condition.values) > 1:
        return None
    value = condition.values[0]
    inner = f"*={glob(value)}{'=*' if '*' in value or '?' in value else '[=^]*'}"
    others = or_(other.op("GLOB")(inner), other.op("GLOB")(f"*={glob(value)}"))
    # As a subquery, because with the order by date SQLite would otherwise walk all studies by date instead of
    # answering each side from its index.
    named = select(STUDY.c.id).where(_prefixed(column, value))
    return STUDY.c.id.in_(union_all(named, select(STUDY.c.id).where(other > "", others)))


def narrowing(condition: Condition, place: Place) -> list[ColumnElement[bool]]:
    """Return SQL that every match fulfils, for a condition whose exact answer needs the stored name.

    A word begins at the start or behind what is no ASCII letter or digit: cheap to test and never too strict.
    """
    if place.store != "name" or condition.kind != "words":
        return []
    name = "^" + place.column + place.column.table.c[f"{place.column.name}_other"]
    return [name.op("GLOB")(f"*[^a-z0-9]{glob(word)}*") for word in condition.values]


def _prefixed(column: Column[Any], value: str) -> ColumnElement[bool]:
    """Match a folded name: with wildcards, or up to any component (``matching.name_matches``)."""
    if "*" in value or "?" in value:
        return _like(column, value)
    return or_(column == value, (column >= f"{value}^") & (column < f"{value}_"))  # "_" follows "^"


def _like(column: Column[Any], pattern: str) -> ColumnElement[bool]:
    """Match wildcards; a beginning without any becomes a range that an index answers."""
    start = pattern[: min(pattern.find(c) % (len(pattern) + 1) for c in "*?")]
    bounds = (column >= start) & (column < start + _LAST) if start else None
    if bounds is not None and pattern == start + "*":
        return bounds
    match = column.op("GLOB")(glob(pattern))
    return match if bounds is None else bounds & match


def glob(pattern: str) -> str:
    """Return DICOM wildcards as SQLite's GLOB: only the bracket means more there."""
    return pattern.replace("[", "[[]")


def glob_escape(text: str) -> str:
    """Return a GLOB pattern that matches exactly ``text``."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


def words_clause(text: str) -> list[ColumnElement[bool]]:
    """Every word of ``text`` must begin a word of the study's names, ids or description, in any order."""
    return [STUDY.c.words.op("GLOB")(f"* {word}*") for word in fold_words(text)[:16]]
