"""A study's SOP classes, Hangul folded by syllable, frames bounded: all rows are derived anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget every row, with the mark of the decisions they followed: who opens the index next fills it from notes."""
    for table in ("study", "study_text", "series", "instance", "body", "applied"):
        op.execute(sa.table(table).delete())
    op.add_column("study", sa.Column("sop_classes", sa.String(), nullable=False))
