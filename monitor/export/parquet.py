"""Parquet files from the store: the columns of the CSV files, with types.

Texts are the same as in CSV, with apostrophes before formulas, so that a spreadsheet made of the
file is as safe. DuckDB is loaded only when a Parquet file is written.
"""

import asyncio
import importlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from monitor.export.cells import Value, items, text_cell
from monitor.export.columns import FRACTIONS, Column
from monitor.export.kinds import EXPORTS, Kind
from monitor.wording.missing_library import install_command
from storage.archive.engine import DuckDB, insert, text_of
from storage.store import Store
from storage.values.selection import Selection

GROUP_ROWS = 20_000
"""Default number of rows in a row group, which readers have in memory as a whole."""
GROUP_BYTES = 16_000_000
"""A row group ends early when it is larger."""
_MEMORY = "256MB"
"""What DuckDB may hold before it uses the disk."""


class MissingExtraError(Exception):
    """A library is not installed; the message says how to install it."""


async def write_parquet(
    kind: Kind | str,
    store: Store,
    selection: Selection,
    out: BinaryIO,
    *,
    rejudging: str = "",
    group_rows: int = GROUP_ROWS,
) -> int:
    """Write the selected rows to `out`, in groups of about `group_rows`; returns how many rows.

    MissingExtraError without DuckDB. ValueError for an unknown kind, and for a recomputation of
    what is never recomputed; StorageError from the store and from DuckDB; OSError from `out`.
    """
    export = EXPORTS[Kind(kind)]
    found = export.rows(store, selection, rejudging)
    table = await asyncio.to_thread(_Table, export.columns)
    count = 0
    try:
        async for batch in found:
            rows = [export.prepare(value) for value in batch]
            # In a thread: it must not delay other tasks of this process.
            await asyncio.to_thread(table.add, rows)
            count += len(rows)
        await asyncio.to_thread(table.write, out, group_rows)
    finally:
        await asyncio.to_thread(table.close)
    return count


class _Table:
    """Rows in DuckDB, until all are there. Its methods block."""

    def __init__(self, columns: tuple[Column[Any], ...]) -> None:
        try:
            importlib.import_module("duckdb")
        except ImportError as error:
            raise MissingExtraError(
                f"Parquet needs duckdb ({error}): {install_command('parquet')}"
            ) from error
        self._cells = [(column.value, _converter(column)) for column in columns]
        self._kinds = [_kind(column) for column in columns]
        self._duckdb = DuckDB(
            "the Parquet file",
            memory_limit=_MEMORY,
            # One thread keeps the order. DuckDB itself keeps it only in groups of any size.
            threads=1,
            # Else a column without gaps gets another type than the same one in another file.
            disabled_optimizers="statistics_propagation",
        )
        described = ", ".join(
            f'"{column.name}" {kind}' for column, kind in zip(columns, self._kinds, strict=True)
        )
        with self._duckdb.cursor() as cursor:
            cursor.execute(f"CREATE TABLE given ({described})")

    def add(self, rows: Sequence[Any]) -> None:
        """More rows."""
        columns = [
            [None if (value := of(row)) is None else convert(value) for row in rows]
            for of, convert in self._cells
        ]
        with self._duckdb.cursor() as cursor:
            insert(cursor, "given", self._kinds, columns)

    def write(self, out: BinaryIO, group_rows: int) -> None:
        """The Parquet file of all rows."""
        made = self._duckdb.folder / "made.parquet"
        with self._duckdb.cursor() as cursor:
            cursor.execute(
                f"COPY given TO {text_of(made)} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group_rows}, "
                f"ROW_GROUP_SIZE_BYTES {GROUP_BYTES})"
            )
        with made.open("rb") as whole:
            shutil.copyfileobj(whole, out)

    def close(self) -> None:
        """Remove what was collected."""
        self._duckdb.close()


def _kind(column: Column[Any]) -> str:
    """DuckDB's type of a column, by its unit as documented."""
    match column.unit:
        case "UTC time":
            return "TIMESTAMPTZ"
        case "yes or no":
            return "BOOLEAN"
        case "ms":
            return "DOUBLE"
        case "number" if column.name in FRACTIONS:
            return "DOUBLE"
        case "number" | "bytes":
            return "BIGINT"
        case "list" | "names":
            return "VARCHAR[]"
        case _:
            return "VARCHAR"


def _converter(column: Column[Any]) -> Callable[[Value], Any]:
    match column.unit:
        case "list" | "names" as unit:
            return lambda value: [text_cell(item) for item in items(unit, value)]
        case "UTC time" | "yes or no" | "number" | "bytes" | "ms":
            return lambda value: value
        case _:
            return lambda value: text_cell(str(value))
