"""One hour of OONI for many countries: requests against the quota, rows, processor and memory.

    .venv/bin/python benchmarks/sources.py [--countries 30] [--daily 600] [--days 21]

A monitor that has followed OONI for so many days, on SQLite in a file: `--daily` tests of our
platforms in each country a day, on twelve networks, one in fifty of which fails. Then an hour of
six polls against ScriptedOoni. Reading, storing, judging and folding into events are the program's
own code; the network and the clock are not. Printed: requests and units of quota in the hour, new
rows, measurements that our rules judged, seconds of processor time, seconds of one fold, and the
most memory resident.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta

from monitor.config.load import default_settings
from monitor.config.settings import SourceSettings
from monitor.following.source_jobs import SourceJob
from monitor.following.sourced_events import WINDOW
from monitor.logs import LogSettings, configure
from monitor.sources.scripted_ooni import ScriptedOoni, volunteer
from monitor.sources.terms import TERMS, SourceKind
from probes.catalog.countries import COUNTRIES
from probes.sockets.http_client import httpx
from storage.open_store import sql_store
from storage.values.sourced import SourcedRow, SourceState

NOW = datetime(2024, 2, 17, tzinfo=UTC)
NETWORKS = 12
FAILS_EVERY = 50
SITES = {"x": "https://x.com/", "youtube": "https://www.youtube.com/"}
BATCH = 5000


def stored(country: str, number: int, daily: int, days: int) -> SourcedRow:
    """One test of the past."""
    at = NOW - timedelta(days=days) + number * timedelta(days=1) / daily
    return SourcedRow(
        country=country,
        source=str(SourceKind.OONI),
        uid=f"{at:%Y%m%d%H%M%S}.{number:06d}_{country}",
        measured_at=at,
        received_at=at,
        asn=64500 + number % NETWORKS,
        platform=list(SITES)[number // NETWORKS % len(SITES)],
        test="web_connectivity",
        failed=float(number % FAILS_EVERY == 0),
        judged="unavailable",
        licence=TERMS[SourceKind.OONI].licence,
    )


async def measure(countries: int, daily: int, days: int, folder: str) -> None:
    """Days of rows, then an hour of polls; the database is in `folder`."""
    clock = [NOW]
    ooni = ScriptedOoni(lambda: clock[0])
    names = tuple(sorted(COUNTRIES))[:countries]
    store = sql_store(f"sqlite:///{folder}/shutwatch.db")
    await store.open()
    source = SourceSettings(kind=SourceKind.OONI, countries=names)
    transport = httpx.MockTransport(ooni.handle)
    settings = default_settings()
    job = SourceJob(source, settings, store, now=lambda: clock[0], transport=transport)
    await job.begin()
    total = days * daily
    for country in names:
        for first in range(0, total, BATCH):
            rows = [
                stored(country, number, daily, days)
                for number in range(first, min(first + BATCH, total))
            ]
            await store.add_sourced(rows, str(source.kind), SourceState())
    sites = list(SITES.values())
    for country in names:
        for number in range(daily // 24):
            at = NOW - timedelta(minutes=5) + number * timedelta(hours=24) / daily
            ooni.add(
                volunteer(
                    at,
                    sites[number % len(sites)],
                    country=country,
                    asn=64500 + number % NETWORKS,
                    blocked=number % FAILS_EVERY == 0,
                )
            )
    clock[0] -= timedelta(minutes=5)
    began, cpu, folds = time.perf_counter(), time.process_time(), []
    requests = 0
    for _ in range(6):
        clock[0] += timedelta(minutes=10)
        asked, started = len(ooni.asked), time.process_time()
        await job.round()
        folds.append(time.process_time() - started)
        requests += len(ooni.asked) - asked
    state = (await store.source_states())[str(source.kind)]

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"countries {countries}, rows of {days} days {countries * total:,}")
    print(f"requests {requests}, units {state.units} of {source.budget}")
    print(f"new rows {state.rows}, judged {state.judged}")
    print(f"processor {time.process_time() - cpu:.1f} s of {time.perf_counter() - began:.1f} s")
    print(f"longest round {max(folds):.1f} s of it, most memory {peak:.0f} MB")
    await job.close()
    await store.close()


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--countries", type=int, default=30)
    parser.add_argument("--daily", type=int, default=600)
    parser.add_argument("--days", type=int, default=WINDOW // timedelta(days=1))
    options = parser.parse_args()
    configure(LogSettings(level="warning"))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(options.countries, options.daily, options.days, folder))


if __name__ == "__main__":
    main()
