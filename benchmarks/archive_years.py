"""What the archive costs: bytes for each row, a month's CSV file, and a question about 90 days.

    .venv/bin/python benchmarks/archive_years.py [--month 500000] [--rows 100000000] [--keep FOLDER]

First a database is filled, a CSV file is written from it, everything moves to an archive, and the
same file is written from there. The measurements of one day are as varied as those that agents
bring: every page has another digest and another cookie. Then DuckDB makes a tree of `--rows`
measurements in the archive's own layout and order, and is asked about one country and platform.
Those rows repeat each other's observations, so their size says nothing.
"""

import argparse
import asyncio
import random
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import uuid_utils

from benchmarks import store_rows, store_sqlite
from benchmarks.ingest_rows import varied
from monitor.export.csv import write_csv
from monitor.export.kinds import Kind
from probes.measurement import Measurement, Purpose
from storage.archive.archived_tables import BY_NAME
from storage.archive.duckdb_session import add_rows, make_table, written
from storage.archive.manifest import Manifests
from storage.archive.place import Place
from storage.open_store import place_of, sql_store
from storage.sql.rows import measurement_row
from storage.values.archive_place import ArchivePlace
from storage.values.prunable import Prunable
from storage.values.selection import Selection
from storage.values.steady_clock import utc_now
from storage.values.times import time_text

