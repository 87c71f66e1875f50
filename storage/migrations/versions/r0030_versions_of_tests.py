"""Which version of a program made a row that others measured."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column, empty."""
    op.add_column("sourced_row", sa.Column("version", TEXT, nullable=False, server_default=""))
