"""What people add: reviews of events, and annotations, which are dated facts about the world."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.tables import text
from storage.sql.append_only import refusal
from storage.sql.columns import TEXT

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add both tables; a review, like a line of the log, can be neither changed nor deleted."""
    op.create_table(
        "review",
        *text("country", "event", "at", "id", "mark", "reviewer", "note"),
        sa.PrimaryKeyConstraint("country", "event", "id", name="review_pk"),
        sa.ForeignKeyConstraint(["country", "event"], ["event.country", "event.id"]),
    )
    op.create_index("review_by_event_at", "review", ["event", "at"])
    op.create_table(
        "annotation",
        *text("country", "since", "id"),
        sa.Column("until", TEXT),
        *text("platform", "kind", "source", "added_at", "text"),
        sa.PrimaryKeyConstraint("country", "since", "id", name="annotation_pk"),
    )
    for statement in refusal("review", op.get_bind().dialect.name):
        op.execute(statement)
