"""The first tables: studies, series, instances, bodies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _texts(names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names.split()]


def _integer(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    """Create the tables and what searches need to be quick."""
    names = "patient_name patient_name_other patient_id birth_date sex study_date study_time accession referring"
    names += " referring_other number description modalities words"
    op.create_table(
        "study",
        sa.Column("id", sa.Integer(), primary_key=True),
        _text("uid"),
        _text("key"),
        *_texts(names),
        _integer("series_count"),
        _integer("instance_count"),
        _text("received"),
        sa.UniqueConstraint("uid"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("study_newest", "study", ["study_date", "study_time", "uid"])
    _index("study", "patient_name", "patient_name_other", "patient_id", "birth_date", "accession", "referring")
    _index("study", "referring_other", "number")
    op.create_table("study_text", sa.Column("id", sa.Integer(), primary_key=True), _bytes("rendered"), _bytes("facts"))
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), primary_key=True),
        _integer("study_id"),
        _text("uid"),
        _text("key"),
        _text("modality"),
        _integer("number", nullable=True),
        *_texts("step_date step_time description step_ids procedure_ids"),
        _integer("instance_count"),
        _bytes("rendered"),
        _bytes("facts"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("series_in_study", "series", ["study_id", "uid"], unique=True)
    _index("series", "uid", "step_ids", "procedure_ids")
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer(), primary_key=True),
        _integer("study_id"),
        _integer("series_id"),
        *_texts("uid key object sop_class"),
        _integer("number", nullable=True),
        _text("transfer_syntax"),
        _integer("frames"),
        _integer("size"),
        _integer("dataset_offset"),
        _text("dataset_sha256"),
        _text("received"),
        _bytes("rendered"),
        sa.UniqueConstraint("uid"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("object"),
    )
    op.create_index("instance_in_series", "instance", ["series_id", "number", "uid"])
    _index("instance", "study_id", "sop_class")
    op.create_table("body", sa.Column("id", sa.Integer(), primary_key=True), _bytes("attributes"), _bytes("bulk"))
