"""Rows that DuckDB is given come back cell by cell as they were."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from storage.archive.engine import DuckDB, insert
from storage.store import StorageError

CELLS: dict[str, list[Any]] = {
    "VARCHAR": [
        *("", "null", "NULL", "\0", "a\0b", "\\u0000", "\x01\x1f\x7f\x85", "\r\n", "\u2028\u2029"),
        *("'\"", "\\", "\ufeff\ufffe\uffff", "\U0001f600e\u0301", "\u202e", "1.0", '{"a": [1]}'),
        *("2026-01-01", "x" * 20_000_000, None),
    ],
    "BIGINT": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), None],
    "INTEGER": [2**31 - 1, -(2**31), None],
    "BOOLEAN": [True, False, None],
    "DOUBLE": [
        *(0.1, -0.0, 1e22, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, None)
    ],
    "BLOB": [b"", b"\0", bytes(range(256)), b"\xff" * 3_000_000, None],
    "VARCHAR[]": [[], [""], ["a b", "\0", "|"], None],
}


@pytest.fixture
def cursor() -> Iterator[Any]:
    """Of an empty engine."""
    duckdb = DuckDB()
    with duckdb.cursor() as made:
        yield made
    duckdb.close()


def _through(cursor: Any, kind: str, cells: list[Any], read: str = "cell") -> list[Any]:
    cursor.execute(f"CREATE OR REPLACE TABLE given (number BIGINT, cell {kind})")
    insert(cursor, "given", ["BIGINT", kind], [[*range(len(cells))], cells])
    found = cursor.execute(f"SELECT {read} FROM given ORDER BY number").fetchall()  # noqa: S608 # a word of our own
    return [row[0] for row in found]


@pytest.mark.parametrize("kind", CELLS)
def test_cells_come_back_as_they_were(cursor: Any, kind: str) -> None:
    """Odd characters and numbers, and nothing beside what is empty."""
    found = _through(cursor, kind, CELLS[kind])
    # Compared as text: NaN equals nothing, and -0.0 equals 0.0.
    assert [*map(repr, found)] == [*map(repr, CELLS[kind])]
    assert _through(cursor, kind, []) == []
    assert _through(cursor, kind, [None, None]) == [None, None]


def test_sqlite_has_no_booleans(cursor: Any) -> None:
    """Its 0 and 1 become what they mean; a whole number may be in a column of fractions."""
    assert _through(cursor, "BOOLEAN", [0, 1, None]) == [False, True, None]
    assert _through(cursor, "DOUBLE", [1, 2**53]) == [1.0, 2.0**53]


def test_times_keep_their_microseconds(cursor: Any) -> None:
    """In any zone, and at both ends of what Python has."""
    times = [
        datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ]
    found = _through(cursor, "TIMESTAMPTZ", [*times, None], "epoch_us(cell)")
    since = datetime(1970, 1, 1, tzinfo=UTC)
    assert found == [*((one - since) // timedelta(microseconds=1) for one in times), None]


@pytest.mark.parametrize(
    ("kind", "cell"), [("BIGINT", 2**63), ("BIGINT", "x"), ("INTEGER", 2**31), ("BIGINT", 2**80)]
)
def test_what_does_not_fit_is_an_error(kind: str, cell: Any) -> None:
    """Never another number, nor an empty cell."""
    duckdb = DuckDB()
    with pytest.raises(StorageError), duckdb.cursor() as cursor:
        _through(cursor, kind, [cell])
    duckdb.close()


def test_half_a_character_is_an_error(cursor: Any) -> None:
    """Never a sign in its place: UTF-8 has no lone surrogates."""
    with pytest.raises(UnicodeEncodeError):
        _through(cursor, "VARCHAR", ["a\ud800"])


def test_tables_beyond_memory_go_to_the_folder() -> None:
    """And the folder is removed in the end."""
    duckdb = DuckDB(memory_limit="64MB")
    text = "".join(map(chr, range(1000, 2000)))
    with duckdb.cursor() as cursor:
        cursor.execute("CREATE TABLE given (number BIGINT, cell VARCHAR)")
        for start in range(0, 60_000, 2000):
            numbers = [*range(start, start + 2000)]
            texts = [text[one % 997 :] + str(one) for one in numbers]
            insert(cursor, "given", ["BIGINT", "VARCHAR"], [numbers, texts])
        assert any(duckdb.folder.iterdir())
        assert duckdb.folder.stat().st_mode & 0o777 == 0o700
        found = cursor.execute("SELECT count(*), min(length(cell)) FROM given").fetchall()
    assert found == [(60_000, 7)]
    duckdb.close()
    assert not duckdb.folder.exists()


def test_no_other_library_is_needed() -> None:
    """DuckDB alone takes rows: Arrow, pandas and numpy are ten times as large."""
    code = """
import json, sys
for name in ("numpy", "pandas", "pyarrow", "pytz"):
    sys.modules[name] = None
from storage.archive.engine import DuckDB, insert
with DuckDB().cursor() as cursor:
    cursor.execute("CREATE TABLE given (a BIGINT, b DOUBLE, c VARCHAR)")
    insert(cursor, "given", ["BIGINT", "DOUBLE", "VARCHAR"], [[1, 2], [0.5, None], ["a", "b"]])
    print(json.dumps(cursor.execute("SELECT * FROM given ORDER BY a").fetchall()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[1, 0.5, "a"], [2, None, "b"]]
