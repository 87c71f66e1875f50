"""The share of connections or addresses that failed, and the address family, where only a part did.

Rows from before know of no share. Theirs that accuse one family alone keep it.
"""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ENDPOINTS = ("verdict", "latest_verdict", "rejudged_verdict")
_OTHERS = (
    *("platform_verdict", "latest_platform", "rejudged_platform"),
    *("event", "rejudged_event"),
)


def upgrade() -> None:
    """One column for verdicts on endpoints, two for those on platforms and for events."""
    for table in _OTHERS:
        op.add_column(table, sa.Column("family", TEXT, nullable=False, server_default=""))
    for table in (*_ENDPOINTS, *_OTHERS):
        op.add_column(table, sa.Column("share", sa.Float))
