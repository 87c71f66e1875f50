"""What the pages cost when there is a lot: a real `shutwatch run` on ten million measurements.

    .venv/bin/python benchmarks/pages.py [--measurements 10000000] [--rounds 15] [--keep FILE]

Fills a database as `store.py` does (a file it kept is used again), moves its counts to the last
ninety days, and adds counts of each day of a year and two hundred events. One event is still
active. The monitor runs in a network namespace of its own, where nothing can be reached, until
each of its twenty vantages has had its turn; then the pages are fetched over HTTP, and after that
those of sixty countries over the same file; the documents are asked for where `make docs` built
them. Needs `unshare` and `ip`. Time is that until the first byte, as it passed, and the server's
CPU time; sizes are those of the page as sent (gzip), and unpacked.
"""

import argparse
import asyncio
import gzip
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import namespace, store_rows, store_sqlite
from benchmarks.store import cpu_of
from monitor.analysis.events.event import (
    Event,
    EventLogEntry,
    EventState,
    NetworkStatus,
    Scope,
    Stretch,
)
from monitor.analysis.judge.rules.table import RULES_VERSION
from monitor.analysis.verdict import Evidence, State
from monitor.server.documents import FOLDER as DOCUMENTS
from probes.sockets.http_client import httpx
from storage.open_store import sql_store
from storage.values.cycle import Cycle
from storage.values.rollup import COUNTS, KEY
from tests.worlds.build import health

EVENTS = 200
LONG = timedelta(days=5)
"""How long the one that goes on has lasted."""
PORT = 10190
PATIENCE = 300.0
"""Seconds for a start, and for all vantages to have their turn."""
ADDRESS = f"http://127.0.0.1:{PORT}"
PATHS = (
    "/",
    "/?lang=ur",
    "/events?days=365",
    "/events?days=365&page=5",
    f"/events/benchmark-{EVENTS - 1:03}",
    "/countries/PK",
    "/countries/PK?by=network&span=year",
    "/platforms/x?by=network&span=year",
    "/platforms/x?span=day",
    "/compare?country=PK&by=network&span=year",
    "/vantages",
    "/feed.atom",
    "/cards/PK",
    "/docs/page.html",
)


FRONT = ("/", "/?lang=fa", "/platforms/x")
MANY = Path(__file__).with_name("pages_many.py")


async def _make_tables(file: Path) -> None:
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await store.close()


