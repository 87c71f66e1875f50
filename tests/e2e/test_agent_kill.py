"""kill -9 while an agent spools and hands in: every measurement arrives, and arrives once."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from monitor.agent.collector_clock import AgentClock
from tests.lab.certificates import authority
from tests.worlds.agent_collector import collecting
from tests.worlds.agent_world import until_empty, world

ROOT = Path(__file__).parents[2]
KILLS = 5


async def _work_and_be_killed(folder: Path, url: str, after: float) -> set[str]:
    """Ids of the measurements that were durable by the time the worker was killed, so long after
    its first."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.e2e.agent_worker", str(folder), url),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    first = await process.stdout.readline()
    reading = asyncio.create_task(process.stdout.read())
    await asyncio.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    rest = await reading
    await process.wait()
    lines = (first + rest).decode().splitlines()
    assert all(line.startswith("put ") for line in lines)
    return {name for line in lines for name in line.split()[1:]}


@pytest.mark.parametrize("lost_receipts", [pytest.param(0, marks=pytest.mark.soak), 3])
async def test_five_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, lost_receipts: int
) -> None:
    """At random moments, some right after the collector stored a batch and could not say so. What a
    worker said was durable is there once; what it did not come to say may be there, once."""
    rng = random.Random(5)
    async with collecting(authority()) as (collector, _):
        one = world(tmp_path, authority(), collector)
        durable: set[str] = set()
        for _kill in range(KILLS):
            collector.lose_receipts = lost_receipts
            durable |= await _work_and_be_killed(tmp_path, collector.url, rng.uniform(0.05, 0.8))
        before_the_last = len(collector.batches)
        collector.lose_receipts = 0
        await one.spool.open()
        async with one.courier(AgentClock(one.time.machine)):
            await until_empty(one.spool, 60.0)
        holding = await one.spool.holding()
        await one.spool.close()
    assert before_the_last > 0
    assert (holding.dropped, holding.aside) == (0, ())
    arrived = collector.measurements()
    assert durable <= set(arrived)
    assert set(arrived.values()) == {1}
    assert len(arrived) - len(durable) <= KILLS * 6  # one cycle each, cut off before its word
    bodies = dict(collector.sent)
    assert all(bodies[name] == body for name, body in collector.sent)
