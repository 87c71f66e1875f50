"""Whether rows were ever moved to an archive."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, empty: the program notes it when it next moves rows."""
    op.create_table(
        "archive_use",
        sa.Column("since", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("since", name="archive_use_pk"),
    )
