"""What reading costs when there is a lot: the current state, ninety days of hours, a million rows.

    .venv/bin/python benchmarks/store.py [--measurements 10000000] [--rows 1000000] [--keep FILE]
    .venv/bin/python benchmarks/store.py --postgresql [--measurements 10000000] [--rows 1000000]

Fills a database (more than 1 KB for each measurement) in a temporary folder: an SQLite file, or a
PostgreSQL server's own; `--keep` names an SQLite file that is used again. Each question is asked as
the interface asks it, in SQLite also beside what one would write without the tables that answer it.
Time is told as it passed and, since a busy machine leaves only that comparable, as CPU time of the
process that asks; a server's own is not in it.
"""

import argparse
import asyncio
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from benchmarks import store_postgresql, store_rows, store_sqlite
from probes.sockets.http_client import httpx
from storage.open_store import sql_store
from storage.values.rollup import Availability
from storage.values.selection import Selection
from storage.values.times import time_text

ROUNDS = 15
PATIENCE = 600.0
"""Seconds without a byte."""
SERVER = Path(__file__).with_name("store_server.py")


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measurements", type=int, default=10_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    made = (
        _server(asked.measurements, asked.rows)
        if asked.postgresql
        else _file(asked.keep, asked.measurements, asked.rows)
    )
    with made as url:
        asyncio.run(_questions(url))
        for kind in ("verdicts", "measurements", "availability"):
            _files(url, kind, asked.rows)


@contextmanager
def _file(keep: Path | None, measurements: int, rows: int) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="shutwatch-bench-"))
    file = keep or folder / "store.db"
    try:
        if not file.exists():
            asyncio.run(_make(f"sqlite:///{file}"))
            seconds = store_sqlite.fill(str(file), measurements, rows)
            print(f"filled in {seconds:.0f} s")
        with closing(sqlite3.connect(file)) as database:
            (count,) = database.execute("SELECT count(*) FROM measurement").fetchone()
        print(f"SQLite: {count:,} measurements, {file.stat().st_size / 1e9:.1f} GB", flush=True)
        yield f"sqlite:///{file}"
    finally:
        shutil.rmtree(folder)


@contextmanager
def _server(measurements: int, rows: int) -> Iterator[str]:
    with store_postgresql.server() as server:
        name = server.new_database()
        url = server.url(name)
        asyncio.run(_make(url))
        seconds = store_postgresql.fill(url, server.conninfo(name), measurements, rows)
        print(f"filled in {seconds:.0f} s")
        ((size,),) = server.execute(f"SELECT pg_database_size('{name}')")  # our own name
        print(
            f"PostgreSQL: {measurements:,} measurements, {float(str(size)) / 1e9:.1f} GB",
            flush=True,
        )
        yield url


async def _make(url: str) -> None:
    """An empty database, as opening a store makes it."""
    store = sql_store(url)
    await store.open()
    await store.close()


async def _questions(url: str) -> None:
    store = sql_store(url, create=False)
    await store.open()
    state = await _median(store.latest_platforms)
    days = timedelta(days=store_rows.DAYS)
    hours = Selection(
        country="PK",
        platform="x",
        since=store_rows.END - days,
        by_network=False,
        batch=store_rows.DAYS * 24,
    )

    async def listed() -> list[Availability]:
        return [row async for batch in store.availability(hours) for row in batch]

    assert len(await listed()) == store_rows.DAYS * 24
    availability = await _median(listed)
    await store.close()
    _tell("current state of everything", state)
    _tell("90 days of hourly availability", availability)
    if not url.startswith("sqlite:"):
        return
    since = time_text(store_rows.END - days)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        newest = _once(
            database,
            "SELECT * FROM (SELECT country, vantage, platform, reached, row_number() OVER "
            "(PARTITION BY country, vantage, platform ORDER BY started_at DESC) AS newest "
            "FROM measurement) WHERE newest = 1",
        )
        counted = _once(
            database,
            "SELECT substr(started_at, 1, 13), avg(reached), count(*) FROM measurement "
            "WHERE country = 'PK' AND platform = 'x' AND started_at >= ? GROUP BY 1",
            since,
        )
    _tell("  the first from the looks, by a window function", newest, state)
    _tell("  the second from the looks, counted", counted, availability)


class Spent(NamedTuple):
    """How long something took."""

    passed: float
    """Seconds."""
    cpu: float
    """Seconds of this process."""


