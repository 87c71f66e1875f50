"""What passes where only a list of sites does: hosts, of a vantage's health and of an event."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = ("vantage_health", "latest_health", "event", "rejudged_event")


def upgrade() -> None:
    """One column each."""
    for table in _TABLES:
        op.add_column(table, sa.Column("passing", TEXT, nullable=False, server_default="[]"))
