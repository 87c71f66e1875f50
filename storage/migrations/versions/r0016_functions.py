"""A function of a platform is called so: the columns `role` and `roles`, and what JSON says."""

from alembic import op

from storage.sql.append_only import refusal

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ONE = ("measurement", "verdict", "latest_verdict", "rejudged_verdict", "latest_look")
_PLATFORMS = ("platform_verdict", "latest_platform", "rejudged_platform")
_EVENTS = ("event", "rejudged_event")
_JSON = (
    *((table, "functions") for table in _PLATFORMS),
    ("conclusion", "state"),
    ("event_log", "snapshot"),
)
_TRIGGER = "event_log_refuses_update"


def upgrade() -> None:
    """Rename, and change the log of events for its names alone."""
    for table in _ONE:
        op.alter_column(table, "role", new_column_name="function")
    for table in (*_PLATFORMS, *_EVENTS):
        op.alter_column(table, "roles", new_column_name="functions")
    dialect = op.get_bind().dialect.name
    op.execute(f"DROP TRIGGER {_TRIGGER}{' ON event_log' if dialect == 'postgresql' else ''}")
    for table, column in _JSON:
        for old, new in (("role", "function"), ("roles", "functions")):
            # In a string within the JSON the quotes would stand behind backslashes.
            op.execute(
                f"UPDATE {table} SET {column} = "  # noqa: S608 # constants
                f"replace({column}, '\"{old}\"\\:', '\"{new}\"\\:') "
                f"WHERE {column} LIKE '%\"{old}\"\\:%'"
            )
    for statement in refusal("event_log", dialect):
        if _TRIGGER in statement:
            op.execute(statement)
