"""What platforms themselves withhold in a country."""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, empty."""
    op.create_table(
        "withheld",
        *_text("country", "url", "since", "platform", "kind", "seen_at"),
        sa.Column("over_at", TEXT),
        sa.Column("rounds", sa.Integer, nullable=False),
        *_text("controls"),
        sa.Column("named", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("country", "url", "since", name="withheld_pk"),
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]
