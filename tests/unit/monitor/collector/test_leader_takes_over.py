"""What changes while a collector takes over the lead holds for what it judges then."""

import asyncio

from msgspec.structs import replace

from monitor.collector.leader import Leader
from storage.values.checkpoint import Checkpoint
from storage.values.fleet import Quarantine
from tests.collector.world import settings
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
