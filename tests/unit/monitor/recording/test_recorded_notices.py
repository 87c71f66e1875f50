"""The notices that the recorder stores for delivery."""

import asyncio
from collections.abc import Sequence

from monitor.analysis.events.event import EventLogEntry
from monitor.metrics.publisher import Publisher
from monitor.notify.queued_notices import notices_of
from monitor.recording.backlog import MOST
from monitor.recording.recorder import Recorder
from storage.values.outbox import Notice
from tests.contract.listing import flat
from tests.unit.monitor.analysis.events.test_events import at
from tests.unit.monitor.recording.test_recorder import SETTINGS, STORY, blocks, cycle
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import route


class Listener:
    """A notifier that announces everything, and counts how often it was woken."""

    def __init__(self) -> None:
        self.woken = 0

    def announce(self, entries: Sequence[EventLogEntry]) -> tuple[Notice, ...]:
        """All of it."""
        return notices_of(entries, [route(minimum="suspected")], at(len(STORY)))

    def wake(self) -> None:
        """Count."""
        self.woken += 1


async def process(store: MemoryStore, listener: Listener | None) -> Recorder:
    """A process that has just started."""
    publisher = Publisher(SETTINGS.vantages, SETTINGS.catalog, lambda: at(0))
    made = Recorder(SETTINGS, store, publisher, now=lambda: at(0), notifier=listener)
    await made.restore()
    return made


async def occasions(store: MemoryStore) -> list[str]:
    """Of all notices, in the order of the log."""
    rows = sorted(await store.outbox(), key=lambda one: one.sequence)
    return [one.occasion for one in rows]


async def test_every_line_worth_telling_has_its_notice() -> None:
    """Stored with the cycle, whatever the process did between cycles."""
    store, listener = MemoryStore(), Listener()
    await store.open()
    for one in STORY:
        recorder = await process(store, listener)
        await recorder.record(one)
    straight = await occasions(store)
    assert straight[:2] == ["suspected", "confirmed"]
    assert "ended" in straight
    assert listener.woken >= 3
    again, other = MemoryStore(), Listener()
    await again.open()
    recorder = await process(again, other)
    for one in [*STORY, *STORY]:
        await recorder.record(one)
    assert await occasions(again) == straight


async def test_notices_wait_with_their_cycle_while_the_store_fails() -> None:
    """Nobody is woken for what is not stored, and nothing is lost."""
    store, listener = MemoryStore(), Listener()
    await store.open()
    recorder = await process(store, listener)
    await store.close()
    for one in STORY[:25]:
        await recorder.record(one)
    assert listener.woken == 0
    await store.open()
    await recorder.record(STORY[25])
    assert (await occasions(store))[:2] == ["suspected", "confirmed"]
    assert listener.woken > 0


async def test_notices_outlive_cycles_that_are_given_up() -> None:
    """A disk that is full for longer than cycles are kept takes measurements, and nothing of an
    event: its notices and the lines of its log went with the cycles, so nobody was ever told."""
    store, listener = MemoryStore(), Listener()
    await store.open()
    recorder = await process(store, listener)
    letters = "." * 20 + "B" * (MOST + 20)
    story = [cycle(letter, number) for number, letter in enumerate(letters)]
    for one in story[:20]:
        await recorder.record(one)
    await store.close()
    for one in story[20:-1]:
        await recorder.record(one)
    await store.open()
    await recorder.record(story[-1])
    assert (await occasions(store))[:2] == ["suspected", "confirmed"]
    (event,) = recorder.book.active
    assert set(await blocks(store)) == {event.id}
    log = await flat(store.event_log(event.id))
    assert [one.sequence for one in log] == list(range(1, len(log) + 1))
    again = await process(store, listener)
    assert [one.id for one in again.book.active] == [event.id]


async def test_without_a_herald_nobody_is_told() -> None:
    """The outbox stays empty."""
    store = MemoryStore()
    await store.open()
    recorder = await process(store, None)
    for one in STORY:
        await recorder.record(one)
        await asyncio.sleep(0)
    assert await store.outbox() == []
