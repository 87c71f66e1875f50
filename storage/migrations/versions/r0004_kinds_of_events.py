"""Events of several kinds, and what detectors have concluded."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.tables import event, maybe_text, text
from storage.sql.append_only import refusal

revision = "0004"
down_revision = "0003"

_OLD = (
    *("country", "id", "platform", "state", "scope", "evidence", "onset_earliest"),
    *("onset_latest", "detected_at", "confirmed_at", "end_earliest", "end_latest", "updated_at"),
    *("first_measurement", "rules_version", "roles", "methods", "networks"),
)


def _log(name: str) -> None:
    op.create_table(
        name,
        *text("country", "event"),
        sa.Column("sequence", sa.Integer, nullable=False),
        *text("at", "change", "detail", "snapshot"),
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
    op.create_table("event", *event(), sa.PrimaryKeyConstraint("country", "id", name="event_pk"))
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
        *text("country", "platform", "kind"),
        *maybe_text("until"),
        *text("until_key", "state"),
        sa.PrimaryKeyConstraint("country", "platform", name="conclusion_pk"),
    )
