"""No vantage in the logs of events that everybody reads.

Earlier releases named the vantages that were lost in the details of shutdowns, international cuts,
silent vantages and instrument faults. The log is append-only, and stays so for everything else: a
log that names the people who host in a country at the moment of its shutdown must not stay.
"""

from alembic import op

from storage.sql.append_only import refusal

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KINDS = "'shutdown', 'international_cut', 'vantage_silent', 'instrument'"
_TRIGGER = "event_log_refuses_update"


def upgrade() -> None:
    """Empty the details; the networks stand in each line's snapshot."""
    dialect = op.get_bind().dialect.name
    on_table = " ON event_log" if dialect == "postgresql" else ""
    op.execute(f"DROP TRIGGER {_TRIGGER}{on_table}")
    op.execute(
        "UPDATE event_log SET detail = '' WHERE detail <> '' "  # noqa: S608 # constants
        "AND EXISTS (SELECT 1 FROM event "
        "WHERE event.country = event_log.country AND event.id = event_log.event "
        f"AND event.kind IN ({_KINDS}))"
    )
    for statement in refusal("event_log", dialect):
        if _TRIGGER in statement:
            op.execute(statement)
