"""Months of rows in an SQLite file, as fast as SQLite takes them."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from benchmarks import store_rows

MADE = store_rows.made(
    eight="printf('%08x', i.number * 400 + t.number)",
    six="printf('%06d', i.number)",
    twelve="printf('%012d', i.number * 400 + t.number)",
)
_BATCH = 100
"""Intervals in one transaction."""


def fill(file: str, measurements: int, verdicts: int) -> float:
    """Fill a file that has the store's tables; returns the seconds it took."""
    begun = time.monotonic()
    with closing(sqlite3.connect(file)) as database:
        # A power cut would cost a file that can be made again.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -200000")
        for lot, rows in zip(store_rows.lots(), (measurements, verdicts), strict=True):
            _multiply(database, *lot, rows)
        with database:
            for table, names, cells in store_rows.rest():
                _insert(database, table, names, cells)
            database.execute(store_rows.DAYS_OF_HOURS)
    return time.monotonic() - begun


def _multiply(
    database: sqlite3.Connection,
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
    database.execute("DROP TABLE IF EXISTS temp.template")
    database.execute("DROP TABLE IF EXISTS temp.interval")
    database.execute(f"CREATE TEMP TABLE template (number, seconds, {', '.join(names)})")
    _insert(database, "template", ("number", "seconds", *names), numbered)
    database.execute("CREATE TEMP TABLE interval (number INTEGER PRIMARY KEY, minute)")
    minutes = [(n, store_rows.minute(intervals - n)) for n in range(intervals)]
    _insert(database, "interval", ("number", "minute"), minutes)
    cells = ", ".join(MADE.get(name, f"t.{name}") for name in names)
    for first in range(0, intervals, _BATCH):
        with database:
            database.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {cells} "  # noqa: S608 # our own words
                "FROM interval AS i CROSS JOIN template AS t WHERE i.number BETWEEN ? AND ?",
                (first, first + _BATCH - 1),
            )


def _insert(
    database: sqlite3.Connection,
    table: str,
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    marks = ", ".join("?" * len(names))
    database.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608 # our own words
