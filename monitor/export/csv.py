"""CSV files from the store: UTF-8, RFC 4180, one batch in memory at a time.

What piles up is read as it is stored (`monitor.export.lines`). The rest comes as values, as does
what whoever writes it has in hand.
"""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, TextIO, cast

from monitor.export.cells import Value, cell
from monitor.export.columns import Column
from monitor.export.kinds import EXPORTS, batches
from monitor.export.kinds import Kind as Kind
from monitor.export.kinds import columns as columns
from monitor.export.lines import Plan
from storage.export.cells import Listed, rows_in
from storage.store import Selection, Store

_NO_NUMBERS = frozenset({"text", "hex", "UTC time", "list", "names"})
"""Units of columns that hold texts and times."""


class File(NamedTuple):
    """A file as it comes."""

    batches: AsyncGenerator[Any, None]
    lines: Callable[[Any], list[bytes]]
    """Makes lines of a batch, in pieces; takes long enough to be done in another thread."""
    count: Callable[[Any], int]
    """How many lines a batch makes."""


def file_of_rows(
    kind: Listed,
    columns: Sequence[Column[Any]],
    store: Store,
    selection: Selection,
    *,
    rejudging: str = "",
    hidden: Collection[str] = (),
) -> File:
    """What is selected, as it is stored; `hidden` columns stay empty."""
    plan = Plan(kind, columns, hidden)
    found = store.rows(kind, plan.groups, selection, rejudging)
    return File(cast("AsyncGenerator[Any, None]", found), plan.lines, rows_in)


def file_of_values(
    columns: Sequence[Column[Any]],
    values: AsyncIterator[Sequence[Any]],
    prepare: Callable[[Any], Any],
    *,
    hidden: Collection[str] = (),
) -> File:
    """What a store listed; `prepare` makes what the columns read."""

    def lines(batch: Sequence[Any]) -> list[bytes]:
        return [value_lines(columns, map(prepare, batch), hidden).encode()]

    return File(cast("AsyncGenerator[Any, None]", values), lines, len)


async def write_csv(
    kind: Kind | str, store: Store, selection: Selection, out: TextIO, *, rejudging: str = ""
) -> int:
    """Write a header and the selected rows to `out`; returns how many rows.

    With `rejudging` the results of the recomputation of that id, in place of the first ones;
    ValueError for a kind that is never recomputed.

    `out` must be UTF-8 and opened with `newline=""`, or the line ends may be changed. ValueError
    for an unknown kind; StorageError from the store; OSError from `out` goes to the caller.
    """
    export = EXPORTS[Kind(kind)]
    found = batches(kind, store, selection, rejudging)
    file = (
        file_of_values(export.columns, found, export.prepare)
        if export.listed is None
        else file_of_rows(export.listed, export.columns, store, selection, rejudging=rejudging)
    )

    def write(batch: Any) -> None:
        for piece in file.lines(batch):
            out.write(piece.decode())

    out.write(header(export.columns))
    count = 0
    async for batch in file.batches:
        # In a thread: a slow disk or pipe must not hold up whatever else this process does.
        await asyncio.to_thread(write, batch)
        count += file.count(batch)
    return count


def header(columns: Sequence[Column[Any]]) -> str:
    """The first line of a file."""
    return _written([[column.name for column in columns]])


def value_lines(
    columns: Sequence[Column[Any]], values: Iterable[Any], hidden: Collection[str] = ()
) -> str:
    """A line for each value; `hidden` columns stay empty."""
    # A column at a time: in most of them a few words come over and over.
    listed = list(values)
    return _written(zip(*(_cells(c, listed, c.name in hidden) for c in columns), strict=True))


class _Texts(dict[Value, str]):
    """Cells of one column of one batch, each worked out once."""

    def __missing__(self, value: Value) -> str:
        text = self[value] = cell(value)
        return text


def _cells(column: Column[Any], values: Sequence[Any], hide: bool) -> Iterable[str]:
    if hide:
        return [""] * len(values)
    found = map(column.value, values)
    # Numbers that are equal need not look alike: 1, 1.0 and true, 0.0 and -0.0.
    repeated = column.unit in _NO_NUMBERS
    return map(_Texts().__getitem__ if repeated else cell, found)


def _written(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
