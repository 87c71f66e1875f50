"""One collector judges what waits, on every store: the same events come of it as on the spot,
whoever leads and however often that changes."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.verdict import PlatformVerdict, State
from monitor.config.settings import Settings
from monitor.metrics.publisher import Publisher
from probes.testing import VirtualClockLoop
from storage.store import CollectorStore, Store
from storage.values.cycle import StoredCycle
from storage.values.outbox import Notice
from tests.contract.conftest import MakeStore
from tests.contract.listing import EVERYTHING, flat
from tests.lab.certificates import authority
from tests.worlds.collector_world import Clock, hand_in, judged, leading, publisher_of, story, until
from tests.worlds.memory_store import MemoryStore
from tests.worlds.rejudge_world import JAZZ, recorded, settings


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The installation of the story."""
    path = tmp_path_factory.mktemp("trust") / "anchor.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return settings(str(path))


@pytest.fixture(scope="module")
def lived(configured: Settings) -> MemoryStore:
    """The story as a monitor by itself recorded it."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(recorded(configured))


@pytest.fixture(scope="module")
def alone(configured: Settings, lived: MemoryStore) -> MemoryStore:
    """What a collector makes of it that leads all the time."""

    async def lead() -> MemoryStore:
        clock, store = Clock(), MemoryStore()
        await store.open()
        async with leading(configured, store, clock):
            for cycle, looks in await story(lived):
                await hand_in(store, cycle, looks, clock)
            await judged(store)
        return store

    return asyncio.run(lead())


def facts(events: list[Event]) -> dict[str, Event]:
    """Events by id, without when they were last looked at."""
    return {event.id: replace(event, updated_at=event.detected_at) for event in events}


def told(notices: list[Notice]) -> set[tuple[str, ...]]:
    """What is to be told, apart from when."""
    return {tuple(map(str, (*notice.key, notice.occasion))) for notice in notices}


async def test_what_is_handed_in_makes_the_events_that_were_seen_on_the_spot(
    store: CollectorStore, lived: MemoryStore, configured: Settings
) -> None:
    """Every cycle of the story handed in when it ended: events and platform verdicts are those of
    the monitor that lived it, and nothing waits any more."""
    clock = Clock()
    cycles = await story(lived)
    async with leading(configured, store, clock):
        for cycle, looks in cycles:
            await hand_in(store, cycle, looks, clock)
        await judged(store)
    assert facts(await flat(store.events(EVERYTHING))) == facts(
        await flat(lived.events(EVERYTHING))
    )
    assert await _platforms(store) == await _platforms(lived)
    assert await store.waiting(10) == []


async def _platforms(store: Store) -> dict[tuple[str, str], PlatformVerdict]:
    """Platform verdicts without the moment: a collector judges at the end of the cycle."""
    return {
        (v.cycle, v.platform): replace(v, judged_at=v.started_at)
        for v in await flat(store.platforms(EVERYTHING))
    }


async def test_time_passes_though_no_agent_reports(
    store: CollectorStore, lived: MemoryStore, configured: Settings
) -> None:
    """Half an hour after the last batch of all agents no block is said to go on as it did."""
    clock = Clock()
    async with leading(configured, store, clock):
        for cycle, looks in await story(lived):
            await hand_in(store, cycle, looks, clock)
            await judged(store)
            if before := await _active_blocks(store):
                break
        assert EventState.UNOBSERVED not in before.values()
        clock.at += timedelta(minutes=45)
        async with asyncio.timeout(60):
            # What is waited for knows of no events.
            while set((await _active_blocks(store)).values()) != {EventState.UNOBSERVED}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert (await _active_blocks(store)).keys() == before.keys()


async def _active_blocks(store: Store) -> dict[str, EventState]:
    active = await store.active_events()
    return {one.id: one.state for one in active if one.kind is EventKind.BLOCK}


@pytest.mark.parametrize(
    "share",
    [0.5, *(pytest.param(share, marks=pytest.mark.soak) for share in (0.2, 0.8))],
)
async def test_whoever_takes_over_goes_on_and_nobody_is_told_twice(
    make_store: MakeStore,
    lived: MemoryStore,
    alone: MemoryStore,
    configured: Settings,
    share: float,
) -> None:
    """One leads and is gone in the middle of its work, wherever that is; another takes over.
    Events, their logs and what is to be told of them are those of one that led all the time."""
    cycles = await story(lived)
    first, second = make_store(), make_store()
    await first.open()
    await second.open()
    clock = Clock()
    for cycle, looks in cycles:
        await hand_in(first, cycle, looks, clock)
    async with leading(configured, first, clock):
        await judged(first, len(cycles) - int(share * len(cycles)))
    await first.close()
    if second is first:
        await second.open()
    async with leading(configured, second, clock) as leader:
        await until(lambda: leader.leading)
        await judged(second)
        assert leader.ready() == (True, "ready, leading")
    assert facts(await flat(second.events(EVERYTHING))) == facts(
        await flat(alone.events(EVERYTHING))
    )
    logs = {
        event: await flat(second.event_log(event))
        for event in facts(await flat(alone.events(EVERYTHING)))
    }
    for event, log in logs.items():
        assert log == await flat(alone.event_log(event))
    assert told(await second.outbox()) == told(await alone.outbox())
    assert len(await second.outbox()) == len(told(await second.outbox())) > 2
    await second.close()


async def test_only_one_of_two_leads_and_the_other_shows_what_is_stored(
    make_store: MakeStore, lived: MemoryStore, configured: Settings
) -> None:
    """The one that does not lead tells so, judges nothing, and shows states and events as they are
    in the database, whatever it saw itself."""
    first, second = make_store(), make_store()
    await first.open()
    await second.open()
    clock, cycles = Clock(), await story(lived)
    shown, followed = publisher_of(configured, clock), publisher_of(configured, clock)
    async with leading(configured, first, clock, shown) as one:
        await until(lambda: one.leading)
        async with leading(configured, second, clock, followed) as other:
            for cycle, looks in cycles[: len(cycles) // 2]:
                await hand_in(second, cycle, looks, clock)
            await judged(second)
            clock.at += timedelta(seconds=61)
            await until(lambda: _states(followed) == _states(shown))
            assert not other.leading
            assert other.ready() == (True, "ready, another one leads")
            assert (shown.snapshot.leading, followed.snapshot.leading) == (True, False)
            assert followed.snapshot.events.keys() == shown.snapshot.events.keys()
    await first.close()
    await second.close()


def _states(publisher: Publisher) -> dict[tuple[str, str], State]:
    views = publisher.snapshot.vantages
    return {(v.vantage, v.platform): v.state for view in views for v in view.platforms}


async def test_what_comes_late_changes_history_and_nothing_that_is_shown_as_now(
    store: CollectorStore, lived: MemoryStore, configured: Settings
) -> None:
    """All cycles of an agent handed in after those of all others: the blocks are those there would
    have been in time. No counter and no time of a last report moves."""
    clock, cycles = Clock(), await story(lived)
    late = [one for one in cycles if one[0].vantage == JAZZ.id]
    publisher = publisher_of(configured, clock)
    for cycle, looks in late:
        # Controls look when they are asked, whenever the agent hands in what it asked for.
        await store.add_control_measurements([one for one in looks if one.vantage != cycle.vantage])
    async with leading(configured, store, clock, publisher):
        in_time = [one for one in cycles if one not in late]
        for cycle, looks in in_time[:-1]:
            await hand_in(store, cycle, looks, clock)
        await _shown(publisher, store, in_time[-2][0])
        last, of_last = in_time[-1]
        before = _live(publisher, but=last.vantage)
        for cycle, looks in late:
            await hand_in(store, cycle, looks, clock, backfilled=True)
        await judged(store)
        # One is shown after the other: what this finds was there after all late ones.
        await hand_in(store, last, of_last, clock)
        await _shown(publisher, store, last)
        assert _live(publisher, but=last.vantage) == before
    assert await _platforms(store) == await _platforms(lived)
    blocks = _blocks(await flat(store.events(EVERYTHING)))
    assert blocks == _blocks(await flat(lived.events(EVERYTHING)))


async def _shown(publisher: Publisher, store: CollectorStore, cycle: StoredCycle) -> None:
    """Wait until nothing waits and this cycle, the last, is shown: it is so once it is stored."""
    await judged(store)
    reported = (cycle.vantage, cycle.finished_at)
    await until(
        lambda: reported in {(v.point.id, v.last_report_at) for v in publisher.snapshot.vantages}
    )


def _live(publisher: Publisher, but: str) -> object:
    """All counters and times of every vantage but one."""
    return [
        (view.point.id, view.probes, view.failures, view.bytes_used, view.last_report_at)
        for view in publisher.snapshot.vantages
        if view.point.id != but
    ]


def _blocks(events: list[Event]) -> set[tuple[object, ...]]:
    """What is claimed by those that stand."""
    return {
        (e.country, e.platform, e.state, e.onset_earliest, e.onset_latest, e.end_latest)
        for e in events
        if e.kind is EventKind.BLOCK and e.state is not EventState.WITHDRAWN
    }
