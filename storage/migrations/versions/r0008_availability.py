"""Counts of verdicts by hour and by day, made up for what is stored already.

Cycles out of turn are not counted, and earlier releases did not store which those were. They looked
at fewer platforms than the cycles in turn of the same vantage, so they are left out by that.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.sql.columns import TEXT

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATES = ("ok", "degraded", "throttled", "blocked", "down", "insufficient")
_KEY = ("country", "platform", "starts_at", "asn", "network")

_IN_TURN = """
    SELECT c.country AS country, c.id AS id, c.vantage AS vantage
    FROM cycle AS c JOIN (
        SELECT country, vantage, substr(finished_at, 1, 13) AS hour,
               max(platform_count) AS platforms
        FROM cycle GROUP BY country, vantage, substr(finished_at, 1, 13)
    ) AS most ON most.country = c.country AND most.vantage = c.vantage
        AND most.hour = substr(c.finished_at, 1, 13)
    WHERE c.platform_count = most.platforms
"""


def _text(*names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _create(name: str, *more: sa.Column[Any]) -> None:
    op.create_table(
        name,
        *_text("country", "platform", "starts_at"),
        sa.Column("asn", sa.BigInteger, nullable=False),
        *_text("network"),
        *(sa.Column(state, sa.Integer, nullable=False) for state in _STATES),
        *more,
        sa.PrimaryKeyConstraint(*_KEY, name=f"{name}_pk"),
        sqlite_with_rowid=False,
    )


def upgrade() -> None:
    """Make both tables and count."""
    _create("availability_hour")
    _create("availability_day", sa.Column("hours", sa.Integer, nullable=False))
    counts = ", ".join(f"sum(CASE WHEN p.state = '{state}' THEN 1 ELSE 0 END)" for state in _STATES)
    op.execute(
        "INSERT INTO availability_hour "  # noqa: S608 # words of our own
        "SELECT p.country, p.platform, substr(p.judged_at, 1, 13) || ':00:00.000000Z', p.asn, "
        f"p.network, {counts} FROM platform_verdict AS p JOIN ({_IN_TURN}) AS c "
        "ON c.country = p.country AND c.id = p.cycle WHERE p.vantage_role = 'field' "
        "GROUP BY p.country, p.platform, substr(p.judged_at, 1, 13), p.asn, p.network"
    )
    sums = ", ".join(f"sum({state})" for state in _STATES)
    op.execute(
        "INSERT INTO availability_day "  # noqa: S608 # words of our own
        "SELECT country, platform, substr(starts_at, 1, 10) || 'T00:00:00.000000Z', asn, network, "
        f"{sums}, count(*) FROM availability_hour "
        "GROUP BY country, platform, substr(starts_at, 1, 10), asn, network"
    )
