"""What a vantage's health says about NAT64 and about where its packets come out."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OLD = (
    *("country", "at", "cycle", "vantage", "asn", "network", "vantage_role", "state", "rule_id"),
    *("references_ok", "references_total", "timeout_rate", "families"),
    *("clock_skew", "stub_resolver"),
)
_LATEST = ("cycle_started_at", "received_at")


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _health() -> Iterable[sa.Column[Any]]:
    return [
        *_text("country", "at", "cycle", "vantage"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("network", "vantage_role", "state", "rule_id"),
        sa.Column("references_ok", sa.Integer, nullable=False),
        sa.Column("references_total", sa.Integer, nullable=False),
        sa.Column("timeout_rate", sa.Float, nullable=False),
        *_text("families"),
        sa.Column("clock_skew", sa.Float),
        sa.Column("stub_resolver", sa.Boolean, nullable=False),
        *_text("nat64", "exit_country"),
        sa.Column("exit_asn", sa.BigInteger, nullable=False),
    ]


def _remake(table: str, more: tuple[str, ...], *key: str) -> None:
    """Make the table anew and move its rows over; what they do not know stays unsaid."""
    op.rename_table(table, "before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE before RENAME CONSTRAINT {table}_pk TO before_pk")
    op.create_table(
        table,
        *_health(),
        *_text(*more),
        sa.PrimaryKeyConstraint(*key, name=f"{table}_pk"),
        postgresql_partition_by="RANGE (at)" if "at" in key else None,
    )
    kept = ", ".join((*_OLD, *more))
    op.execute(
        f"INSERT INTO {table} ({kept}, nat64, exit_country, exit_asn) "  # noqa: S608 # names above
        f"SELECT {kept}, '[]', '', 0 FROM before"
    )
    op.drop_table("before")


def upgrade() -> None:
    """Both tables of health."""
    _remake("vantage_health", (), "country", "at", "cycle", "vantage")
    _remake("latest_health", _LATEST, "country", "vantage")
