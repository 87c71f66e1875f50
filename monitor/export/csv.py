"""CSV files from the store: UTF-8, RFC 4180, one batch in memory at a time."""

import asyncio
import csv
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Any, TextIO

import msgspec

from monitor.export.cells import cell
from monitor.export.columns import EVENT_COLUMNS, MEASUREMENT_COLUMNS, VERDICT_COLUMNS, Column, Look
from storage.store import Selection, Store


class Kind(StrEnum):
    """What can be written."""

    MEASUREMENTS = "measurements"
    VERDICTS = "verdicts"
    EVENTS = "events"


class _Export(msgspec.Struct, frozen=True):
    columns: tuple[Column[Any], ...]
    batches: Callable[[Store, Selection], AsyncIterator[Sequence[Any]]]
    prepare: Callable[[Any], Any] = lambda value: value
    recomputed: Callable[[Store, str, Selection], AsyncIterator[Sequence[Any]]] | None = None
    """The same of one recomputation, by its id; None for what is never recomputed."""


_EXPORTS = {
    Kind.MEASUREMENTS: _Export(
        MEASUREMENT_COLUMNS, lambda store, wanted: store.measurements(wanted), Look.of
    ),
    Kind.VERDICTS: _Export(
        VERDICT_COLUMNS,
        lambda store, wanted: store.verdicts(wanted),
        recomputed=lambda store, of, wanted: store.rejudged_verdicts(of, wanted),
    ),
    Kind.EVENTS: _Export(
        EVENT_COLUMNS,
        lambda store, wanted: store.events(wanted),
        recomputed=lambda store, of, wanted: store.rejudged_events(of, wanted),
    ),
}


def columns(kind: Kind | str) -> tuple[Column[Any], ...]:
    """The columns of a kind of file, in order. ValueError for an unknown kind."""
    return _EXPORTS[Kind(kind)].columns


async def write_csv(
    kind: Kind | str, store: Store, selection: Selection, out: TextIO, *, rejudging: str = ""
) -> int:
    """Write a header and the selected rows to `out`; returns how many rows.

    With `rejudging` the results of the recomputation of that id, in place of the first ones;
    ValueError for a kind that is never recomputed.

    `out` must be UTF-8 and opened with `newline=""`, or the line ends may be changed. ValueError
    for an unknown kind; StorageError from the store; OSError from `out` goes to the caller.
    """
    export = _EXPORTS[Kind(kind)]
    if not rejudging:
        batches = export.batches(store, selection)
    elif export.recomputed is not None:
        batches = export.recomputed(store, rejudging, selection)
    else:
        raise ValueError(f"{kind} are what was seen, and never recomputed")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in export.columns])
    count = 0
    async for batch in batches:
        # In a thread: a slow disk or pipe must not hold up whatever else this process does.
        await asyncio.to_thread(_write_rows, writer, export, batch)
        count += len(batch)
    return count


def _write_rows(writer: Any, export: _Export, batch: Sequence[Any]) -> None:
    for value in batch:
        row = export.prepare(value)
        writer.writerow([cell(column.value(row)) for column in export.columns])
