"""The key by which the outbox names addresses."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, empty: the program makes the key when it first delivers."""
    op.create_table(
        "target_key",
        sa.Column("key", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="target_key_pk"),
    )
