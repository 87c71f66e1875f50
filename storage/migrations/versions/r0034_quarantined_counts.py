"""What vantages in quarantine decided is counted as insufficient.

Earlier releases counted it by its state. Verdicts that were deleted since stay counted so.
"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_DECIDED = {
    "ok": "'ok'",
    "degraded": "'degraded', 'partial'",
    "throttled": "'throttled'",
    "blocked": "'blocked'",
    "down": "'down'",
}
_TABLES = {
    "availability_hour": "substr(p.judged_at, 1, 13) || ':00:00.000000Z'",
    "availability_day": "substr(p.judged_at, 1, 10) || 'T00:00:00.000000Z'",
}


def upgrade() -> None:
    """Move the counts of quarantines that there are."""
    numbers = ", ".join(
        f"sum(CASE WHEN p.state IN ({states}) THEN 1 ELSE 0 END) AS {name}"
        for name, states in _DECIDED.items()
    )
    taken = ", ".join(f"{name} = t.{name} - held.{name}" for name in _DECIDED)
    given = " + ".join(f"held.{name}" for name in _DECIDED)
    for table, start in _TABLES.items():
        op.execute(
            f"UPDATE {table} AS t SET {taken}, insufficient = t.insufficient + {given} FROM ("  # noqa: S608 # words of our own
            f"SELECT p.country, p.platform, {start} AS starts_at, p.asn, p.network, {numbers} "
            "FROM quarantine AS q JOIN platform_verdict AS p "
            "ON p.vantage = q.vantage AND p.country IN "
            "(SELECT h.country FROM latest_health AS h WHERE h.vantage = q.vantage) "
            "AND (q.since IS NULL OR p.started_at >= q.since) "
            "AND (q.until IS NULL OR p.started_at < q.until) "
            "JOIN cycle AS c ON c.country = p.country AND c.id = p.cycle "
            "WHERE p.vantage_role = 'field' AND NOT c.hurried "
            f"GROUP BY p.country, p.platform, {start}, p.asn, p.network) AS held "
            "WHERE t.country = held.country AND t.platform = held.platform "
            "AND t.starts_at = held.starts_at AND t.asn = held.asn AND t.network = held.network"
        )
