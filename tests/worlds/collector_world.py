"""The story of `tests.worlds.rejudge_world` as agents hand it in, and a collector that judges
it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import EventLogEntry
from monitor.collector.leader import Leader
from monitor.config.settings import Settings
from monitor.metrics.publisher import Publisher
from monitor.notify.queued_notices import notices_of
from monitor.notify.settings import Route, Target
from probes.measurement import Measurement
from storage.store import CollectorStore, Store
from storage.values.cycle import StoredCycle
from storage.values.fleet import ReceivedBatch, SeenCycle
from storage.values.outbox import Notice
from tests.contract.listing import EVERYTHING, flat
from tests.worlds.build import START

SOON = timedelta(seconds=2)
"""From the end of a cycle until it is handed in."""


class Clock:
    """A collector's clock, which stands still until it is put forward."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        """UTC."""
        return self.at


class Herald:
    """Has all of every event told to one address."""

    ROUTE = Route(name="newsroom", urls=(Target(name="1-json", url="json://127.0.0.1"),))

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def announce(self, entries: Sequence[EventLogEntry]) -> Sequence[Notice]:
        """As the courier does."""
        return notices_of(entries, (self.ROUTE,), self._now())

    def wake(self) -> None:
        """Nobody delivers here."""


async def story(lived: Store) -> list[tuple[StoredCycle, tuple[Measurement, ...]]]:
    """Each cycle that was recorded, in the order they ended, with its vantage's looks and those
    that controls were asked for since the cycle before it ended, by whomever."""
    looks = await flat(lived.measurements(EVERYTHING))
    cycles = await flat(lived.cycles(EVERYTHING))
    vantage = {cycle.id: cycle.vantage for cycle in cycles}
    asked = [look for look in looks if look.vantage != vantage[look.cycle]]
    told = []
    for cycle in cycles:
        own = [one for one in looks if (one.cycle, one.vantage) == (cycle.id, cycle.vantage)]
        ended = cycle.finished_at.timestamp()
        told.append((cycle, (*own, *(look for look in asked if look.ended_at <= ended))))
        asked = [look for look in asked if look.ended_at > ended]
    return told


async def hand_in(
    store: CollectorStore,
    cycle: StoredCycle,
    looks: Sequence[Measurement],
    clock: Clock,
    *,
    backfilled: bool = False,
) -> None:
    """What an agent and the controls it asked bring of one cycle."""
    if not backfilled:
        clock.at = max(clock.at, cycle.finished_at + SOON)
    of_controls = [look for look in looks if look.vantage != cycle.vantage]
    await store.add_control_measurements(of_controls)
    body = cycle.id.encode()
    batch = ReceivedBatch(
        country=cycle.country,
        vantage=cycle.vantage,
        id=cycle.id,
        fingerprint="ab" * 32,
        sent_at="2024-02-17T12:00:00.000000Z",
        encoding="identity",
        signature="c2lnbmVk",
        body_sha256=hashlib.sha256(body).hexdigest(),
        body=body,
        received_at=clock.at,
    )
    seen = SeenCycle(
        country=cycle.country,
        id=cycle.id,
        vantage=cycle.vantage,
        started_at=cycle.started_at,
        finished_at=cycle.finished_at,
        health=cycle.health,
        backfilled=backfilled,
        measurements=tuple(look for look in looks if look.vantage == cycle.vantage),
    )
    await store.receive(batch, (seen,))


def publisher_of(settings: Settings, clock: Clock) -> Publisher:
    """Of a collector that does not lead yet."""
    return Publisher(settings.vantages, settings.catalog, clock, leading=False)


@asynccontextmanager
async def leading(
    settings: Settings,
    store: CollectorStore,
    clock: Clock,
    publisher: Publisher | None = None,
    *,
    ask_every: float = 0.05,
    pause: float = 0.01,
) -> AsyncIterator[Leader]:
    """A collector's judging half, at work as long as the context lasts. It asks for the lead, and
    for who is enrolled, every `ask_every` seconds, and for cycles that wait every `pause` seconds
    while there are none."""
    at_once = msgspec.structs.replace(settings.collector, order_wait=0.0)
    leader = Leader(
        msgspec.structs.replace(settings, collector=at_once),
        store,
        publisher or publisher_of(settings, clock),
        now=clock,
        notifier=Herald(clock),
        ask_every=ask_every,
        pause=pause,
    )
    task = asyncio.create_task(leader.run())
    try:
        yield leader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for it."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 # what is waited for knows of no events
            await asyncio.sleep(0.01)


async def judged(store: CollectorStore, left: int = 0, seconds: float = 60.0) -> None:
    """Wait until all that was handed in has been judged and stored, or all but the last few."""
    async with asyncio.timeout(seconds):
        while len(await store.waiting(left + 1)) > left:  # noqa: ASYNC110 # nor does this
            await asyncio.sleep(0.02)
