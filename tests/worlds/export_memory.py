"""Fills a database and exports it in a process of its own, to see what that process takes.

`python export_memory.py DATABASE ROWS CSV` prints one JSON object: rows, peak_mb (most memory
resident at any time in the exporting process), fill_s, export_s, database_mb, csv_mb.
"""

import asyncio
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import msgspec

from monitor.export.csv import Kind, write_csv
from storage.open_store import sql_store
from storage.values.selection import Selection
from tests.contract.cycles import cycle

ENDPOINTS = 100


async def _fill(url: str, rows: int) -> None:
    store = sql_store(url)
    await store.open()
    for number in range(rows // (2 * ENDPOINTS)):
        await store.save(cycle(number, endpoints=ENDPOINTS))
    await store.close()


def _new(file: str) -> TextIO:
    return Path(file).open("w", encoding="utf-8", newline="")


async def _export(url: str, file: str) -> int:
    store = sql_store(url, create=False)
    await store.open()
    with _new(file) as out:
        rows = await write_csv(Kind.MEASUREMENTS, store, Selection(), out)
    await store.close()
    return rows


def _in_a_child(work: Any) -> tuple[Any, float, float]:
    """What `work` returns, the megabytes its process took at most, and its seconds."""
    begun = time.monotonic()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        result = asyncio.run(work)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(write, msgspec.json.encode((result, peak)))
        os._exit(0)
    work.close()
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        result, peak = msgspec.json.decode(answer.read())
    os.waitpid(child, 0)
    return result, peak, time.monotonic() - begun


def main(database: str, rows: str, file: str) -> None:
    """Fill in one process, export in another, report."""
    url = f"sqlite:///{database}"
    _, _, fill_s = _in_a_child(_fill(url, int(rows)))
    written, peak, export_s = _in_a_child(_export(url, file))
    report = {
        "rows": written,
        "peak_mb": round(peak, 1),
        "fill_s": round(fill_s, 1),
        "export_s": round(export_s, 1),
        "database_mb": round(Path(database).stat().st_size / 1e6, 1),
        "csv_mb": round(Path(file).stat().st_size / 1e6, 1),
    }
    sys.stdout.write(msgspec.json.encode(report).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
