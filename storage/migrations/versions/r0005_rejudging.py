"""Tables of their own for recomputed results."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.tables import event, maybe_text, platform, text, verdict

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add tables for recomputed results, and the indexes that going through all cycles needs."""
    order = ("finished_at", "country", "id", "started_at")
    op.create_index("cycle_by_finished_at_country_id_started_at", "cycle", list(order))
    op.create_index("vantage_health_by_country_cycle", "vantage_health", ["country", "cycle"])
    op.create_table(
        "rejudging",
        *text("id", "at", "version", "rules_version"),
        *maybe_text("finished_at", "since", "until"),
        *text("country", "platform"),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("cycles", "kept", "verdicts", "platforms", "events", "differing")
        ),
        sa.PrimaryKeyConstraint("id", name="rejudging_pk"),
    )
    judgement = ("rejudging", "judged_at", "country", "cycle", "vantage", "platform")
    for table, columns, key in (
        ("rejudged_verdict", verdict(), (*judgement, "role", "endpoint")),
        ("rejudged_platform", platform(), judgement),
        ("rejudged_event", event(), ("rejudging", "country", "id")),
    ):
        op.create_table(
            table,
            *text("rejudging"),
            *columns,
            sa.PrimaryKeyConstraint(*key, name=f"{table}_pk"),
        )
