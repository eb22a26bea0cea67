"""Of what was lost, which SOP instance it was: it is missed no longer once the modality has sent it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; of what was lost before, the instance is not known."""
    for name in ("sop_instance", "dataset_sha256"):
        op.add_column("lost", sa.Column(name, sa.String(), nullable=False, server_default=""))
