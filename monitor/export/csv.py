"""CSV files from the store: UTF-8, RFC 4180, one batch in memory at a time.

Rows that pile up are made of stored cells (`monitor.export.stored_columns`), the others of values.
The standard library's `csv.writer` writes both.
"""

import asyncio
import csv
import io
from collections.abc import (
    AsyncGenerator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, TextIO, cast

import msgspec

from monitor.export.cells import Value, cell
from monitor.export.columns import Column
from monitor.export.for_people import LOCAL, Reader, export_for
from monitor.export.kinds import EXPORTS, Export
from monitor.export.kinds import Kind as Kind
from monitor.export.kinds import columns as columns
from monitor.export.stored_columns import STORED, Stored
from storage.store import StorageError, Store
from storage.values.selection import Selection
from storage.values.times import text_time

_NOT_NUMBERS = frozenset({"text", "hex", "UTC time", "list", "names", "yes or no"})
"""Units of columns in which equal values look alike. Numbers need not: 1 and 1.0, 0.0 and -0.0."""


class File(NamedTuple):
    """A file that is read and made batch by batch."""

    batches: AsyncGenerator[Sequence[Any], None]
    lines: Callable[[Sequence[Any]], str]
    """Makes a line of each row of a batch. It takes long enough to be called in another thread.
    StorageError for a row that this version cannot read."""


def file_of(
    export: Export,
    store: Store,
    selection: Selection,
    *,
    rejudging: str = "",
) -> File:
    """A file of one kind, of stored cells where it can be.

    With `rejudging` the results of the recomputation of that id, in place of the first ones;
    ValueError for what is never recomputed.
    """
    columns = export.columns
    values = export.rows(store, selection, rejudging)
    if export.stored is None:
        return File(
            cast("AsyncGenerator[Sequence[Any], None]", values),
            lambda batch: value_lines(columns, map(export.prepare, batch)),
        )
    stored = STORED[export.stored]
    sources = [
        _changed(stored.get(column.name, Stored((column.name,))), column) for column in columns
    ]
    names = tuple(dict.fromkeys(name for source in sources for name in source.of))

    def lines(batch: Sequence[Any]) -> str:
        # A column at a time: in most columns a few values repeat.
        cells = dict(zip(names, zip(*batch, strict=True), strict=False))
        made = (
            _stored_cells(column, source, cells, len(batch))
            for column, source in zip(columns, sources, strict=True)
        )
        try:
            return _written(zip(*made, strict=True))
        except ValueError as error:
            raise StorageError(f"there is a row this version cannot read: {error}") from error

    found = store.rows(export.stored, names, selection, rejudging)
    return File(cast("AsyncGenerator[Sequence[Any], None]", found), lines)


async def write_csv(
    kind: Kind | str, store: Store, selection: Selection, out: TextIO, *, rejudging: str = ""
) -> int:
    """Write a header and the selected rows to `out`; returns how many rows.

    `rejudging` is as in `file_of`. `out` must be UTF-8 and opened with `newline=""`, or the line
    ends may be changed. ValueError for an unknown kind; StorageError from the store; OSError from
    `out` goes to the caller.
    """
    return await write_export(EXPORTS[Kind(kind)], store, selection, out, rejudging=rejudging)


async def write_csv_for_people(
    kind: Kind,
    store: Store,
    selection: Selection,
    out: TextIO,
    *,
    reader: Reader,
    rejudging: str = "",
) -> int:
    """As `write_csv`, for a spreadsheet: with the columns that people read, and the mark by which
    spreadsheets know UTF-8."""
    out.write("\ufeff")
    export = export_for(kind, reader)
    columns = tuple(
        msgspec.structs.replace(column, value=partial(_clock, column.value))
        if column.unit == LOCAL
        else column
        for column in export.columns
    )
    shown = msgspec.structs.replace(export, columns=columns)
    return await write_export(shown, store, selection, out, rejudging=rejudging)


def _clock(local: Callable[[Any], Value], row: Any) -> Value:
    """A local time as spreadsheets read one."""
    moment = local(row)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if isinstance(moment, datetime) else moment


async def write_export(
    export: Export, store: Store, selection: Selection, out: TextIO, *, rejudging: str = ""
) -> int:
    """Write the rows of any export, as `write_csv` does."""
    file = file_of(export, store, selection, rejudging=rejudging)

    def write(batch: Sequence[Any]) -> None:
        out.write(file.lines(batch))

    out.write(header(export.columns))
    count = 0
    async for batch in file.batches:
        # In a thread: a slow disk or pipe must not delay other tasks of this process.
        await asyncio.to_thread(write, batch)
        count += len(batch)
    return count


def header(columns: Sequence[Column[Any]]) -> str:
    """The first line of a file."""
    return _written([[column.name for column in columns]])


def value_lines(columns: Sequence[Column[Any]], values: Iterable[Any]) -> str:
    """A line for each value."""
    listed = list(values)
    return _written(zip(*(_cells(column, listed) for column in columns), strict=True))


class _Cells(dict[Any, str]):
    """Cells of one column of one batch by what they are made of, each made once."""

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> str:
        text = self[key] = self._make(key)
        return text


def _cells(column: Column[Any], values: Sequence[Any]) -> Iterable[str]:
    make = _Cells(cell).__getitem__ if column.unit in _NOT_NUMBERS else cell
    return map(make, map(column.value, values))


def _changed(source: Stored, column: Column[Any]) -> Stored:
    """With the column's change."""
    change, value = column.change, source.value
    if change is None:
        return source

    def changed(*cells: Any) -> Value:
        if value is not None:
            return change(value(*cells))
        (one,) = cells
        return change(text_time(one) if one and column.unit == "UTC time" else one)

    return Stored(source.of, changed)


def _stored_cells(
    column: Column[Any], source: Stored, cells: Mapping[str, Sequence[Any]], rows: int
) -> Iterable[Any]:
    of, value = [cells[name] for name in source.of], source.value
    if value is None:
        # `csv.writer` writes a plain number as `cell` does.
        return map(_Cells(cell).__getitem__, of[0]) if column.unit in _NOT_NUMBERS else of[0]
    if not of:
        return repeat(cell(value()), rows)
    if len(of) > 1:
        make = _Cells(lambda several: cell(value(*several))).__getitem__
        return map(make, zip(*of, strict=True))
    if column.unit in _NOT_NUMBERS:
        return map(_Cells(lambda one: cell(value(one))).__getitem__, of[0])
    return map(cell, map(value, of[0]))


def _written(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