DAY = datetime(2026, 1, 2, tzinfo=UTC)
DAYS = 91
COUNTRIES = store_rows.COUNTRIES
CYCLES = 288
ENDPOINTS = 8
FAILING = 0.02
ROUNDS = 5
MEASUREMENT = BY_NAME["measurement"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--month", type=int, default=500_000)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="shutwatch-bench-"))
    for name in ("sizes", "month"):
        (folder / name).mkdir()
    try:
        asyncio.run(_sizes(folder / "sizes"))
        if asked.month:
            asyncio.run(_month(folder / "month", asked.month))
        if asked.rows:
            _years(asked.keep or folder / "years", asked.rows)
    finally:
        shutil.rmtree(folder)


def _varied(count: int, seed: int) -> list[Measurement]:
    """A day of one vantage."""
    rng = random.Random(seed)
    made = []
    for cycle in range(CYCLES):
        at, id_ = DAY + timedelta(minutes=5 * cycle), str(uuid_utils.uuid7())
        for platform in store_rows.PLATFORMS:
            for number in range(ENDPOINTS):
                one = store_rows.look(store_rows.PLACES[0], platform, number)
                bad = rng.random() < FAILING
                one = varied(one, id_, at, Purpose.SCHEDULED, 1, failing=bad, rng=rng)
                moment = int(one.started_at.timestamp() * 1e9)
                made.append(
                    msgspec.structs.replace(one, id=str(uuid_utils.uuid7(nanoseconds=moment)))
                )
                if len(made) == count:
                    return made
    return made


async def _sizes(folder: Path) -> None:
    archive = ArchivePlace(folder=str(folder / "archive"))
    store = sql_store(f"sqlite:///{folder / 'store.db'}", archive)
    await store.open()
    looks = _varied(25_000, 1)
    for start in range(0, len(looks), 1000):
        await store.add_control_measurements(looks[start : start + 1000])
    await store.close()
    size = (folder / "store.db").stat().st_size
    await store.open()
    begun = time.monotonic()
    async for _ in store.prune(Prunable.MEASUREMENT, DAY + timedelta(days=9)):
        pass
    took = time.monotonic() - begun
    await store.close()
    rows, packed = _counted(place_of(archive))
    print(
        f"one day, {rows:,} varied measurements: {size / rows:.0f} bytes each in SQLite, "
        f"{packed / rows:.0f} in the archive; moved {rows / took:,.0f} a second",
        flush=True,
    )


def _counted(place: Place) -> tuple[int, int]:
    files = Manifests(place).files("measurement")
    return sum(one.rows for one in files), sum(one.bytes for one in files)


async def _month(folder: Path, rows: int) -> None:
    url = f"sqlite:///{folder / 'store.db'}"
    archive = ArchivePlace(folder=str(folder / "archive"))
    store = sql_store(url, archive)
    await store.open()
    store_sqlite.fill(str(folder / "store.db"), rows, 400)
    before = await _csv(store, folder / "before.csv")
    begun = time.monotonic()
    async for _ in store.prune(Prunable.MEASUREMENT, utc_now() + timedelta(days=3650)):
        pass
    moved = time.monotonic() - begun
    after = await _csv(store, folder / "after.csv")
    same = (folder / "before.csv").read_bytes() == (folder / "after.csv").read_bytes()
    await store.close()
    assert same
    print(
        f"CSV of {rows:,} measurements: {before:.1f} s from SQLite, {after:.1f} s from the "
        f"archive, {after / before:.2f} ×, byte for byte the same; moved in {moved:.0f} s",
        flush=True,
    )


async def _csv(store: object, file: Path) -> float:
    begun = time.monotonic()
    with file.open("w", encoding="utf-8", newline="") as out:
        await write_csv(Kind.MEASUREMENTS, store, Selection(), out)  # type: ignore[arg-type]
    return time.monotonic() - begun


def _years(folder: Path, rows: int) -> None:
    if not folder.exists():
        _make(folder, rows)
    connection = duckdb.connect()
    tree = f"{folder}/measurement/country=PK/*/*.parquet"
    counted = connection.execute(
        f"SELECT sum(n) FROM (SELECT max(row_group_num_rows) AS n FROM "  # noqa: S608 # a path of our own
        f"parquet_metadata('{folder}/measurement/*/*/*.parquet') GROUP BY file_name, row_group_id)"
    ).fetchall()
    ((count,),) = counted
    question = (
        "SELECT date, count(*), count(*) FILTER (NOT reached), median(tls_ms) "  # noqa: S608 # as above
        f"FROM read_parquet('{tree}', hive_partitioning = true) "
        f"WHERE platform = 'x' AND date >= '{DAY.date() + timedelta(days=DAYS - 90)}' "
        "GROUP BY date ORDER BY date"
    )
    times = []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        found = connection.execute(question).fetchall()
        times.append(time.monotonic() - begun)
    assert len(found) == 90
    print(
        f"{count:,} measurements in a tree: tests and failures of one platform in one country "
        f"on each of 90 days, {sum(row[1] for row in found):,} rows, in "
        f"{statistics.median(times):.2f} s (first {times[0]:.2f} s)",
        flush=True,
    )


def _make(folder: Path, rows: int) -> None:
    looks = [measurement_row(one, time_text(one.started_at)) for one in _varied(ENDPOINTS * 10, 2)]
    each = -(-rows // (len(COUNTRIES) * DAYS * len(looks)))
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = true")
    make_table(connection, MEASUREMENT, "TABLE looks")
    add_rows(connection, MEASUREMENT, "looks", looks)
    made = {
        "id": "uuid()::VARCHAR AS id",
        "vantage": "'vantage-' || (n % 48) AS vantage",
        "cycle": "md5((n // 48)::VARCHAR) AS cycle",
        "http_body_sha256": "sha256((n * 7919 + attempt)::VARCHAR) AS http_body_sha256",
        **{name: f"round(random() * 200, 3) AS {name}" for name in ("dns_ms", "tcp_ms", "tls_ms")},
        "started_at": "midnight + to_milliseconds((n * 86400000) // {each}) AS started_at",
        "received_at": "midnight + to_milliseconds((n * 86400000) // {each} + 900) AS received_at",
        "reached": "random() > 0.02 AS reached",
    }
    names = [name for name in MEASUREMENT.names if name != "country"]
    cells = ", ".join(
        made.get(name, written(MEASUREMENT, name)).format(each=each) for name in names
    )
    for country in COUNTRIES:
        for number in range(DAYS):
            day = DAY.date() + timedelta(days=number)
            place = folder / f"measurement/country={country}/date={day}"
            place.mkdir(parents=True)
            connection.execute(
                f"COPY (SELECT {cells} FROM (SELECT *, TIMESTAMPTZ '{day} 00:00:00+00' AS midnight "  # noqa: S608 # words of our own
                "FROM (SELECT * FROM looks ORDER BY platform, function, endpoint), "
                f"range({each}) AS r(n))) TO '{place}/measurement-made.parquet' "
                "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 40960)"
            )


if __name__ == "__main__":
    main()
