"""What people do on the page: the audit log, muted messages, acknowledged lines."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.append_only import refusal
from storage.sql.columns import TEXT

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def upgrade() -> None:
    """Three empty tables; no line of the audit log can be changed or deleted."""
    op.create_table(
        "audit",
        *_text("at", "id", "who", "what", "target", "detail"),
        sa.PrimaryKeyConstraint("at", "id", name="audit_pk"),
    )
    op.create_table(
        "mute",
        *_text("country", "event", "until", "at"),
        sa.PrimaryKeyConstraint("country", "event", name="mute_pk"),
    )
    op.create_table(
        "acknowledgement",
        *_text("finding", "at"),
        sa.PrimaryKeyConstraint("finding", name="acknowledgement_pk"),
    )
    for statement in refusal("audit", op.get_bind().dialect.name):
        op.execute(statement)
