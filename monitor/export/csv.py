"""CSV files from the store: UTF-8, RFC 4180, one batch in memory at a time."""

import asyncio
import csv
from collections.abc import Sequence
from typing import Any, TextIO

from monitor.export.cells import cell
from monitor.export.kinds import EXPORTS, Export, batches
from monitor.export.kinds import Kind as Kind
from monitor.export.kinds import columns as columns
from storage.store import Selection, Store


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
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in export.columns])
    count = 0
    async for batch in found:
        # In a thread: a slow disk or pipe must not hold up whatever else this process does.
        await asyncio.to_thread(write_rows, writer, export, batch)
        count += len(batch)
    return count


def write_rows(writer: Any, export: Export, batch: Sequence[Any]) -> None:
    """Write what the store gave as rows, with a `csv.writer` that ends its own lines."""
    for value in batch:
        row = export.prepare(value)
        writer.writerow([cell(column.value(row)) for column in export.columns])
