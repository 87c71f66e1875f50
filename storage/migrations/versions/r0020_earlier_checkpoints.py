"""Detectors keep earlier states, from which they go on when something comes late."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, empty."""
    names = ("country", "platform", "until", "until_key", "kind", "state")
    op.create_table(
        "earlier_conclusion",
        *(sa.Column(name, TEXT, nullable=False) for name in names),
        sa.PrimaryKeyConstraint("country", "platform", "until", name="earlier_conclusion_pk"),
    )
