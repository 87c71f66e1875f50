"""What others measured, in tables of its own."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0023"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three tables, empty."""
    op.create_table(
        "sourced_row",
        *_text("country", "source", "uid", "measured_at", "received_at"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("platform", "part", "test"),
        sa.Column("failed", sa.Float, nullable=False),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        *_text("methods", "judged", "left_out", "licence"),
        sa.PrimaryKeyConstraint("country", "source", "uid", name="sourced_row_pk"),
    )
    op.create_index(
        "sourced_row_by_measured_at_country_source_uid",
        "sourced_row",
        ["measured_at", "country", "source", "uid"],
    )
    op.create_index(
        "sourced_row_by_country_platform_measured_at",
        "sourced_row",
        ["country", "platform", "measured_at"],
    )
    op.create_table(
        "source_state",
        *_text("source", "state"),
        sa.PrimaryKeyConstraint("source", name="source_state_pk"),
    )
    op.create_table(
        "sourced_event",
        *_text("country", "source", "id", "platform"),
        sa.Column("active", sa.Boolean, nullable=False),
        *_text("first_seen_at", "event"),
        sa.PrimaryKeyConstraint("country", "source", "id", name="sourced_event_pk"),
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]
