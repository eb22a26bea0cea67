"""The tables of the index as SQLModel classes; the migrations are checked against them by a test."""

from __future__ import annotations

from sqlalchemy import Index as TableIndex
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Row(SQLModel, registry=registry()):
    """Base with a metadata of its own, so that the index knows no table of another room."""


class Study(Row, table=True):
    """One study: narrow, because searches scan it. Folded and padded values as :mod:`appliance.index.merge`
    makes them.

    ``*_other`` holds the ideographic and phonetic groups as ``=a=b``; ``modalities`` is ``\\CT\\MR\\``, and
    ``sop_classes`` likewise;
    ``words`` every folded word of names, ids and descriptions, each with a space on both sides.
    """

    __tablename__ = "study"
    __table_args__ = (TableIndex("study_newest", "study_date", "study_time", "uid"),)

    id: int = Field(primary_key=True)
    uid: str = Field(unique=True)
    key: str = Field(unique=True)
    patient_name: str = Field(index=True)
    patient_name_other: str = Field(index=True)
    patient_id: str = Field(index=True)
    birth_date: str = Field(index=True)
    sex: str
    study_date: str
    study_time: str
    accession: str = Field(index=True)
    referring: str = Field(index=True)
    referring_other: str = Field(index=True)
    number: str = Field(index=True)
    description: str
    modalities: str
    sop_classes: str
    words: str
    series_count: int
    instance_count: int
    received: str


class StudyText(Row, table=True):
    """What a study answers with: QIDO lines, and the zlib-compressed facts they were rendered from."""

    __tablename__ = "study_text"

    id: int = Field(primary_key=True)
    rendered: bytes
    facts: bytes


class Series(Row, table=True):
    """One series of one study; the same SeriesInstanceUID in two studies is two series."""

    __tablename__ = "series"
    __table_args__ = (TableIndex("series_in_study", "study_id", "uid", unique=True),)

    id: int = Field(primary_key=True)
    study_id: int
    uid: str = Field(index=True)
    key: str = Field(unique=True)
    modality: str
    number: int | None
    step_date: str
    step_time: str
    description: str
    step_ids: str = Field(index=True)
    procedure_ids: str = Field(index=True)
    instance_count: int
    rendered: bytes
    facts: bytes


class Instance(Row, table=True):
    """One SOP instance: where its object is, and its QIDO lines."""

    __tablename__ = "instance"
    __table_args__ = (TableIndex("instance_in_series", "series_id", "number", "uid"),)

    id: int = Field(primary_key=True)
    study_id: int = Field(index=True)
    series_id: int
    uid: str = Field(unique=True)
    key: str = Field(unique=True)
    object: str = Field(unique=True)
    sop_class: str = Field(index=True)
    number: int | None
    transfer_syntax: str
    frames: int
    size: int
    dataset_offset: int
    dataset_sha256: str
    received: str
    rendered: bytes


class Body(Row, table=True):
    """An instance's attributes and bulk table, zlib-compressed JSON, apart so that lists never read it."""

    __tablename__ = "body"

    id: int = Field(primary_key=True)
    attributes: bytes
    bulk: bytes


class Applied(Row, table=True):
    """One row: how many decisions the other tables already follow, and the digest of those."""

    __tablename__ = "applied"

    id: int = Field(primary_key=True)
    decisions: int
    digest: str


class Lost(Row, table=True):
    """An object that had a row and is gone from the disk though nobody deleted it, with the UIDs that it went by.

    ``sop_instance`` and the digest of its data set are empty where only the study was written down.
    """

    __tablename__ = "lost"

    object: str = Field(primary_key=True)
    study: str
    sop_instance: str = ""
    dataset_sha256: str = ""


class Missed(Row, table=True):
    """One row at most: the mark of decisions that the rows had followed and that are not on the disk any more."""

    __tablename__ = "missed"

    id: int = Field(primary_key=True)
    decisions: int
    digest: str


STUDY = Row.metadata.tables["study"]
STUDY_TEXT = Row.metadata.tables["study_text"]
SERIES = Row.metadata.tables["series"]
INSTANCE = Row.metadata.tables["instance"]
BODY = Row.metadata.tables["body"]
APPLIED = Row.metadata.tables["applied"]
LOST = Row.metadata.tables["lost"]
MISSED = Row.metadata.tables["missed"]
