"""Events of several kinds, and what detectors have concluded."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.append_only import refusal
from storage.sql.columns import TEXT

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OLD = (
    *("country", "id", "platform", "state", "scope", "evidence", "onset_earliest"),
    *("onset_latest", "detected_at", "confirmed_at", "end_earliest", "end_latest", "updated_at"),
    *("first_measurement", "rules_version", "roles", "methods", "networks"),
)


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _maybe_text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT) for name in names]


def _event() -> Iterable[sa.Column[Any]]:
    return [
        *_text("country", "id", "kind", "platform", "vantage", "state", "scope", "evidence"),
        *_maybe_text("onset_earliest"),
        *_text("onset_latest", "detected_at"),
        *_maybe_text("confirmed_at", "end_earliest", "end_latest"),
        *_text("updated_at", "first_measurement", "rules_version"),
        sa.Column("reopened", sa.Integer, nullable=False),
        sa.Column("share_affected", sa.Float),
        *_text("pattern", "roles", "methods", "networks"),
    ]


def _log(name: str) -> None:
    op.create_table(
        name,
        *_text("country", "event"),
        sa.Column("sequence", sa.Integer, nullable=False),
        *_text("at", "change", "detail", "snapshot"),
        sa.PrimaryKeyConstraint("country", "event", "sequence", name=f"{name}_pk"),
        sa.ForeignKeyConstraint(["country", "event"], ["event.country", "event.id"]),
    )


def upgrade() -> None:
    """Make the events anew, whose log refers to them, and add the conclusions.

    The lines of the log are moved as they are: what was known when is never altered.
    """
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table in ("event_log", "event"):
        if table == "event_log":
            op.drop_index("event_log_by_event_sequence", table_name="event_log")
        op.rename_table(table, f"{table}_before")
        if postgresql:
            op.execute(f"ALTER TABLE {table}_before RENAME CONSTRAINT {table}_pk TO {table}_old_pk")
    op.create_table("event", *_event(), sa.PrimaryKeyConstraint("country", "id", name="event_pk"))
    kept = ", ".join(_OLD)
    op.execute(
        f"INSERT INTO event ({kept}, kind, vantage, reopened, pattern) "  # noqa: S608 # names above
        f"SELECT {kept}, 'block', '', 0, '' FROM event_before"
    )
    _log("event_log")
    op.execute("INSERT INTO event_log SELECT * FROM event_log_before")
    op.drop_table("event_log_before")
    op.drop_table("event_before")
    op.create_index("event_log_by_event_sequence", "event_log", ["event", "sequence"])
    for statement in refusal("event_log", op.get_bind().dialect.name):
        op.execute(statement)
    op.create_table(
        "conclusion",
        *_text("country", "platform", "kind"),
        *_maybe_text("until"),
        *_text("until_key", "state"),
        sa.PrimaryKeyConstraint("country", "platform", name="conclusion_pk"),
    )
