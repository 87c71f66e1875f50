"""Notices that wait to be sent."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.tables import text
from storage.sql.columns import TEXT

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the outbox, empty: changes before the upgrade cause no message."""
    op.create_table(
        "outbox",
        *text("country", "event"),
        sa.Column("sequence", sa.Integer, nullable=False),
        *text("route", "target", "occasion", "state", "created_at"),
        *(sa.Column(name, TEXT) for name in ("retry_at", "settled_at")),
        sa.Column("attempts", sa.Integer, nullable=False),
        *text("reason"),
        sa.PrimaryKeyConstraint(
            "country", "event", "sequence", "route", "target", name="outbox_pk"
        ),
        sa.ForeignKeyConstraint(
            ["country", "event", "sequence"],
            ["event_log.country", "event_log.event", "event_log.sequence"],
        ),
    )
    op.create_index("outbox_by_state_created_at", "outbox", ["state", "created_at"])
