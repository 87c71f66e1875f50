"""The first tables: cycles, measurements, verdicts, health, events and the latest of each."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.append_only import refusal
from storage.sql.columns import TEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _maybe_text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT) for name in names]


def _integer(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _where() -> Iterable[sa.Column[Any]]:
    return [
        *_text("vantage"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("network", "vantage_role"),
    ]


def _verdict() -> Iterable[sa.Column[Any]]:
    return [
        *_text("country", "judged_at", "cycle"),
        *_where(),
        *_text("platform", "role", "endpoint"),
        *_text("state", "method", "sub_method", "family", "rule_id", "evidence"),
        sa.Column("llr", sa.Float, nullable=False),
        *_text("rules_version", "measurement", "controls", "failures"),
    ]


def _platform() -> Iterable[sa.Column[Any]]:
    return [
        *_text("country", "judged_at", "cycle"),
        *_where(),
        *_text("platform", "state", "method", "sub_method", "rule_id", "evidence"),
        sa.Column("llr", sa.Float, nullable=False),
        *_text("rules_version", "measurement", "started_at", "roles"),
    ]


def _health() -> Iterable[sa.Column[Any]]:
    return [
        *_text("country", "at", "cycle"),
        *_where(),
        *_text("state", "rule_id"),
        *_integer("references_ok", "references_total"),
        sa.Column("timeout_rate", sa.Float, nullable=False),
        *_text("families"),
    ]


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
            *_text("country", "id", "vantage", "started_at", "finished_at", "received_at"),
            *_integer("measurement_count", "verdict_count", "platform_count"),
        ],
        "country",
        "id",
    )
    _create(
        "measurement",
        [
            *_text("country", "started_at", "id", "cycle"),
            *_where(),
            *_text("platform", "role", "endpoint", "look"),
            *_integer("attempt"),
            *_text("received_at"),
            sa.Column("duration", sa.Float, nullable=False),
            sa.Column("reached", sa.Boolean, nullable=False),
            *_maybe_text("egress_failure", "dns_failure"),
            *_maybe_text("tcp_failure", "tls_failure", "http_failure"),
            *(sa.Column(name, sa.Float) for name in ("dns_ms", "tcp_ms", "tls_ms", "http_ms")),
            sa.Column("http_status", sa.Integer),
            *_text("not_observed"),
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
    _create("verdict", _verdict(), *judgement, "role", "endpoint", by_month=by_month)
    op.create_index("verdict_by_judged_at", "verdict", ["judged_at"])
    _create("platform_verdict", _platform(), *judgement, by_month=by_month)
    op.create_index("platform_verdict_by_judged_at", "platform_verdict", ["judged_at"])
    _create(
        *("vantage_health", _health(), "country", "at", "cycle", "vantage"), by_month="RANGE (at)"
    )

    latest = ("cycle_started_at", "received_at")
    _create(
        "latest_verdict",
        [*_verdict(), *_text(*latest)],
        *("country", "vantage", "platform", "role", "endpoint"),
    )
    _create("latest_platform", [*_platform(), *_text(*latest)], *("country", "vantage", "platform"))
    _create("latest_health", [*_health(), *_text(*latest)], "country", "vantage")

    _create(
        "event",
        [
            *_text("country", "id", "platform", "state", "scope", "evidence"),
            *_maybe_text("onset_earliest"),
            *_text("onset_latest", "detected_at"),
            *_maybe_text("confirmed_at", "end_earliest", "end_latest"),
            *_text("updated_at", "first_measurement", "rules_version"),
            *_text("roles", "methods", "networks"),
        ],
        "country",
        "id",
    )
    _create(
        "event_log",
        [
            *_text("country", "event"),
            *_integer("sequence"),
            *_text("at", "change", "detail", "snapshot"),
        ],
        *("country", "event", "sequence"),
        also=[sa.ForeignKeyConstraint(["country", "event"], ["event.country", "event.id"])],
    )
    op.create_index("event_log_by_event_sequence", "event_log", ["event", "sequence"])
    for statement in refusal("event_log", op.get_bind().dialect.name):
        op.execute(statement)