def main() -> None:
    """Fill, start, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measurements", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    namespace.enter()
    folder = Path(tempfile.mkdtemp(prefix="shutwatch-bench-"))
    try:
        file = asked.keep or folder / "store.db"
        if not file.exists():
            asyncio.run(_make_tables(file))
            store_sqlite.fill(str(file), asked.measurements, asked.measurements // 10)
        at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        _add_year(file, at)
        asyncio.run(_add_events(file, at))
        with _monitor(folder, file) as server:
            built = DOCUMENTS.exists()
            paths = [path for path in PATHS if built or not path.startswith("/docs/")]
            _ask(server, ADDRESS, paths, asked.rounds)
        print("sixty countries:")
        with _many(file, at) as (server, address):
            _ask(server, address, FRONT, asked.rounds)
    finally:
        shutil.rmtree(folder)


def _add_year(file: Path, at: datetime) -> None:
    """Counts of the year that ends then, in place of those that are there; all fails at times."""
    with closing(sqlite3.connect(file)) as database, database:
        for table in ("availability_hour", "availability_day"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608 # our own words
        names = (*KEY, *COUNTS)
        database.executemany(
            f"INSERT INTO availability_hour ({', '.join(names)}) "  # noqa: S608 # our own words
            f"VALUES ({', '.join('?' * len(names))})",
            _uneven(store_rows.hours(at, days=365)),
        )
        database.execute(store_rows.DAYS_OF_HOURS)


def _uneven(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """These counts, with one more verdict that something failed in every three-hundredth: strips
    of many parts."""
    more = len(KEY) + COUNTS.index(State.DEGRADED)
    for number, row in enumerate(rows):
        yield row if number % 311 else (*row[:more], row[more] + 1, *row[more + 1 :])


def _event(number: int, at: datetime) -> Event:
    """The last of them is still on; the others lie evenly in the year before."""
    last = number == EVENTS - 1
    country = "PK" if last else store_rows.COUNTRIES[number % len(store_rows.COUNTRIES)]
    platform = "x" if last else store_rows.PLATFORMS[number % len(store_rows.PLATFORMS)]
    begun = at - LONG
    if not last:
        begun -= (EVENTS - number) * timedelta(hours=43)
    ended = None if last else begun + timedelta(hours=5)
    soon = begun + timedelta(minutes=6)
    networks = tuple(
        NetworkStatus(
            asn=place.asn,
            network=f"Network {place.asn}",
            affected=True,
            blocked_now=last,
            methods=("tls.reset",),
            stretches=(Stretch(onset_earliest=begun, onset_latest=soon, end_earliest=ended),),
        )
        for place in store_rows.PLACES
        if place.country == country
    )
    return Event(
        id=f"benchmark-{number:03}",
        country=country,
        platform=platform,
        state=EventState.CONFIRMED if last else EventState.ENDED,
        scope=Scope.FULL,
        functions=("web",),
        methods=("tls.reset",),
        networks=networks,
        onset_earliest=begun,
        onset_latest=soon,
        detected_at=soon,
        confirmed_at=soon + timedelta(minutes=3),
        end_earliest=ended,
        end_latest=ended,
        updated_at=ended or at,
        first_measurement="",
        evidence=Evidence.STRONG,
        rules_version=RULES_VERSION,
    )


async def _add_events(file: Path, at: datetime) -> None:
    """With the lines of their logs; there once, they stay as they are."""
    store = sql_store(f"sqlite:///{file}", create=False)
    await store.open()
    for number in range(EVENTS):
        event = _event(number, at)
        lines = [
            EventLogEntry(
                event=event.id,
                sequence=sequence,
                at=at,
                change=change,
                detail="",
                snapshot=event,
            )
            for sequence, (change, at) in enumerate(_changes(event), 1)
        ]
        await store.save(_cycle(event), [event], lines)
    await store.close()


def _changes(event: Event) -> Iterator[tuple[str, datetime]]:
    yield "opened", event.detected_at
    for place in range(len(event.networks)):
        yield "network_added", event.detected_at + timedelta(minutes=place)
    yield "confirmed", event.confirmed_at or event.detected_at
    if event.end_latest is not None:
        yield "ended", event.end_latest


def _cycle(event: Event) -> Cycle:
    """The one that an event was last changed by, which saw nothing else."""
    place = next(one for one in store_rows.PLACES if one.country == event.country)
    return Cycle(
        id=f"cycle of {event.id}",
        vantage=place.vantage,
        country=place.country,
        started_at=event.updated_at,
        finished_at=event.updated_at,
        health=msgspec.structs.replace(
            health(), vantage=place.vantage, country=place.country, at=event.updated_at
        ),
        measurements=(),
        verdicts=(),
        platforms=(),
    )


@contextmanager
def _monitor(folder: Path, file: Path) -> Iterator[int]:
    """The process of one that has had a look from every vantage, in vain."""
    vantages = "".join(
        f'[[vantage]]\nid = "{place.vantage}"\ncountry = "{place.country}"\nasn = {place.asn}\n'
        f'network = "Network {place.asn}"\n\n'
        for place in store_rows.PLACES
    )
    config = folder / "shutwatch.toml"
    config.write_text(
        f'interval = "12h"\ndatabase = "sqlite:///{file.resolve()}"\n'
        f'listen = "127.0.0.1:{PORT}"\n[retention]\nraw = "forever"\n{vantages}'
    )
    command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
    log = folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    begun, started = time.monotonic(), time.time()
    with (
        log.open("w") as out,
        subprocess.Popen(command, stderr=out, cwd=folder, env=environment) as run,
    ):
        try:
            while not _settled(started):
                assert run.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() - begun < PATIENCE, log.read_text()[-3000:]
                time.sleep(0.5)
            print(f"all vantages had their turn {time.monotonic() - begun:.0f} s after the start")
            yield run.pid
        finally:
            run.terminate()


def _settled(since: float) -> bool:
    """Whether every vantage has had its turn since then: a file used again has earlier ones."""
    try:
        text = httpx.get(f"{ADDRESS}/metrics").text
    except httpx.HTTPError:
        return False
    ends = re.findall(r"^shutwatch_cycle_last_success_timestamp_seconds\{.*\} (\S+)$", text, re.M)
    return sum(float(end) > since for end in ends) >= len(store_rows.PLACES)


@contextmanager
def _many(file: Path, at: datetime) -> Iterator[tuple[int, str]]:
    """Process and address of the server of many countries."""
    command = [sys.executable, str(MANY), f"sqlite:///{file.resolve()}", at.isoformat()]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as serves:
        assert serves.stdout is not None
        try:
            yield serves.pid, f"http://127.0.0.1:{int(serves.stdout.readline())}"
        finally:
            serves.terminate()


def _ask(server: int, address: str, paths: Sequence[str], rounds: int) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        for path in paths:
            first, spent, sent, size = [], [], 0, 0
            for _ in range(rounds + 1):
                begun, cpu = time.perf_counter(), cpu_of(server)
                with client.stream("GET", path) as answer:
                    first.append(time.perf_counter() - begun)
                    packed = b"".join(answer.iter_raw())
                spent.append(cpu_of(server) - cpu)
                assert answer.status_code == 200, (path, answer.status_code)
                coded = answer.headers.get("content-encoding") == "gzip"
                sent, size = len(packed), len(gzip.decompress(packed) if coded else packed)
            print(
                f"{path}: first byte {statistics.median(first[1:]) * 1e3:.0f} ms "
                f"({max(first[1:]) * 1e3:.0f} at most, {first[0] * 1e3:.0f} the first time), "
                f"{statistics.mean(spent[1:]) * 1e3:.0f} ms of CPU, {sent / 1000:.0f} kB as sent, "
                f"{size / 1000:.0f} kB",
                flush=True,
            )


if __name__ == "__main__":
    main()
