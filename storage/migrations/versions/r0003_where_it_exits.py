"""What a vantage's health says about NAT64 and about where its packets come out."""

import sqlalchemy as sa

from storage.migrations.tables import Columns, clock_and_resolver, health, remake_health, text

revision = "0003"
down_revision = "0002"


def _known() -> Columns:
    return [*health(), *clock_and_resolver()]


def _added() -> Columns:
    return [
        *text("nat64", "exit_country"),
        sa.Column("exit_asn", sa.BigInteger, nullable=False),
    ]


def upgrade() -> None:
    """Both tables of health."""
    unknown = {"nat64": "'[]'", "exit_country": "''", "exit_asn": "0"}
    remake_health(_known, _added, unknown)
