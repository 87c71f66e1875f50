"""What vantages learnt of their networks."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, empty: the program fills it when it next measures."""
    op.create_table(
        "verified_before",
        sa.Column("vantage", TEXT, nullable=False),
        sa.Column("country", TEXT, nullable=False),
        sa.Column("asn", sa.BigInteger, nullable=False),
        sa.Column("addresses", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("vantage", name="verified_before_pk"),
    )
