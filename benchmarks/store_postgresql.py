"""Months of rows in PostgreSQL: a server of its own in a temporary folder, filled by itself."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import create_engine

from benchmarks import store_rows
from storage.postgresql import partitions
from tests.worlds.postgresql import Cluster

_SETTINGS = ("shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min")
MADE = store_rows.made(
    eight="lpad(to_hex(i.number * 400 + t.number), 8, '0')",
    six="lpad(i.number::text, 6, '0')",
    twelve="lpad((i.number * 400 + t.number)::text, 12, '0')",
)

Connection = psycopg.Connection[Any]


@contextmanager
def server() -> Iterator[Cluster]:
    """A server with nothing in it; gone afterwards, with all there was."""
    made = Cluster(settings=_SETTINGS)
    try:
        made.start()
        yield made
    finally:
        made.remove()


def fill(url: str, conninfo: str, measurements: int, verdicts: int) -> float:
    """Fill a database that has the store's tables; returns the seconds it took."""
    begun = time.monotonic()
    with psycopg.connect(conninfo) as connection:
        for lot, rows in zip(store_rows.lots(), (measurements, verdicts), strict=True):
            _make_months(url, lot[0], -(-rows // store_rows.PER_CYCLE))
            _multiply(connection, *lot, rows)
        for table, names, cells in store_rows.rest():
            _insert(connection, table, names, cells)
        connection.execute(store_rows.DAYS_OF_HOURS.encode())
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
    return time.monotonic() - begun


def _make_months(url: str, table: str, intervals: int) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    months = {store_rows.minute(intervals - n)[:7] for n in range(intervals)}
    with engine.begin() as connection:
        partitions.ensure(connection, table, months)
    engine.dispose()


def _multiply(
    connection: Connection,
    table: str,
    names: Sequence[str],
    templates: Iterable[Sequence[Any]],
    rows: int,
) -> None:
    """Fill a table with every template once in each interval, oldest interval first."""
    numbered = [
        (number, store_rows.seconds(number), *cells) for number, cells in enumerate(templates)
    ]
    intervals = -(-rows // len(numbered))
    columns = ", ".join(names)
    execute = connection.execute
    execute(
        f"CREATE TEMP TABLE template AS SELECT 0::bigint AS number, '' AS seconds, {columns} "  # noqa: S608 # our own words
        f"FROM {table} LIMIT 0".encode()
    )
    _insert(connection, "template", ("number", "seconds", *names), numbered)
    execute("CREATE TEMP TABLE minutes (number bigint PRIMARY KEY, minute text)")
    minutes = [(n, store_rows.minute(intervals - n)) for n in range(intervals)]
    _insert(connection, "minutes", ("number", "minute"), minutes)
    cells = ", ".join(MADE.get(name, f"t.{name}") for name in names)
    execute(
        f"INSERT INTO {table} ({columns}) SELECT {cells} "  # noqa: S608 # our own words
        "FROM minutes AS i CROSS JOIN template AS t ORDER BY i.number, t.number".encode()
    )
    execute("DROP TABLE template, minutes")
    connection.commit()


def _insert(
    connection: Connection, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    statement = f"COPY {table} ({', '.join(names)}) FROM STDIN".encode()
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
