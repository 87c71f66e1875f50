"""What is to be told to whom, until it was told."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def upgrade() -> None:
    """Add the outbox, empty: of what happened before, nothing is told any more."""
    op.create_table(
        "outbox",
        *_text("country", "event"),
        sa.Column("sequence", sa.Integer, nullable=False),
        *_text("route", "target", "occasion", "state", "created_at"),
        *(sa.Column(name, TEXT) for name in ("retry_at", "settled_at")),
        sa.Column("attempts", sa.Integer, nullable=False),
        *_text("reason"),
        sa.PrimaryKeyConstraint(
            "country", "event", "sequence", "route", "target", name="outbox_pk"
        ),
        sa.ForeignKeyConstraint(
            ["country", "event", "sequence"],
            ["event_log.country", "event_log.event", "event_log.sequence"],
        ),
    )
    op.create_index("outbox_by_state_created_at", "outbox", ["state", "created_at"])
