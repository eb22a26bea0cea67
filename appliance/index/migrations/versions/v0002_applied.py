"""How far the decisions have been applied to the rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; an index of before has no decision applied."""
    op.create_table(
        "applied",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
    )
