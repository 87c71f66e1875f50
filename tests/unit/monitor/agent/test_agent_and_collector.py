"""An agent and the collector that is shipped, over real TLS: they mean the same."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette

from monitor.agent.collector_clock import AgentClock
from monitor.collector.agents_api import create_agent_api
from monitor.config.load import default_settings
from monitor.keys.keys import fingerprint, public_text
from monitor.metrics.ingest_counts import IngestCounts
from storage.values.fleet import Enrolment
from storage.values.selection import Selection
from tests.lab.certificates import authority
from tests.worlds.agent_collector import AGENT_KEY, KEY, Collector, Server
from tests.worlds.agent_world import VANTAGE, until, until_empty, world
from tests.worlds.memory_store import MemoryStore

FORTY_YEARS = 40 * 365.25 * 86400


class Shipped(Collector):
    """The real thing, over a store in memory."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store = store

    def app(self) -> Starlette:
        """The agents' API as it is served."""
        settings = default_settings()
        return create_agent_api(self._store, KEY, lambda: settings, IngestCounts())


ENROLMENT = Enrolment(
    vantage=VANTAGE,
    country="PK",
    asn=17557,
    network="PTCL",
    role="field",
    key=public_text(AGENT_KEY),
    fingerprint=fingerprint(public_text(AGENT_KEY)),
    enrolled_at=datetime(2024, 1, 1, tzinfo=UTC),
)
"""As what the cycles say they are."""


@pytest.mark.parametrize("behind", [0.0, FORTY_YEARS])
async def test_what_an_agent_hands_in_is_stored_by_the_collectors_time(
    tmp_path: Path, behind: float
) -> None:
    """Every measurement is in the store once, at the time it was, and settings came back."""
    store = MemoryStore()
    await store.open()
    collector = Shipped(store)
    server = Server(collector, authority())
    await server.start()
    try:
        one = world(tmp_path, authority(), collector)
        one.time.behind = behind
        clock = AgentClock(one.time.machine)
        await one.spool.open()
        await store.enrol(ENROLMENT)
        await one.fill(3, clock)
        async with one.courier(clock):
            await until_empty(one.spool)
            await until(lambda: one.ordered)
        assert (await one.spool.holding()).aside == ()
        await one.spool.close()
    finally:
        await server.stop()
    stored = [look async for page in store.measurements(Selection()) for look in page]
    assert sorted(look.id for look in stored) == sorted(one.put)
    now = datetime.now(UTC)
    assert all(abs((now - look.started_at).total_seconds()) < 60 for look in stored)
