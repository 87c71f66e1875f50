"""The first tables: cycles, measurements, verdicts, health, events and the latest of each."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.migrations.tables import (
    health,
    integer,
    maybe_text,
    measured_by,
    platform,
    text,
    verdict,
)
from storage.sql.append_only import refusal

revision = "0001"
down_revision = None


def _create(table: str, columns: Iterable[sa.Column[Any]], *key: str, **more: Any) -> None:
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"{table}_pk"),
        *more.get("also", ()),
        postgresql_partition_by=more.get("by_month"),
    )


def upgrade() -> None:
    """Create every table of the first release."""
    _create(
        "cycle",
        [
            *text("country", "id", "vantage", "started_at", "finished_at", "received_at"),
            *integer("measurement_count", "verdict_count", "platform_count"),
        ],
        "country",
        "id",
    )
    _create(
        "measurement",
        [
            *text("country", "started_at", "id", "cycle"),
            *measured_by(),
            *text("platform", "role", "endpoint", "look"),
            *integer("attempt"),
            *text("received_at"),
            sa.Column("duration", sa.Float, nullable=False),
            sa.Column("reached", sa.Boolean, nullable=False),
            *maybe_text("egress_failure", "dns_failure"),
            *maybe_text("tcp_failure", "tls_failure", "http_failure"),
            *(sa.Column(name, sa.Float) for name in ("dns_ms", "tcp_ms", "tls_ms", "http_ms")),
            sa.Column("http_status", sa.Integer),
            *text("not_observed"),
            sa.Column("observations", sa.LargeBinary, nullable=False),
        ],
        *("country", "started_at", "id"),
        by_month="RANGE (started_at)",
    )
    op.create_index("measurement_by_started_at", "measurement", ["started_at"])
    if op.get_bind().dialect.name == "postgresql":
        # It is compressed before it comes.
        op.execute("ALTER TABLE measurement ALTER COLUMN observations SET STORAGE EXTERNAL")

    judgement = ("country", "judged_at", "cycle", "vantage", "platform")
    by_month = "RANGE (judged_at)"
    _create("verdict", verdict(), *judgement, "role", "endpoint", by_month=by_month)
    op.create_index("verdict_by_judged_at", "verdict", ["judged_at"])
    _create("platform_verdict", platform(), *judgement, by_month=by_month)
    op.create_index("platform_verdict_by_judged_at", "platform_verdict", ["judged_at"])
    _create(
        *("vantage_health", health(), "country", "at", "cycle", "vantage"), by_month="RANGE (at)"
    )

    latest = ("cycle_started_at", "received_at")
    _create(
        "latest_verdict",
        [*verdict(), *text(*latest)],
        *("country", "vantage", "platform", "role", "endpoint"),
    )
    _create("latest_platform", [*platform(), *text(*latest)], *("country", "vantage", "platform"))
    _create("latest_health", [*health(), *text(*latest)], "country", "vantage")

    _create(
        "event",
        [
            *text("country", "id", "platform", "state", "scope", "evidence"),
            *maybe_text("onset_earliest"),
            *text("onset_latest", "detected_at"),
            *maybe_text("confirmed_at", "end_earliest", "end_latest"),
            *text("updated_at", "first_measurement", "rules_version"),
            *text("roles", "methods", "networks"),
        ],
        "country",
        "id",
    )
    _create(
        "event_log",
        [
            *text("country", "event"),
            *integer("sequence"),
            *text("at", "change", "detail", "snapshot"),
        ],
        *("country", "event", "sequence"),
        also=[sa.ForeignKeyConstraint(["country", "event"], ["event.country", "event.id"])],
    )
    op.create_index("event_log_by_event_sequence", "event_log", ["event", "sequence"])
    for statement in refusal("event_log", op.get_bind().dialect.name):
        op.execute(statement)
