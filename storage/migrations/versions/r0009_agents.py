"""What is remembered of agents: their keys, what they handed in, what of it is to be judged."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FAILURES = ("egress_failure", "dns_failure", "tcp_failure", "tls_failure", "http_failure")


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _maybe_text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT) for name in names]


def _number(name: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _create(name: str, key: Iterable[str], *columns: Any, **options: Any) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key, name=f"{name}_pk"), **options)


def _people_decide() -> None:
    _create(
        "enrolment",
        ["fingerprint"],
        *_text("vantage", "country"),
        _number("asn", sa.BigInteger),
        *_text("network", "role", "profile", "key", "fingerprint", "enrolled_at"),
        *_maybe_text("revoked_at"),
        *_text("reason"),
    )
    only = sa.text("revoked_at IS NULL")
    op.create_index(
        "enrolment_that_may_speak_by_vantage",
        "enrolment",
        ["vantage"],
        unique=True,
        sqlite_where=only,
        postgresql_where=only,
    )
    _create(
        "quarantine",
        ["vantage"],
        *_text("vantage", "country"),
        *_maybe_text("since", "until"),
        *_text("reason", "at"),
    )


def _agents_hand_in() -> None:
    key = ["country", "vantage", "id"]
    _create(
        "batch",
        key,
        *_text("country", "vantage", "id", "fingerprint", "sent_at", "encoding", "signature"),
        *_text("body_sha256", "received_at"),
        _number("body", sa.LargeBinary),
    )
    op.create_index("batch_by_received_at", "batch", ["received_at"])
    names = ["country", "vantage", "batch", "cycle"]
    _create(
        "batch_cycle",
        names,
        *_text(*names),
        sa.ForeignKeyConstraint(names[:3], [f"batch.{name}" for name in key], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_index("batch_cycle_by_cycle", "batch_cycle", ["cycle"])
    _create(
        "inbox",
        ["country", "id"],
        *_text("country", "id", "vantage", "started_at", "finished_at", "received_at", "batch"),
        _number("position"),
        _number("hurried", sa.Boolean),
        _number("backfilled", sa.Boolean),
        *_text("health"),
    )
    op.create_index("inbox_by_received_at", "inbox", ["received_at"])


def _what_follows() -> None:
    key = ["country", "vantage", "platform", "role", "endpoint"]
    _create(
        "latest_look",
        key,
        *_text(*key),
        _number("asn", sa.BigInteger),
        *_text("network", "vantage_role", "look", "started_at", "measurement", "cycle"),
        _number("reached", sa.Boolean),
        *_maybe_text(*_FAILURES),
        *_text("received_at"),
    )
    key = ["country", "platform", "starts_at", "asn", "network"]
    _create(
        "look_hour",
        key,
        *_text("country", "platform", "starts_at"),
        _number("asn", sa.BigInteger),
        *_text("network"),
        *(_number(name) for name in ("looks", "reached", "failed")),
        sqlite_with_rowid=False,
    )
    op.create_index("measurement_by_cycle", "measurement", ["cycle"])
    controls = sa.text("vantage_role = 'control'")
    op.create_index(
        "measurement_of_controls_by_started_at",
        "measurement",
        ["started_at"],
        sqlite_where=controls,
        postgresql_where=controls,
    )


def upgrade() -> None:
    """Add the tables, empty: earlier releases knew no agents. Two indexes take a while."""
    _people_decide()
    _agents_hand_in()
    _what_follows()
