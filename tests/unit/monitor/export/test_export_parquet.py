"""Parquet files as their readers get them: opened with pyarrow, beside the CSV of the same rows."""

import csv
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow
import pyarrow.parquet
import pytest

from monitor.analysis.verdict import State
from monitor.export.cells import cell
from monitor.export.csv import write_csv
from monitor.export.kinds import Kind, columns
from monitor.export.parquet import write_parquet
from storage.store import Store
from storage.values.selection import Selection
from tests.contract.cycles import (
    AWKWARD,
    EVERY_OBSERVATION,
    annotation,
    cycle,
    event,
    measurement,
    review,
    withheld,
)
from tests.worlds.memory_store import MemoryStore

EVERYTHING = Selection()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store with small pages, two cycles, an event and a look with every kind of observation."""
    store = MemoryStore(page=3)
    await store.open()
    odd = measurement("m-odd", 9000.0, observations=EVERY_OBSERVATION, reached=False)
    named = msgspec.structs.replace(odd, id="m-named", network="=HYPERLINK(1)" + AWKWARD)
    await store.save(cycle(1, state=State.BLOCKED), [event()])
    await store.save(cycle(2, measurements=(odd, named)))
    await store.add_review(review())
    await store.add_annotations([annotation(platform="x"), annotation(60, 90, platform="x")])
    await store.save_withheld([withheld()])
    yield store
    await store.close()


async def _table(store: Store, kind: Kind, selection: Selection = EVERYTHING) -> Any:
    out = io.BytesIO()
    count = await write_parquet(kind, store, selection, out)
    table = pyarrow.parquet.read_table(io.BytesIO(out.getvalue()))
    assert table.num_rows == count
    return table


def _as_in_csv(value: Any, unit: str) -> str:
    if isinstance(value, list):
        return (" | " if unit == "names" else " ").join(value)
    # Texts are safe already; to make them safe once more would change them.
    return value if isinstance(value, str) else cell(value)


@pytest.mark.parametrize("kind", Kind)
async def test_it_says_what_the_csv_says(store: Store, kind: Kind) -> None:
    """The same rows, the same columns in the same order, the same values cell by cell."""
    table = await _table(store, kind)
    out = io.StringIO(newline="")
    await write_csv(kind, store, EVERYTHING, out)
    header, *rows = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert table.column_names == header
    assert rows
    units = {column.name: column.unit for column in columns(kind)}
    for row, record in zip(rows, table.to_pylist(), strict=True):
        assert [_as_in_csv(value, units[name]) for name, value in record.items()] == row


@pytest.mark.parametrize("kind", Kind)
async def test_types_follow_the_units(store: Store, kind: Kind) -> None:
    """Times are times in UTC, numbers numbers, lists lists; an empty file has them all as well."""
    nothing = await _table(store, kind, Selection(platform="nothing"))
    full = await _table(store, kind)
    assert nothing.num_rows == 0
    assert nothing.schema == full.schema
    for column, field in zip(columns(kind), full.schema, strict=True):
        wanted = {
            "UTC time": pyarrow.timestamp("us", tz="UTC"),
            "yes or no": pyarrow.bool_(),
            "ms": pyarrow.float64(),
            "bytes": pyarrow.int64(),
            "list": pyarrow.list_(pyarrow.string()),
            "names": pyarrow.list_(pyarrow.string()),
        }.get(column.unit)
        if column.unit == "number":
            assert field.type in (pyarrow.int64(), pyarrow.float64())
        else:
            assert field.type == (wanted or pyarrow.string()), column.name
    times = [v for c in full.columns for v in c.to_pylist() if isinstance(v, datetime)]
    assert times
    assert all(time.utcoffset() is not None and not time.utcoffset() for time in times)


async def test_hostile_text_is_as_safe_as_in_the_csv(store: Store) -> None:
    """What is saved as a spreadsheet afterwards runs nothing and turns no text around."""
    names = (await _table(store, Kind.MEASUREMENTS))["network"].to_pylist()
    (odd,) = [name for name in names if "HYPERLINK" in name]
    assert odd.startswith("'=")
    assert "\u202e" not in odd
    assert "\\u202e" in odd


async def test_rows_are_written_in_groups(store: Store) -> None:
    """What is in memory is one group of rows, however many there are."""
    out = io.BytesIO()
    for number in range(3, 8):
        await store.save(cycle(number))
    rows = await write_parquet(Kind.MEASUREMENTS, store, EVERYTHING, out, group_rows=4)
    read = pyarrow.parquet.ParquetFile(io.BytesIO(out.getvalue()))
    groups = [read.metadata.row_group(n).num_rows for n in range(read.num_row_groups)]
    assert sum(groups) == rows
    assert groups[:-1] == [4] * (len(groups) - 1)
    assert len(groups) > 3


def test_without_pyarrow_the_command_says_what_brings_it(tmp_path: Path) -> None:
    """One line that names the extra, exit code 2, and no file."""
    database = tmp_path / "empty.db"
    config = tmp_path / "shutwatch.toml"
    config.write_text(f'database = "sqlite:///{database}"\n[[vantage]]\nid = "a"\ncountry = "PK"\n')
    code = f"""
import asyncio, sys
sys.modules["pyarrow"] = None
from storage.open_store import open_store
async def made():
    store = open_store("sqlite:///{database}")
    await store.open()
    await store.close()
asyncio.run(made())
from monitor.cli.main import app
app(["export", "parquet", "events", "-c", "{config}", "-o", "{tmp_path}/out.parquet"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "-m pip install 'pyarrow>=" in done.stderr
    assert not (tmp_path / "out.parquet").exists()
