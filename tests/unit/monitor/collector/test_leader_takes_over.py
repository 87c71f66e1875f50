"""What changes while a collector takes over the lead holds for what it judges then."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from monitor.agent.batch_delivery import LONGEST
from monitor.analysis.events.event import EventState
from monitor.collector.leader import AGENTS_RETURN, Leader
from monitor.recording.recorder import Recorder
from probes.vantage import VantagePoint
from storage.values.checkpoint import Checkpoint
from storage.values.fleet import Quarantine, WaitingCycle
from tests.collector.world import settings
from tests.unit.monitor.analysis.events.test_events import judged
from tests.unit.monitor.recording.test_recorder import cycle
from tests.worlds.build import START
from tests.worlds.collector_world import Clock, publisher_of, until
from tests.worlds.memory_store import MemoryStore

DECIDED = Quarantine(
    vantage="khi-ptcl", country="PK", since=None, until=None, reason="tampered with", at=START
)


class Slow(MemoryStore):
    """A store whose history takes long to read."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.read = asyncio.Event()

    async def checkpoints(self) -> list[Checkpoint]:
        """As every store does, once it is let."""
        self.asked.set()
        await self.read.wait()
        return await super().checkpoints()


class Sought(MemoryStore):
    """A store that counts how often it was asked what waits."""

    sought = 0

    async def waiting(self, *which: Any, **how: Any) -> list[WaitingCycle]:
        """As every store does."""
        self.sought += 1
        return await super().waiting(*which, **how)

    def sought_since(self, count: int) -> bool:
        """Whether a leader went through all it does, after it had asked so often."""
        return self.sought > count + 6


async def test_a_quarantine_during_the_takeover_counts() -> None:
    """A leader read the quarantines, went through history for minutes, and took what it read then
    for what it had applied: a vantage that a person had quarantined meanwhile went on to accuse."""
    store, used = Slow(), settings()
    await store.open()
    leader = Leader(used, store, publisher_of(used, Clock()), now=Clock(), ask_every=0.02)
    task = asyncio.create_task(leader.run())
    await store.asked.wait()
    await store.quarantine(DECIDED)
    store.read.set()
    await until(lambda: leader.leading)
    recorder = leader._recorder
    assert recorder is not None
    await until(lambda: recorder._quarantined.covers("khi-ptcl", START), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Led(MemoryStore):
    """A store of which another collector has the lead."""

    async def lead(self) -> bool:
        """Never."""
        return False


async def test_a_collector_that_does_not_lead_shows_who_is_in_quarantine() -> None:
    """Of two collectors, the page of the one that does not judge went on to count what a vantage in
    quarantine claims."""
    store, clock = Led(), Clock()
    await store.open()
    used = replace(settings(), vantages=(VantagePoint(id="khi-ptcl", country="PK"),))
    publisher = publisher_of(used, clock)
    await store.quarantine(DECIDED)
    leader = Leader(used, store, publisher, now=clock, ask_every=0.02)
    task = asyncio.create_task(leader.run())
    await until(lambda: any(view.quarantined for view in publisher.snapshot.vantages), 5)
    assert not leader.leading
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reload_during_the_takeover_counts() -> None:
    """So did a reload: until the next one, the leader judged by the file as it was before."""
    store, used = Slow(), settings()
    await store.open()
    leader = Leader(used, store, publisher_of(used, Clock()), now=Clock(), ask_every=0.02)
    task = asyncio.create_task(leader.run())
    await store.asked.wait()
    new = replace(used, interval=2 * used.interval)
    await leader.use(new)
    store.read.set()
    await until(lambda: leader.leading)
    recorder, queue = leader._recorder, leader._queue
    assert recorder is not None
    assert queue is not None
    await until(lambda: recorder._settings.interval == new.interval, 5)
    assert queue._received._settings.interval == new.interval
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_pause_of_the_collectors_is_nobodys_silence() -> None:
    """After an hour in which no collector ran, half a minute of leading was enough to say that
    nobody observes a block any more. Agents, which had measured all along, bring what they have
    within a quarter of an hour."""
    store, clock = Sought(), Clock()
    await store.open()
    used = replace(settings(), vantages=(VantagePoint(id="khi-ptcl", country="PK"),))
    before = Recorder(used, store, publisher_of(used, clock), now=clock)
    for number, letter in enumerate("..BBB"):
        await before.record(cycle(letter, number))
    clock.at = judged(4) + timedelta(hours=1)
    leader = Leader(used, store, publisher_of(used, clock), now=clock, ask_every=0.02, pause=0.01)
    task = asyncio.create_task(leader.run())
    await until(lambda: leader.leading)
    states = []
    for passed in (timedelta(), timedelta(seconds=LONGEST), timedelta(minutes=5)):
        clock.at += passed
        seen = store.sought
        await until(partial(store.sought_since, seen))
        states += [event.state for event in await store.active_events()]
    assert timedelta(seconds=LONGEST) < AGENTS_RETURN
    assert states == [EventState.CONFIRMED, EventState.CONFIRMED, EventState.UNOBSERVED]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
