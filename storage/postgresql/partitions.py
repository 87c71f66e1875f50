"""Partitions by month on PostgreSQL: made ahead, and dropped as a whole.

A month that does not exist yet (old data is imported) is made when its first row comes, in the same
transaction. Rows of a wrong clock, with times too far away, go to the partition for other times,
so that no row is refused. When their month is made one day, they move there.

To make or drop a partition takes a lock under which nobody can read, for a moment. The wait for it
is short, and is tried again later, so that readers notice nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from storage.values.steady_clock import utc_now

TIMES = {
    "verdict": "judged_at",
    "platform_verdict": "judged_at",
    "measurement": "started_at",
    "vantage_health": "at",
}
"""The partitioned tables, and the time of each. `cycle` is small and is not partitioned: its key,
which identifies what arrived before, has no time in it."""

AHEAD = 3
"""Months made before they begin, besides the current one."""
_BACK = 12 * 12
"""How many months back a partition is made when a row needs it."""
_OTHER = "other"
_KNOWN = "months"
_MAKING = 0x73687574_6D6F6E74
"""The advisory lock for making partitions."""
_PATIENCE = "200ms"
"""How long a change of partitions waits for readers and writers, and they for it."""


def month_of(moment: str) -> str:
    """The month of a time as `time_text` gives it: `2026-11`."""
    return moment[:7]


def months_ahead(now: datetime | None = None) -> list[str]:
    """The current month and those to make ahead."""
    first = _number(now or utc_now())
    return [_month(number) for number in range(first, first + AHEAD + 1)]


def ensure(connection: Connection, table: str, months: Iterable[str]) -> None:
    """Make the partitions that rows of these months need; the caller holds the transaction.

    When another program is in the way (`pg_dump` reads for hours), this does not wait: the rows go
    to the partition for other times, and move to their month when it is made later.
    """
    known: dict[str, set[str]] = connection.info.setdefault(_KNOWN, {})
    if table not in known:
        known[table] = _partitions(connection, table)
    missing = set(months) - known[table]
    if missing or _OTHER not in known[table]:
        now = _number(utc_now())
        near = {_month(number) for number in range(now - _BACK, now + AHEAD + 1)}
        _make_all(connection, table, sorted(missing & near))
        # This connection does not try again what could not be made, or is too far away.
        known[table] |= {_OTHER, *missing}


def _make_all(connection: Connection, table: str, months: Sequence[str]) -> None:
    patience = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MAKING})
            # Another process may have made them meanwhile.
            there = _partitions(connection, table)
            if _OTHER not in there:
                other = f"{table}_{_OTHER}"
                connection.exec_driver_sql(f"CREATE TABLE {other} PARTITION OF {table} DEFAULT")
            for month in months:
                if month not in there:
                    _make(connection, table, month)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{patience}'")
    except DBAPIError as error:
        if not is_locked(error):
            raise


def is_locked(error: DBAPIError) -> bool:
    """Whether a lock did not come free in time."""
    return getattr(error.orig, "sqlstate", None) == "55P03"


def make_ahead(engine: Engine, tables: Collection[str] = tuple(TIMES)) -> None:
    """Make the partitions of the coming months, one table at a time."""
    for table in tables:
        with engine.begin() as connection:
            forget(connection)
            ensure(connection, table, months_ahead())


def forget(connection: Connection) -> None:
    """A partition made in a transaction is gone when that is rolled back."""
    connection.info.pop(_KNOWN, None)


def oldest_before(engine: Engine, table: str, before: str) -> tuple[str, int] | None:
    """The oldest month that ended by `before` (as `time_text` gives it), and its number of rows."""
    with engine.connect() as connection:
        months = sorted(_partitions(connection, table) - {_OTHER})
        if not months or _bounds(months[0])[1] > before:
            return None
        rows = connection.exec_driver_sql(f"SELECT count(*) FROM {_name(table, months[0])}")  # noqa: S608 # our own name
        return months[0], rows.scalar_one()


def drop(connection: Connection, table: str, month: str) -> None:
    """Drop a month, unless another program is in the way for longer than a moment; the caller holds
    the transaction."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_name(table, month)}")
    forget(connection)


def drop_empty(engine: Engine, table: str, before: str) -> None:
    """Drop the months that ended by `before` and have no rows left. One that another program uses
    stays until the next time."""
    with engine.connect() as connection:
        months = sorted(_partitions(connection, table) - {_OTHER})
    for month in months:
        if _bounds(month)[1] > before:
            return
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
                name = _name(table, month)
                # Under this lock no late row comes in between.
                connection.exec_driver_sql(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
                left = connection.exec_driver_sql(f"SELECT EXISTS (SELECT 1 FROM {name})")  # noqa: S608 # our own name
                if not left.scalar_one():
                    drop(connection, table, month)
        except DBAPIError as error:
            if not is_locked(error):
                raise


def _partitions(connection: Connection, table: str) -> set[str]:
    names = connection.execute(
        text(
            "SELECT part.relname FROM pg_inherits "
            "JOIN pg_class AS part ON part.oid = inhrelid "
            "WHERE inhparent = to_regclass(:table)"
        ),
        {"table": table},
    ).scalars()
    return {name.removeprefix(f"{table}_").replace("_", "-") for name in names}


def _make(connection: Connection, table: str, month: str) -> None:
    name, time = _name(table, month), TIMES[table]
    first, end = _bounds(month)
    # Attached, not created as a partition: that would lock the whole table.
    connection.exec_driver_sql(
        f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)"
    )
    connection.exec_driver_sql(
        f"WITH moved AS (DELETE FROM {table}_{_OTHER} "  # noqa: S608 # words of our own
        f"WHERE {time} >= '{first}' AND {time} < '{end}' RETURNING *) "
        f"INSERT INTO {name} SELECT * FROM moved"
    )
    connection.exec_driver_sql(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')"
    )


def _name(table: str, month: str) -> str:
    return f"{table}_{month.replace('-', '_')}"


def _bounds(month: str) -> tuple[str, str]:
    """Both as the first characters of times: longer text sorts after them."""
    year, number = map(int, month.split("-"))
    return month, _month(year * 12 + number)


def _number(moment: datetime) -> int:
    """Months since the year 0, from 0."""
    return moment.year * 12 + moment.month - 1


def _month(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"
