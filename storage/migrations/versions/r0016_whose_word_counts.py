"""Who runs a vantage, and for how long its key has agreed with others.

Keys from before were believed in full, and stay so from when they were enrolled.
"""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0016"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three columns for enrolments."""
    op.add_column("enrolment", sa.Column("held_by", TEXT, nullable=False, server_default=""))
    op.add_column("enrolment", sa.Column("agreed", sa.Float, nullable=False, server_default="0"))
    op.add_column("enrolment", sa.Column("established_at", TEXT))
    op.execute("UPDATE enrolment SET established_at = enrolled_at")
