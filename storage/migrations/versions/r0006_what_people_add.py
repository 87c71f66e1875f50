"""What people add: reviews of events, and annotations of what happened around them."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.append_only import refusal
from storage.sql.columns import TEXT

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def upgrade() -> None:
    """Add both tables; a review, like a line of the log, can be neither changed nor deleted."""
    op.create_table(
        "review",
        *_text("country", "event", "at", "id", "mark", "reviewer", "note"),
        sa.PrimaryKeyConstraint("country", "event", "id", name="review_pk"),
        sa.ForeignKeyConstraint(["country", "event"], ["event.country", "event.id"]),
    )
    op.create_index("review_by_event_at", "review", ["event", "at"])
    op.create_table(
        "annotation",
        *_text("country", "since", "id"),
        sa.Column("until", TEXT),
        *_text("platform", "kind", "source", "added_at", "text"),
        sa.PrimaryKeyConstraint("country", "since", "id", name="annotation_pk"),
    )
    for statement in refusal("review", op.get_bind().dialect.name):
        op.execute(statement)
