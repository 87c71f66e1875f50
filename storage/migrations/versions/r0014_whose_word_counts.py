"""Who runs a vantage, for how long its key has agreed with others, and what that means for events.

Keys from before were believed in full, and stay so from when they were enrolled. Events from before
were not weighed.
"""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three columns for enrolments, three for events."""
    op.add_column("enrolment", sa.Column("held_by", TEXT, nullable=False, server_default=""))
    op.add_column("enrolment", sa.Column("agreed", sa.Float, nullable=False, server_default="0"))
    op.add_column("enrolment", sa.Column("established_at", TEXT))
    for table in ("event", "rejudged_event"):
        op.add_column(table, sa.Column("weight", sa.Float))
        op.add_column(
            table, sa.Column("weight_needed", sa.Integer, nullable=False, server_default="0")
        )
        op.add_column(table, sa.Column("doubts", TEXT, nullable=False, server_default="[]"))
    op.execute("UPDATE enrolment SET established_at = enrolled_at")
