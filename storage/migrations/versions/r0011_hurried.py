"""Which cycles were extra ones, out of turn, so that availability can be counted from verdicts.

Earlier releases did not store it. As in revision 0008: an extra cycle measured fewer platforms than
the cycles in turn of the same vantage in that hour.
"""

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TEXTS = ("country", "id", "vantage", "started_at", "finished_at", "received_at")
_COUNTS = ("measurement_count", "verdict_count", "platform_count")
_INDEX = "cycle_by_finished_at_country_id_started_at"


def upgrade() -> None:
    """Make the table anew; its rows are few."""
    op.drop_index(_INDEX, "cycle")
    op.rename_table("cycle", "before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE before RENAME CONSTRAINT cycle_pk TO before_pk")
    op.create_table(
        "cycle",
        *(sa.Column(name, TEXT, nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _COUNTS),
        sa.Column("hurried", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("country", "id", name="cycle_pk"),
    )
    names = ", ".join((*_TEXTS, *_COUNTS))
    hour = "country, vantage, substr(finished_at, 1, 13)"
    op.execute(
        f"INSERT INTO cycle ({names}, hurried) "  # noqa: S608 # names above
        f"SELECT {names}, platform_count < max(platform_count) OVER (PARTITION BY {hour}) "
        "FROM before"
    )
    op.drop_table("before")
    op.create_index(_INDEX, "cycle", ["finished_at", "country", "id", "started_at"])
