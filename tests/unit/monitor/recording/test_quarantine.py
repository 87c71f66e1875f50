"""Quarantine: what a person leaves out of events, afterwards too, and takes in again."""

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from monitor.analysis.events.event import EventKind, EventState
from monitor.judging.quarantine import NOBODY, Quarantined
from monitor.metrics.publisher import Publisher
from monitor.recording.recorder import Recorder
from probes.vantage import VantagePoint
from storage.store import StorageError
from storage.values.fleet import Quarantine
from storage.values.prunable import Prunable
from tests.contract.cycles import at as moment
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.analysis.events.test_events import JAZZ, PTCL, ZONG, at
from tests.unit.monitor.recording.test_recorder import SETTINGS, CountingStore, blocks, cycle
from tests.worlds.memory_store import MemoryStore

POINTS = tuple(
    VantagePoint(id=name, country="PK", asn=asn) for name, asn in ((PTCL, 17557), (JAZZ, 45669))
)
BOTH = msgspec.structs.replace(SETTINGS, vantages=POINTS)


def decided(vantage: str, since: int | None = None, until: int | None = None) -> Quarantine:
    """A vantage left out from one cycle to before another."""
    return Quarantine(
        vantage=vantage,
        country="PK",
        since=None if since is None else at(since),
        until=None if until is None else at(until),
        reason="tampered with",
        at=moment(0),
    )


async def begun(store: MemoryStore, left_out: Sequence[Quarantine] = ()) -> Recorder:
    """A process that has just started, as `run` starts it."""
    publisher = Publisher(BOTH.vantages, BOTH.catalog, lambda: at(0))
    made = Recorder(BOTH, store, publisher, now=lambda: at(0))
    await made.quarantine(left_out)
    await made.restore()
    return made


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """An hour in which one vantage claims a block and another one finds none."""
    opened = MemoryStore()
    await opened.open()
    process = await begun(opened)
    for number, letter in enumerate("....BBBB"):
        await process.record(cycle(letter, number, PTCL))
        await process.record(cycle(".", number, JAZZ))
    assert [event.state for event in (await blocks(opened)).values()] == [EventState.CONFIRMED]
    yield opened
    await opened.close()


async def test_an_event_of_a_vantage_left_out_is_withdrawn(store: MemoryStore) -> None:
    """What one vantage alone brought about is taken back when it is quarantined, with a line in the
    log, and stays taken back after a restart."""
    process = await begun(store)
    await process.quarantine([decided(PTCL)])
    await process.record(cycle(".", 8, JAZZ))
    assert not await blocks(store)
    (event,) = await flat(store.events(EVERYTHING))
    assert event.state is EventState.WITHDRAWN
    assert [e.change for e in await flat(store.event_log(event.id))][-1] == "withdrawn"
    again = await begun(store, [decided(PTCL)])
    await again.record(cycle("B", 9, PTCL))
    await again.record(cycle(".", 9, JAZZ))
    assert not await blocks(store)
    assert len(await flat(store.event_log(event.id))) == 3


async def test_released_it_counts_again(store: MemoryStore) -> None:
    """A quarantine that is taken back leaves the record as if it had never been."""
    straight = await blocks(store)
    process = await begun(store)
    await process.quarantine([decided(PTCL)])
    await process.record(cycle(".", 8, JAZZ))
    await process.quarantine([])
    await process.record(cycle(".", 9, JAZZ))
    assert {e.id: e.confirmed_at for e in (await blocks(store)).values()} == {
        e.id: e.confirmed_at for e in straight.values()
    }


async def test_decided_while_nothing_ran(store: MemoryStore) -> None:
    """A decision made while the monitor was down is acted on when it starts."""
    process = await begun(store, [decided(PTCL)])
    await process.record(cycle(".", 8, JAZZ))
    assert not await blocks(store)


@pytest.mark.parametrize("runs", [True, False])
async def test_of_a_vantage_that_moved_nothing_counts_anywhere(
    store: MemoryStore, runs: bool
) -> None:
    """A quarantine has the country where the vantage is by now. What it claimed elsewhere before is
    left out too, whether or not the monitor runs meanwhile, and counts again afterwards."""
    moved = msgspec.structs.replace(decided(PTCL), country="IN")
    process = await begun(store, [] if runs else [moved])
    if runs:
        await process.quarantine([moved])
    await process.record(cycle(".", 8, JAZZ))
    assert not await blocks(store)
    await process.quarantine([])
    await process.record(cycle(".", 9, JAZZ))
    assert await blocks(store)


async def test_decided_while_nothing_ran_elsewhere(store: MemoryStore) -> None:
    """It concerns one country. All of history was read for it, and events that follow from no
    verdict were lost: a vantage that is silent, a shutdown, were shown no more."""
    process = await begun(store)
    for number in range(8, 30):
        await process.record(cycle(".", number, JAZZ))
    active = {event.kind: event.id for event in process.book.active}
    assert EventKind.VANTAGE_SILENT in active
    log = await flat(store.event_log(active[EventKind.VANTAGE_SILENT]))
    again = await begun(store, [decided(ZONG)])
    assert {event.kind: event.id for event in again.book.active} == active
    await again.record(cycle(".", 30, JAZZ))
    assert await flat(store.event_log(active[EventKind.VANTAGE_SILENT])) == log


