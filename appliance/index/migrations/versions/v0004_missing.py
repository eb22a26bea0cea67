"""What was lost and is still missing: objects that had a row, decisions that the rows had followed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables; no row changes."""
    op.create_table(
        "lost",
        sa.Column("object", sa.String(), primary_key=True, nullable=False),
        sa.Column("study", sa.String(), nullable=False),
    )
    op.create_table(
        "missed",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
    )
