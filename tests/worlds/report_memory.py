"""Fills a database with so many days of looks and makes a report of all of it, each in a process
of its own.

`python report_memory.py FOLDER DAYS` prints one JSON object: rows, peak_mb (most memory resident
at any time in the process that made the report), seconds, database_mb, report_mb.
"""

import asyncio
import os
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

import msgspec

from monitor.analysis.verdict import State
from monitor.report.build import build
from monitor.report.findings import Wanted
from storage.open_store import sql_store
from tests.contract.cycles import at, cycle, measurement, platform_verdict, verdict
from tests.worlds.report_world import KEY, MADE_AT, block

LOOKS = 288
"""A day: one in five minutes."""


async def _fill(url: str, days: int) -> None:
    store = sql_store(url)
    await store.open()
    for day in range(days):
        looks, verdicts = [], []
        for number in range(LOOKS):
            moment = (day * LOOKS + number) * 300.0
            looks.append(measurement(f"m-{day}-{number}", moment, cycle=f"c-{day}"))
            state = State.BLOCKED if 4 <= number <= 8 else State.OK
            verdicts.append(verdict(looks[-1], moment + 20, state=state))
        whole = msgspec.structs.replace(
            cycle(0, seconds=day * 86400.0, measurements=tuple(looks)),
            id=f"c-{day}",
            verdicts=tuple(verdicts),
            platforms=tuple(map(platform_verdict, verdicts)),
        )
        await store.save(whole, [block()] if not day else [])
    await store.close()


async def _make(url: str, out: Path, days: int) -> int:
    store = sql_store(url, create=False)
    await store.open()
    wanted = Wanted(
        country="PK",
        platform="x",
        since=at(0),
        until=at(0) + timedelta(days=days),
        all_measurements=True,
    )
    made = await build(store, wanted, out, KEY, title="X", interval=300.0, generated_at=MADE_AT)
    await store.close()
    return made.findings.rows["data/measurements.csv"]


def main(folder: Path, days: int) -> None:
    """Fill in a child, report here."""
    url = f"sqlite:///{folder / 'year.db'}"
    child = os.fork()
    if child == 0:
        asyncio.run(_fill(url, days))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    begun = time.monotonic()
    rows = asyncio.run(_make(url, folder / "report.zip", days))
    told = {
        "days": days,
        "rows": rows,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "seconds": round(time.monotonic() - begun, 1),
        "database_mb": round((folder / "year.db").stat().st_size / 1e6, 1),
        "report_mb": round((folder / "report.zip").stat().st_size / 1e6, 1),
    }
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
