"""A quarantine that begins and ends on PostgreSQL while another process counts, or reads."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from storage.open_store import sql_store
from storage.values.rollup import Period
from storage.values.selection import Selection
from tests.contract.agents import quarantine
from tests.contract.listing import flat
from tests.worlds.postgresql import Cluster

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]
CYCLES = 400

COLLECTOR = f"""
import asyncio, sys
from monitor.analysis.verdict import State
from storage.open_store import sql_store
from tests.contract.test_store_tallies import judged

async def main(url):
    store = sql_store(url)
    await store.open()
    assert await store.lead()
    print("leads", flush=True)
    for number in range({CYCLES}):
        await store.save(judged(number, State.BLOCKED, seconds=1.0))
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


async def test_nobody_counts_while_a_quarantine_begins_or_ends(
    cluster: Cluster, database: str
) -> None:
    """A collector stores cycle after cycle, and another process holds and releases its vantage all
    the time: each time everything that is stored is counted the one way or the other."""
    url = cluster.url(database)
    store = sql_store(url)
    await store.open()

    async def counted() -> set[tuple[int, int]]:
        rows = [
            row
            for period in (Period.HOUR, Period.DAY)
            for row in await flat(store.availability(Selection(period=period)))
        ]
        return {(row.blocked, row.insufficient) for row in rows}

    collector = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COLLECTOR, url),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert collector.stdout is not None
    assert await collector.stdout.readline() == b"leads\n"
    ended = asyncio.create_task(collector.wait())
    changes = 0
    while not ended.done():
        await store.quarantine(quarantine())
        assert await store.release("khi-ptcl")
        changes += 1
    assert await ended == 0
    assert changes > 10
    assert await counted() == {(CYCLES, 0)}
    await store.quarantine(quarantine())
    assert await counted() == {(0, CYCLES)}
    await store.close()


async def test_a_backup_delays_no_quarantine(cluster: Cluster, database: str) -> None:
    """`pg_dump` reads every table for as long as it takes, which is hours."""
    store = sql_store(cluster.url(database), busy_timeout=0.5)
    await store.open()
    with cluster.connect(database) as backup, backup.transaction():
        backup.execute("LOCK TABLE quarantine IN ACCESS SHARE MODE")
        await store.quarantine(quarantine())
        assert await store.release("khi-ptcl")
    await store.close()
