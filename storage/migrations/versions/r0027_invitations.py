"""Invitations, by which agents enrol themselves."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0027"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, empty."""
    op.create_table(
        "invitation",
        *_text("digest", "vantage", "country"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("network", "role", "profile", "held_by", "made_at", "expires_at"),
        sa.Column("used_at", TEXT),
        *_text("used_by"),
        sa.Column("withdrawn_at", TEXT),
        sa.PrimaryKeyConstraint("digest", name="invitation_pk"),
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]
