"""Parquet files as their readers get them: opened with DuckDB, beside the CSV of the same rows."""

import csv
import io
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from monitor.analysis.verdict import State
from monitor.export import parquet as module
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
TIME = "TIMESTAMP WITH TIME ZONE"


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


async def _file(
    store: Store, folder: Path, kind: Kind, selection: Selection = EVERYTHING, **options: Any
) -> Path:
    file = folder / f"{kind}.parquet"
    with file.open("wb") as out:
        count = await write_parquet(kind, store, selection, out, **options)
    assert _found("SELECT count(*) FROM read_parquet(?)", file) == [(count,)]
    return file


def _found(question: str, file: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(question, [str(file)]).fetchall()


def _described(file: Path) -> dict[str, str]:
    return {row[0]: row[1] for row in _found("DESCRIBE FROM read_parquet(?)", file)}


def _records(file: Path) -> list[dict[str, Any]]:
    """Rows as dictionaries, with times in UTC."""
    kinds = _described(file)
    # DuckDB's library gives no times with zones unless another library is there.
    cells = ", ".join(
        f"\"{name}\" AT TIME ZONE 'UTC'" if kind == TIME else f'"{name}"'
        for name, kind in kinds.items()
    )
    return [
        {
            name: cell.replace(tzinfo=UTC) if isinstance(cell, datetime) else cell
            for name, cell in zip(kinds, row, strict=True)
        }
        for row in _found(f"SELECT {cells} FROM read_parquet(?)", file)  # noqa: S608 # names of our own
    ]


def _as_in_csv(value: Any, unit: str) -> str:
    if isinstance(value, list):
        return (" | " if unit == "names" else " ").join(value)
    # Texts are safe already; to make them safe once more would change them.
    return value if isinstance(value, str) else cell(value)


@pytest.mark.parametrize("kind", Kind)
async def test_it_says_what_the_csv_says(store: Store, tmp_path: Path, kind: Kind) -> None:
    """The same rows, the same columns in the same order, the same values cell by cell."""
    file = await _file(store, tmp_path, kind)
    out = io.StringIO(newline="")
    await write_csv(kind, store, EVERYTHING, out)
    header, *rows = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert [*_described(file)] == header
    assert rows
    units = {column.name: column.unit for column in columns(kind)}
    for row, record in zip(rows, _records(file), strict=True):
        assert [_as_in_csv(value, units[name]) for name, value in record.items()] == row


@pytest.mark.parametrize("kind", Kind)
async def test_types_follow_the_units(store: Store, tmp_path: Path, kind: Kind) -> None:
    """Times are times in UTC, numbers numbers, lists lists; an empty file has them all as well."""
    question = (
        "SELECT name, type, repetition_type, logical_type, converted_type FROM parquet_schema(?)"
    )
    shapes = []
    for selection in (Selection(platform="nothing"), EVERYTHING):
        file = await _file(store, tmp_path, kind, selection)
        shapes.append(_found(question, file))
    nothing, full = shapes
    assert nothing == full
    assert _records(file)
    found = _described(file)
    for column in columns(kind):
        wanted = {
            "UTC time": {TIME},
            "yes or no": {"BOOLEAN"},
            "ms": {"DOUBLE"},
            "bytes": {"BIGINT"},
            "list": {"VARCHAR[]"},
            "names": {"VARCHAR[]"},
            "number": {"BIGINT", "DOUBLE"},
        }.get(column.unit, {"VARCHAR"})
        assert found[column.name] in wanted, column.name
    assert TIME in found.values()
    adjusted = [row[3] for row in full if row[3] and "Timestamp" in row[3]]
    assert adjusted
    assert all("isAdjustedToUTC=1" in one and "MICROS=M" in one for one in adjusted)


async def test_hostile_text_is_as_safe_as_in_the_csv(store: Store, tmp_path: Path) -> None:
    """What is saved as a spreadsheet afterwards runs nothing and turns no text around."""
    records = _records(await _file(store, tmp_path, Kind.MEASUREMENTS))
    (odd,) = [one["network"] for one in records if "HYPERLINK" in one["network"]]
    assert odd.startswith("'=")
    assert "\u202e" not in odd
    assert "\\u202e" in odd


@pytest.mark.parametrize(
    ("rows", "size", "cycles"), [(2048, module.GROUP_BYTES, 1100), (20_000, 100_000, 200)]
)
async def test_rows_are_written_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, size: int, cycles: int
) -> None:
    """A reader has one group of rows in memory, however many or long they are, and they keep their
    order."""
    monkeypatch.setattr(module, "GROUP_BYTES", size)
    store = MemoryStore(page=500)
    await store.open()
    for number in range(cycles):
        await store.save(cycle(number))
    file = await _file(store, tmp_path, Kind.MEASUREMENTS, group_rows=rows)
    groups = _found(
        "SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata(?) ORDER BY 1", file
    )
    assert len(groups) > 2
    assert all(count <= 2048 for _, count in groups)
    listed = [one.id async for batch in store.measurements(EVERYTHING) for one in batch]
    assert [one["measurement_id"] for one in _records(file)] == listed


async def test_the_folder_for_temporary_files_may_have_any_name(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An apostrophe in it ends no text of SQL."""
    folder = tmp_path / "Ana's"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert (await _file(store, tmp_path, Kind.VERDICTS)).stat().st_size
    assert not list(folder.iterdir())


def test_without_duckdb_the_command_says_what_brings_it(tmp_path: Path) -> None:
    """One line that names the extra, exit code 2, and no file."""
    database = tmp_path / "empty.db"
    config = tmp_path / "shutwatch.toml"
    config.write_text(f'database = "sqlite:///{database}"\n[[vantage]]\nid = "a"\ncountry = "PK"\n')
    code = f"""
import asyncio, sys
sys.modules["duckdb"] = None
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
    assert "-m pip install 'duckdb>=" in done.stderr
    assert not (tmp_path / "out.parquet").exists()