async def _median(ask: Callable[[], Awaitable[object]]) -> Spent:
    """Asked again and again."""
    spent = []
    for _ in range(ROUNDS):
        passed, cpu = time.perf_counter(), time.process_time()
        await ask()
        spent.append(Spent(time.perf_counter() - passed, time.process_time() - cpu))
    return Spent(*map(statistics.median, zip(*spent, strict=True)))


def _once(database: sqlite3.Connection, query: str, *values: str) -> Spent:
    passed, cpu = time.perf_counter(), time.process_time()
    database.execute(query, values).fetchall()
    return Spent(time.perf_counter() - passed, time.process_time() - cpu)


def _tell(what: str, spent: Spent, beside: Spent | None = None) -> None:
    more = f": {spent.cpu / beside.cpu:,.0f} times the CPU" if beside else ""
    print(
        f"{what}: {spent.passed * 1e3:,.1f} ms ({spent.cpu * 1e3:,.1f} ms of CPU){more}", flush=True
    )


class Cost(NamedTuple):
    """What one file took."""

    rows: int
    seconds: float
    cpu: float
    """Seconds of the process that made the file."""
    most: float
    """Mebibytes resident at most, in that process."""
    before: float
    """The same before the first row."""


def _files(url: str, kind: str, rows: int) -> None:
    ours = _from_interface(url, kind, rows)
    table = {"availability": "availability_hour"}.get(kind, kind.removesuffix("s"))
    theirs = _from_rival(url, table, ours.rows)
    for name, cost in (("the interface", ours), ("SQLAlchemy and csv.writer", theirs)):
        print(
            f"{kind} as CSV from {name}: {cost.rows:,} rows in {cost.seconds:.1f} s, "
            f"{cost.cpu:.1f} s of CPU, {cost.most:.0f} MiB at most ({cost.before:.0f} before)",
            flush=True,
        )
    cpu = (ours.cpu / ours.rows) / (theirs.cpu / theirs.rows)
    passed = (ours.seconds / ours.rows) / (theirs.seconds / theirs.rows)
    print(f"  ratio per row: {cpu:.2f} of the CPU, {passed:.2f} of the time", flush=True)


def _from_interface(url: str, kind: str, rows: int) -> Cost:
    begun_at = store_rows.END - store_rows.INTERVAL * -(-rows // store_rows.PER_CYCLE)
    command = [sys.executable, str(SERVER), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as server:
        assert server.stdout is not None
        address = f"http://127.0.0.1:{int(server.stdout.readline())}"
        httpx.get(f"{address}/{kind}?limit=10").raise_for_status()
        before, cpu = _resident(server.pid), cpu_of(server.pid)
        begun = time.perf_counter()
        lines = -1
        params = {} if kind == "availability" else {"since": time_text(begun_at)}
        query = f"?{urlencode(params)}" if params else ""
        lines += _lines(f"/{kind}.csv{query}", urlsplit(address))
        seconds = time.perf_counter() - begun
        cost = Cost(lines, seconds, cpu_of(server.pid) - cpu, _resident(server.pid), before)
        server.terminate()
    return cost


def _lines(path: str, server: SplitResult) -> int:
    """Lines of a file that is read as it comes, by what takes least: it has a core to share."""
    connection = HTTPConnection(str(server.hostname), server.port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    taken, lines = bytearray(2**18), 0
    while size := answer.readinto(taken):
        lines += taken.count(b"\n", 0, size)
    connection.close()
    return lines


def _from_rival(url: str, table: str, rows: int) -> Cost:
    command = [sys.executable, str(SERVER), url, table, str(rows)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as child:
        assert child.stdout is not None
        # The interface was running before it was asked, too.
        assert child.stdout.readline() == "ready\n"
        before, cpu, begun = _resident(child.pid), cpu_of(child.pid), time.perf_counter()
        count = int(child.stdout.readline())
        seconds = time.perf_counter() - begun
        # Closing its end of the pipe is the last it does before it ends.
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
    spent = usage.ru_utime + usage.ru_stime - cpu
    return Cost(count, seconds, spent, usage.ru_maxrss / 1024, before)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SERVER.parents[1])}


def _resident(pid: int) -> float:
    """Mebibytes at most so far."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def cpu_of(pid: int) -> float:
    """Seconds in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
