"""A collector in virtual time, for `memory.py`: five agents and three controls, each with a cycle
in every interval.

What a collector does with each: open, check and store the sealed batch, judge, detect, store,
publish. Agents and time are made up; HTTP comes without a socket. A platform is blocked for all of
one country in every third hundred of cycles.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from benchmarks import fleet_agents
from benchmarks.ingest_rows import COLLECTOR
from benchmarks.signed_batches import Agent, sent
from monitor.app.run_until_stopped import spare_searches
from monitor.collector.agents_api import AgentApi
from monitor.collector.leader import Leader
from monitor.config.load import default_settings
from monitor.config.settings import CollectorSettings
from monitor.keys.sealing import sealing_key, sealing_text
from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.wire.answers import BATCHES
from probes.sockets.http_client import httpx
from probes.vantage import VantageRole
from storage.open_store import open_store

AGENTS = 5
SELDOM = 30.0
"""Seconds between two looks at an empty queue. Virtual time is idle for hours."""
SEALING = sealing_text(sealing_key(COLLECTOR))


async def live(
    database: str,
    cycles: int,
    interval: float,
    now: Callable[[], datetime],
    done: Callable[[int], bool],
    every: float,
) -> None:
    """So many cycles of each agent, and a scrape every so many seconds. `done` is told after each
    round how many there were, and says whether the block is in force from now on."""
    settings = msgspec.structs.replace(
        default_settings(),
        interval=interval,
        database=database,
        collector=CollectorSettings(listen=("127.0.0.1", 0)),
    )
    store = open_store(database)
    await store.open()
    fleet = [*fleet_agents.fields(AGENTS), *fleet_agents.controls()]
    for one in fleet:
        await store.enrol(one.enrolment(now()))
    counts = IngestCounts()
    clock = asyncio.get_running_loop().time
    app = AgentApi(store, COLLECTOR, lambda: settings, counts, now=now, clock=clock).app()
    publisher = Publisher((), settings.catalog, now, interval=interval, leading=False)
    registry = create_registry(publisher, counts)
    leader = Leader(settings, store, publisher, now=now, ask_every=SELDOM, pause=SELDOM)
    rng, blocked = random.Random(1), False

    async def scrape() -> None:
        while True:
            registry.scrape("")
            await asyncio.sleep(every)

    async def report(one: Agent, late: float) -> None:
        ended = now() - timedelta(seconds=1)
        await asyncio.sleep(late)
        here = blocked and one.point.role is VantageRole.FIELD
        made = fleet_agents.cycle_of(one, settings.catalog, ended, blocked=here, rng=rng)
        request = sent(one, made, SEALING, now())
        answer = await client.post(BATCHES, headers=dict(request.headers), content=request.body)
        assert answer.status_code == 200, answer.text

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        tasks = [asyncio.create_task(leader.run()), asyncio.create_task(scrape())]
        spare_searches()
        begun = now()
        for number in range(cycles):
            await asyncio.gather(*(report(one, rng.uniform(0.5, 8)) for one in fleet))
            over = begun + timedelta(seconds=interval * (number + 1)) - now()
            await asyncio.sleep(max(0.0, over.total_seconds()))
            blocked = done(number + 1)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    await store.close()
