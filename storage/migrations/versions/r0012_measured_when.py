"""When the measurements were made that decided a verdict, or the health of a vantage.

Rows from before lack it. Their times stay within what they say: from the first measurement of the
platform in the cycle to the end of the cycle.
"""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_VERDICTS = (
    *("verdict", "latest_verdict", "rejudged_verdict"),
    *("platform_verdict", "latest_platform", "rejudged_platform"),
)
_HEALTH = ("vantage_health", "latest_health")


def upgrade() -> None:
    """Two columns for verdicts, one for health."""
    for table in _VERDICTS:
        for name in ("measured_at", "measured_until"):
            op.add_column(table, sa.Column(name, TEXT))
    for table in _HEALTH:
        op.add_column(table, sa.Column("measured_at", TEXT))
