"""Parquet files from the store: the columns of the CSV files, with types.

Texts are the same as in CSV, with apostrophes before formulas, so that a spreadsheet made of the
file is as safe. pyarrow is loaded only here, and only when a Parquet file is written.
"""

import asyncio
import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO

from monitor.export.cells import Value, text_cell
from monitor.export.columns import FRACTIONS, Column
from monitor.export.kinds import EXPORTS, Kind
from monitor.wording.missing_library import install_command
from storage.store import Store
from storage.values.selection import Selection

GROUP_ROWS = 20_000
"""Default number of rows in a row group, which is in memory as a whole."""
GROUP_CHARACTERS = 16_000_000
"""A row group ends early when its texts exceed this."""


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
    """Write the selected rows to `out`, `group_rows` at a time; returns how many rows.

    MissingExtraError without pyarrow. ValueError for an unknown kind, and for a recomputation of
    what is never recomputed; StorageError from the store; OSError from `out`.
    """
    export = EXPORTS[Kind(kind)]
    found = export.rows(store, selection, rejudging)
    group = _RowGroups(export.columns, out, group_rows)
    count = 0
    try:
        async for batch in found:
            rows = [export.prepare(value) for value in batch]
            # In a thread: compressing must not delay other tasks of this process.
            await asyncio.to_thread(group.add, rows)
            count += len(rows)
    except BaseException:
        group.abandon()
        raise
    await asyncio.to_thread(group.finish)
    return count


class _RowGroups:
    """Collects rows and writes them a group at a time."""

    def __init__(self, columns: tuple[Column[Any], ...], out: BinaryIO, rows: int) -> None:
        arrow, parquet = _arrow()
        self._rows = rows
        self._arrow = arrow
        self._columns = columns
        self._converters = [_converter(column) for column in columns]
        self._schema = arrow.schema([(column.name, _type(arrow, column)) for column in columns])
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd")
        self._begin()

    def _begin(self) -> None:
        self._cells: list[list[Any]] = [[] for _ in self._columns]
        self._characters = 0

    def add(self, rows: Iterable[Any]) -> None:
        for row in rows:
            for cells, column, convert in zip(
                self._cells, self._columns, self._converters, strict=True
            ):
                value = column.value(row)
                cells.append(None if value is None else convert(value))
                if isinstance(value, str):
                    self._characters += len(value)
            if len(self._cells[0]) >= self._rows or self._characters >= GROUP_CHARACTERS:
                self._flush()

    def _flush(self) -> None:
        arrays = [
            self._arrow.array(cells, type=field.type)
            for cells, field in zip(self._cells, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.table(arrays, schema=self._schema))
        self._begin()

    def finish(self) -> None:
        """Write the last rows and the end of the file."""
        if self._cells[0]:
            self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close a file that is not whole."""
        self._writer.close()


def _arrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingExtraError(
            f"Parquet needs pyarrow ({error}): {install_command('parquet')}"
        ) from error


def _type(arrow: Any, column: Column[Any]) -> Any:
    """The type of a column, by its unit as documented."""
    match column.unit:
        case "UTC time":
            return arrow.timestamp("us", tz="UTC")
        case "yes or no":
            return arrow.bool_()
        case "ms":
            return arrow.float64()
        case "number" if column.name in FRACTIONS:
            return arrow.float64()
        case "number" | "bytes":
            return arrow.int64()
        case "list" | "names":
            return arrow.list_(arrow.string())
        case _:
            return arrow.string()


def _converter(column: Column[Any]) -> Callable[[Value], Any]:
    match column.unit:
        case "list":
            return lambda value: _texts(str(value).split())
        case "names":
            return lambda value: _texts([name for name in str(value).split(" | ") if name])
        case "UTC time" | "yes or no" | "number" | "bytes" | "ms":
            return lambda value: value
        case _:
            return lambda value: text_cell(str(value))


def _texts(parts: Sequence[str]) -> list[str]:
    return [text_cell(part) for part in parts]
