"""What was recomputed lies beside what it was recomputed from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _text(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _maybe_text(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, TEXT) for name in names]


def _verdict() -> list[sa.Column[Any]]:
    return [
        *_text("country", "judged_at", "cycle", "vantage"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("network", "vantage_role", "platform", "role", "endpoint"),
        *_text("state", "method", "sub_method", "family", "rule_id", "evidence"),
        sa.Column("llr", sa.Float, nullable=False),
        *_text("rules_version", "measurement", "controls", "failures"),
    ]


def _platform() -> list[sa.Column[Any]]:
    return [
        *_text("country", "judged_at", "cycle", "vantage"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("network", "vantage_role"),
        *_text("platform", "state", "method", "sub_method", "rule_id", "evidence"),
        sa.Column("llr", sa.Float, nullable=False),
        *_text("rules_version", "measurement", "started_at", "roles"),
    ]


def _event() -> list[sa.Column[Any]]:
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


def upgrade() -> None:
    """Add tables for recomputed results, and the indexes that going through all cycles needs."""
    order = ("finished_at", "country", "id", "started_at")
    op.create_index("cycle_by_finished_at_country_id_started_at", "cycle", list(order))
    op.create_index("vantage_health_by_country_cycle", "vantage_health", ["country", "cycle"])
    op.create_table(
        "rejudging",
        *_text("id", "at", "version", "rules_version"),
        *_maybe_text("finished_at", "since", "until"),
        *_text("country", "platform"),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("cycles", "kept", "verdicts", "platforms", "events", "differing")
        ),
        sa.PrimaryKeyConstraint("id", name="rejudging_pk"),
    )
    judgement = ("rejudging", "judged_at", "country", "cycle", "vantage", "platform")
    for table, columns, key in (
        ("rejudged_verdict", _verdict(), (*judgement, "role", "endpoint")),
        ("rejudged_platform", _platform(), judgement),
        ("rejudged_event", _event(), ("rejudging", "country", "id")),
    ):
        op.create_table(
            table,
            *_text("rejudging"),
            *columns,
            sa.PrimaryKeyConstraint(*key, name=f"{table}_pk"),
        )