async def test_of_a_country_with_a_quarantine_a_restart_goes_on_as_well() -> None:
    """A platform that nobody measures any more, and whose verdicts retention deleted, has a state
    of before the quarantine for ever. For its sake each start went through all of history."""
    store = CountingStore()
    await store.open()
    process = await begun(store)
    gone = msgspec.structs.replace(cycle(".", 0, JAZZ).platforms[0], platform="gone")
    await process.record(msgspec.structs.replace(cycle(".", 0, JAZZ), platforms=(gone,)))
    async for _ in store.prune(Prunable.PLATFORM_VERDICT, at(1)):
        pass
    for number in range(1, 300):
        await process.record(cycle(".", number, JAZZ))
    await process.quarantine([decided(ZONG)])
    await process.record(cycle(".", 300, JAZZ))
    store.read = 0
    again = await begun(store, [decided(ZONG)])
    assert store.read == 0
    assert again.book.places["PK", "x"].current == process.book.places["PK", "x"].current


async def test_only_within_its_bounds(store: MemoryStore) -> None:
    """What was seen before the time from which a vantage is left out still stands."""
    process = await begun(store)
    await process.quarantine([decided(PTCL, since=6)])
    await process.record(cycle(".", 8, JAZZ))
    (event,) = (await blocks(store)).values()
    assert event.confirmed_at is not None
    await process.quarantine([decided(PTCL, until=7)])
    await process.record(cycle(".", 9, JAZZ))
    assert [e.state for e in (await blocks(store)).values()] == [EventState.SUSPECTED]


async def test_nothing_it_saw_is_lost(store: MemoryStore) -> None:
    """The verdicts of a vantage that is left out are stored all the same."""
    process = await begun(store, [decided(PTCL)])
    await process.record(cycle("B", 8, PTCL))
    stored = await flat(store.platforms(EVERYTHING))
    assert len([one for one in stored if one.vantage == PTCL]) == 9


async def test_a_failing_store_changes_nothing(store: MemoryStore) -> None:
    """When history cannot be read, the decision is not half carried out."""
    process = await begun(store)
    before = process.book
    await store.close()
    with pytest.raises(StorageError):
        await process.quarantine([decided(PTCL)])
    assert process.book is before
    await store.open()
    await process.quarantine([decided(PTCL)])
    await process.record(cycle(".", 8, JAZZ))
    assert not await blocks(store)


def test_what_differs() -> None:
    """Countries are told apart: one country's decision concludes nothing anew in another."""
    one = Quarantined([decided(PTCL)])
    assert one.differing(Quarantined([decided(PTCL)])) == frozenset()
    assert one.differing(NOBODY) == {"PK"} == NOBODY.differing(one)
    assert one.digest("PK") != Quarantined([decided(PTCL, since=3)]).digest("PK")
    assert not one.digest("BR")


async def test_whoever_stands_alone_is_shown(store: MemoryStore) -> None:
    """On how many platforms a vantage differs from its neighbours is shown, and who is left out."""
    neighbours = [VantagePoint(id=name, country="PK", asn=17557) for name in ("a", "b", "c")]
    settings = msgspec.structs.replace(SETTINGS, vantages=tuple(neighbours))
    publisher = Publisher(settings.vantages, settings.catalog, lambda: at(9))
    process = Recorder(settings, store, publisher, now=lambda: at(9))
    for number in range(9):
        for one in neighbours:
            letter = "B" if one.id == "a" and number > 4 else "."
            seen = cycle(letter, number, one.id)
            platform = msgspec.structs.replace(seen.platforms[0], asn=17557)
            await process.record(msgspec.structs.replace(seen, platforms=(platform,)))
    views = {view.point.id: view for view in publisher.snapshot.vantages}
    assert {name: view.outlier_platforms for name, view in views.items()} == {
        "a": 1,
        "b": 0,
        "c": 0,
    }
    assert not any(view.quarantined for view in views.values())
    await process.quarantine([decided("a")])
    await process.record(cycle(".", 9, "b"))
    views = {view.point.id: view for view in publisher.snapshot.vantages}
    assert [view.quarantined for view in views.values()] == [True, False, False]


async def test_after_a_restart_who_is_left_out_counts_for_nothing_at_once(
    store: MemoryStore,
) -> None:
    """Until the first cycle of its country, what it claimed before counted as a block on its
    network."""
    publisher = Publisher(BOTH.vantages, BOTH.catalog, lambda: at(8))
    process = Recorder(BOTH, store, publisher, now=lambda: at(8))
    await process.quarantine([decided(PTCL)])
    await process.restore()
    snapshot = publisher.snapshot
    assert [view.quarantined for view in snapshot.vantages] == [True, False]
    blocking, known = snapshot.networks_blocked(at(8))["PK", "x"]
    assert (len(blocking), known) == (0, 1)
