"""Columns and tables that several revisions make. What a revision made once stays as it is, so
nothing here may change."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

Columns = Sequence[sa.Column[Any]]


def text(*names: str) -> Columns:
    """Text columns."""
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def maybe_text(*names: str) -> Columns:
    """Text columns that may be empty (NULL)."""
    return [sa.Column(name, TEXT) for name in names]


def integer(*names: str) -> Columns:
    """Columns of numbers up to 2^31."""
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def measured_by() -> Columns:
    """The vantage that measured."""
    return [
        *text("vantage"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *text("network", "vantage_role"),
    ]


def verdict() -> Columns:
    """A verdict on an endpoint."""
    return [
        *text("country", "judged_at", "cycle"),
        *measured_by(),
        *text("platform", "role", "endpoint"),
        *text("state", "method", "sub_method", "family", "rule_id", "evidence"),
        sa.Column("llr", sa.Float, nullable=False),
        *text("rules_version", "measurement", "controls", "failures"),
    ]


def platform() -> Columns:
    """A verdict on a platform."""
    return [
        *text("country", "judged_at", "cycle"),
        *measured_by(),
        *text("platform", "state", "method", "sub_method", "rule_id", "evidence"),
        sa.Column("llr", sa.Float, nullable=False),
        *text("rules_version", "measurement", "started_at", "roles"),
    ]


def event() -> Columns:
    """An event, since revision 0004."""
    return [
        *text("country", "id", "kind", "platform", "vantage", "state", "scope", "evidence"),
        *maybe_text("onset_earliest"),
        *text("onset_latest", "detected_at"),
        *maybe_text("confirmed_at", "end_earliest", "end_latest"),
        *text("updated_at", "first_measurement", "rules_version"),
        *integer("reopened"),
        sa.Column("share_affected", sa.Float),
        *text("pattern", "roles", "methods", "networks"),
    ]


def health() -> Columns:
    """A vantage's health, as revision 0001 made it."""
    return [
        *text("country", "at", "cycle"),
        *measured_by(),
        *text("state", "rule_id"),
        *integer("references_ok", "references_total"),
        sa.Column("timeout_rate", sa.Float, nullable=False),
        *text("families"),
    ]


def clock_and_resolver() -> Columns:
    """What revision 0002 added to it."""
    return [
        sa.Column("clock_skew", sa.Float),
        sa.Column("stub_resolver", sa.Boolean, nullable=False),
    ]


def remake_health(
    old: Callable[[], Columns], added: Callable[[], Columns], values: Mapping[str, str]
) -> None:
    """Make both tables of health anew and move their rows over. `values` has, by column, the SQL of
    what these rows hold in the added ones; columns that it lacks stay NULL."""
    latest = ("cycle_started_at", "received_at")
    for table, more, key in (
        ("vantage_health", (), ("country", "at", "cycle", "vantage")),
        ("latest_health", latest, ("country", "vantage")),
    ):
        op.rename_table(table, "before")
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER TABLE before RENAME CONSTRAINT {table}_pk TO before_pk")
        op.create_table(
            table,
            *(*old(), *added(), *text(*more)),
            sa.PrimaryKeyConstraint(*key, name=f"{table}_pk"),
            postgresql_partition_by="RANGE (at)" if "at" in key else None,
        )
        kept = [*(column.name for column in old()), *more]
        op.execute(
            f"INSERT INTO {table} ({', '.join([*kept, *values])}) "  # noqa: S608 # names above
            f"SELECT {', '.join([*kept, *values.values()])} FROM before"
        )
        op.drop_table("before")
