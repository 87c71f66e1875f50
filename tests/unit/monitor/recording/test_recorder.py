"""What the recorder does with cycles that come late, come again, or come after a restart."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from monitor.analysis.events.event import Event, EventKind, EventLogEntry, EventState
from monitor.analysis.verdict import PlatformVerdict
from monitor.config.load import default_settings
from monitor.config.settings import Settings
from monitor.metrics.publisher import Publisher
from monitor.recording.backlog import MOST
from monitor.recording.recorder import Recorder
from probes.vantage import VantagePoint, VantageRole
from storage.store import StorageError
from storage.values.checkpoint import Checkpoint
from storage.values.cycle import Cycle
from storage.values.outbox import Notice
from storage.values.prunable import Prunable
from storage.values.selection import Selection
from tests.contract.cycles import cycle as any_cycle
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.analysis.events.test_events import at, judged, verdict
from tests.worlds.memory_store import MemoryStore

SETTINGS = msgspec.structs.replace(default_settings())


def cycle(letter: str, number: int, vantage: str = "khi-ptcl") -> Cycle:
    """A whole cycle with one verdict on X, in the letters of test_events."""
    like = any_cycle(number)
    platform = verdict(letter, number, vantage)
    health = msgspec.structs.replace(like.health, vantage=vantage, at=judged(number))
    return msgspec.structs.replace(
        like,
        id=platform.cycle,
        vantage=vantage,
        started_at=at(number),
        finished_at=judged(number),
        health=health,
        measurements=(),
        verdicts=(),
        platforms=(platform,),
    )


class CountingStore(MemoryStore):
    """A store that counts the states written with each cycle."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []
        self.read = 0
        """Verdicts listed."""
        self.recent = 0
        """Verdicts read to restart a detector."""

    async def recent_platforms(self, *which: Any) -> list[PlatformVerdict]:
        """As every store does."""
        found = await super().recent_platforms(*which)
        self.recent += len(found)
        return found

    async def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """As every store does."""
        async for page in super().platforms(selection):
            self.read += len(page)
            yield page

    async def save(
        self,
        cycle: Cycle | None,
        events: Sequence[Event] = (),
        log: Sequence[EventLogEntry] = (),
        checkpoints: Sequence[Checkpoint] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        """As every store does."""
        self.written.append(len(checkpoints))
        await super().save(cycle, events, log, checkpoints, notices)


async def recorder(store: MemoryStore, settings: Settings = SETTINGS) -> Recorder:
    """A process that has just started."""
    publisher = Publisher(settings.vantages, settings.catalog, lambda: at(0))
    made = Recorder(settings, store, publisher, now=lambda: at(0))
    await made.restore()
    return made


async def blocks(store: MemoryStore) -> dict[str, Event]:
    """Stored blocks that were not withdrawn, but for when they were written."""
    found = {}
    for event in await flat(store.events(EVERYTHING)):
        if event.kind is EventKind.BLOCK and event.state is not EventState.WITHDRAWN:
            found[event.id] = msgspec.structs.replace(event, updated_at=event.detected_at)
    return found


async def after(cycles: Iterable[Cycle], restart_every: int = 0) -> dict[str, Event]:
    """The blocks after these cycles, in this order, with a restart now and then."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for number, one in enumerate(cycles, 1):
        await process.record(one)
        if restart_every and number % restart_every == 0:
            process = await recorder(store)
    return await blocks(store)


STORY = [cycle(letter, n) for n, letter in enumerate("." * 20 + "BB" + "." * 30 + "BBB")]


async def test_a_day_in_reverse() -> None:
    """Everything hours late, in the wrong order: the same event comes out."""
    straight = await after(STORY)
    assert [e.state for e in straight.values()] == [EventState.CONFIRMED]
    assert await after(reversed(STORY)) == straight
    assert await after([*STORY[30:], *STORY[:30]]) == straight


async def test_what_comes_hours_late_is_folded_from_an_earlier_state() -> None:
    """Not from the first verdict of all: of two days of a country, one cycle that comes three hours
    late has a few hours gone through again. The events are those of the right order."""
    letters = "." * 300 + "BB" + "." * 100 + "BBBB" + "." * 170
    story = [cycle(letter, number) for number, letter in enumerate(letters)]
    held = list(range(540, 545))
    store = CountingStore()
    await store.open()
    process = await recorder(store)
    for number, one in enumerate(story):
        if number not in held:
            await process.record(one)
    for restarted in (False, True):
        process = await recorder(store) if restarted else process
        for number in held[: 2 if not restarted else None]:
            store.read = 0
            await process.record_late([story[number]])
            assert store.read <= 12 * 15
    assert await blocks(store) == await after(story)


async def test_the_same_cycles_again() -> None:
    """Sent twice, hours apart, nothing counts twice."""
    assert await after([*STORY, *STORY]) == await after(STORY)


async def test_restarts_anywhere() -> None:
    """A process that ends after every cycle, or every few, finds the same."""
    straight = await after(STORY)
    assert await after(STORY, restart_every=1) == straight
    assert await after(STORY, restart_every=7) == straight
    assert await after(reversed(STORY), restart_every=5) == straight


@pytest.mark.parametrize("letters", ["B", "BB", "." * 20 + "BB"])
async def test_a_restart_does_not_read_all_since_a_platform_that_ended(letters: str) -> None:
    """One that is no longer measured, for less than an hour or for long, has a state of then. What
    came since of all others was read at each start, and all of history for the former."""
    store, settings = CountingStore(), _watching("khi-ptcl")
    await store.open()
    process = await recorder(store, settings)
    for number in range(600):
        one = cycle(".", number)
        more = (verdict(letters[number], number, platform="wa"),) if number < len(letters) else ()
        await process.record(msgspec.structs.replace(one, platforms=(*one.platforms, *more)))
    before = process.book
    process = await recorder(store, settings)
    assert store.recent < 100
    assert process.book.active == before.active
    for place, timeline in before.places.items():
        assert process.book.places[place].current == timeline.current
        assert process.book.places[place].last == timeline.last
    for platform, outages in before.outages.items():
        assert process.book.outages[platform].current == outages.current
    assert process.book.vantages.last == before.vantages.last


async def test_states_are_stored_when_they_moved_on() -> None:
    """They hold all vantages of a fleet, so they are not written with each cycle: of sixty cycles
    30 seconds apart, a few carry them once the first hour has passed."""
    store = CountingStore()
    await store.open()
    process = await recorder(store)
    for number in range(240):
        one = cycle(".", 0)
        at_ = at(0) + timedelta(seconds=30 * number)
        health = msgspec.structs.replace(one.health, at=at_)
        platform = msgspec.structs.replace(
            one.platforms[0], cycle=f"c-{number}", started_at=at_, judged_at=at_
        )
        await process.record(
            msgspec.structs.replace(
                one, id=f"c-{number}", finished_at=at_, health=health, platforms=(platform,)
            )
        )
    # A state each of the platform here, of it worldwide, and of the vantages.
    assert store.written[0] == 3
    assert sum(store.written[1:120]) == 0
    assert 0 < sum(store.written[120:]) <= 3 * 60 / 5 + 3


async def test_time_passes_without_any_cycle() -> None:
    """When the only vantage is silent, its event is unobserved after half an hour, wherever it is
    read, and a restart knows it. The next cycle that finds the block goes on with it."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for number, letter in enumerate("..BBB"):
        await process.record(cycle(letter, number))
    await process.pass_time(at(4) + timedelta(minutes=29))
    (event,) = (await blocks(store)).values()
    assert event.state is EventState.CONFIRMED
    await process.pass_time(at(4) + timedelta(minutes=40))
    await process.pass_time(at(4) + timedelta(minutes=41))
    (event,) = (await blocks(store)).values()
    assert event.state is EventState.UNOBSERVED
    assert [one.unobserved for one in event.networks] == [True]
    log = await flat(store.event_log(event.id))
    assert [one.change for one in log].count("unobserved") == 1
    assert log[-1].at == at(4) + timedelta(minutes=40)
    process = await recorder(store)
    assert [one.state for one in process.book.active] == [EventState.UNOBSERVED]
    await process.record(cycle("B", 20))
    (event,) = (await blocks(store)).values()
    assert event.state is EventState.CONFIRMED
    again = await flat(store.event_log(event.id))
    assert [one.sequence for one in again] == list(range(1, len(again) + 1))


@pytest.mark.parametrize("hours", [0, 3])
async def test_a_late_cycle_blocks_nothing_that_nobody_tests(hours: int) -> None:
    """Two hours after the last test a cycle arrives of just before the block, or of long before. It
    finds the platform open, and the event seemed to go on until the next clock's tick."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for number, letter in enumerate("." * 50 + "BBB"):
        await process.record(cycle(letter, number))
    await process.pass_time(at(52) + timedelta(hours=2))
    assert [one.state for one in process.book.active] == [EventState.UNOBSERVED]
    one, shift = cycle(".", 48), timedelta(minutes=2) - timedelta(hours=hours)
    (found,) = one.platforms
    found = msgspec.structs.replace(
        found,
        cycle="late",
        started_at=found.started_at + shift,
        judged_at=found.judged_at + shift,
    )
    late = msgspec.structs.replace(
        one,
        id="late",
        started_at=one.started_at + shift,
        finished_at=one.finished_at + shift,
        health=msgspec.structs.replace(one.health, at=one.health.at + shift),
        platforms=(found,),
    )
    await process.record_late([late])
    (event,) = process.book.active
    assert event.state is EventState.UNOBSERVED
    assert not any(network.blocked_now for network in event.networks)


async def test_a_restart_keeps_how_often_a_vantage_reports() -> None:
    """An agent that measures once an hour is not silent a quarter of an hour after a restart."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for number in (0, 12, 24, 36):
        await process.record(cycle(".", number))
    point = VantagePoint(
        id="khi-ptcl", country="PK", asn=17557, network="PTCL", role=VantageRole.FIELD
    )
    settings = msgspec.structs.replace(SETTINGS, vantages=(point,))
    publisher = Publisher([point], SETTINGS.catalog, lambda: at(0))
    await Recorder(settings, store, publisher, now=lambda: at(0)).restore()
    (view,) = publisher.snapshot.vantages
    assert view.stale_after == 3 * 3600


class FailingStore(MemoryStore):
    """A store that fails while it is told to."""

    failing = False

    async def save(
        self,
        cycle: Cycle | None,
        events: Sequence[Event] = (),
        log: Sequence[EventLogEntry] = (),
        checkpoints: Sequence[Checkpoint] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        """As every store does, or not at all."""
        if self.failing:
            raise StorageError("the disk is full")
        await super().save(cycle, events, log, checkpoints, notices)


@pytest.mark.parametrize("keep", [True, False])
async def test_what_time_changed_is_stored_later_where_the_store_fails(keep: bool) -> None:
    """With the next cycle; a collector gives the lead up instead, and the next one detects it."""
    store = FailingStore()
    await store.open()
    publisher = Publisher(SETTINGS.vantages, SETTINGS.catalog, lambda: at(0))
    process = Recorder(SETTINGS, store, publisher, now=lambda: at(0), keep=keep)
    for number, letter in enumerate("..BBB"):
        await process.record(cycle(letter, number))
    store.failing = True
    moment = at(4) + timedelta(hours=1)
    if keep:
        await process.pass_time(moment)
    else:
        with pytest.raises(StorageError):
            await process.pass_time(moment)
        process = Recorder(SETTINGS, store, publisher, now=lambda: at(0), keep=keep)
        await process.restore()
    store.failing = False
    if not keep:
        await process.pass_time(moment)
    await process.record(cycle("?", 20))
    (event,) = (await blocks(store)).values()
    log = await flat(store.event_log(event.id))
    assert [one.change for one in log].count("unobserved") == 1
    assert event.state is EventState.UNOBSERVED


async def test_the_end_of_an_event_is_shown_after_a_restart_too() -> None:
    """A process that starts after the end shows the same end as the one that saw it."""
    store = MemoryStore()
    await store.open()
    point = VantagePoint(
        id="khi-ptcl", country="PK", asn=17557, network="PTCL", role=VantageRole.FIELD
    )
    publisher = Publisher([point], SETTINGS.catalog, lambda: at(0))
    process = Recorder(SETTINGS, store, publisher, now=lambda: at(0))
    await process.restore()
    for number, letter in enumerate("..BBB......"):
        await process.record(cycle(letter, number))
    (seen,) = publisher.snapshot.ended
    assert (seen.state, seen.end_latest) == (EventState.ENDED, at(5))
    restarted = Publisher([point], SETTINGS.catalog, lambda: at(0))
    await Recorder(SETTINGS, store, restarted, now=lambda: at(0)).restore()
    assert restarted.snapshot.ended == (seen,)
    for number, letter in enumerate("BBB", 20):
        await process.record(cycle(letter, number))
    assert publisher.snapshot.ended == ()


async def test_a_version_that_concludes_differently_goes_through_history() -> None:
    """States of another kind are not used: all is folded anew, and the log goes on."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for one in STORY:
        await process.record(one)
    straight = await blocks(store)
    saved = [
        msgspec.structs.replace(conclusion, kind="another", state="?")
        for conclusion in await store.checkpoints()
    ]
    await store.save(STORY[0], checkpoints=saved)
    process = await recorder(store)
    assert {event.id for event in process.book.active} == {
        event.id for event in straight.values() if event.active
    }
    length = len(STORY)
    await process.record(cycle("B", length))
    longer = await blocks(store)
    assert longer == await after([*STORY, cycle("B", length)])
    (event_id,) = straight
    assert longer[event_id].longer_only(straight[event_id])
    log = await flat(store.event_log(event_id))
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))


async def _without_verdicts(store: MemoryStore) -> None:
    """Retention deletes all that was judged, as it does of a country that nobody measures now."""
    for what in (Prunable.VERDICT, Prunable.PLATFORM_VERDICT):
        async for _ in store.prune(what, at(10**6)):
            pass


def _weeks_later(store: MemoryStore) -> Recorder:
    """A process of then."""
    publisher = Publisher(SETTINGS.vantages, SETTINGS.catalog, lambda: at(0))
    return Recorder(SETTINGS, store, publisher, now=lambda: at(0) + timedelta(days=9))


async def test_a_restart_after_retention_brings_no_ended_block_back() -> None:
    """A volunteer went away within the hour after the end of a block. Their verdicts were deleted,
    and the state stored was that of an hour before, so after a restart the block went on, nobody
    knew how; weeks later its known end was overwritten by an unknown one."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for number, letter in enumerate("." * 20 + "B" * 8 + "." * 12):
        await process.record(cycle(letter, number))
    (event,) = await flat(store.events(EVERYTHING))
    assert event.state is EventState.ENDED
    log = await flat(store.event_log(event.id))
    await _without_verdicts(store)
    process = _weeks_later(store)
    await process.restore()
    assert process.book.active == ()
    await process.pass_time(at(0) + timedelta(days=60))
    assert await flat(store.events(EVERYTHING)) == [event]
    assert await flat(store.event_log(event.id)) == log
    # The volunteer is back, then so is the block: another one.
    for number, letter in enumerate("...BB", 2600):
        await process.record(cycle(letter, number))
    before, after_it = await flat(store.events(EVERYTHING))
    assert before == event
    assert after_it.state is EventState.CONFIRMED
    assert after_it.onset_earliest == at(2602)


async def test_a_restart_after_retention_loses_no_block() -> None:
    """A block began, and a shutdown followed within the hour. After a restart of a week later the
    block was nowhere to be seen, and nothing would ever have closed it."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for number, letter in enumerate("." * 20 + "BB"):
        await process.record(cycle(letter, number))
    await process.pass_time(at(60))
    (event,) = await flat(store.events(EVERYTHING))
    assert event.state is EventState.UNOBSERVED
    log = await flat(store.event_log(event.id))
    await _without_verdicts(store)
    process = _weeks_later(store)
    await process.restore()
    assert process.book.active == (event,)
    await process.pass_time(at(0) + timedelta(days=40))
    (closed,) = await flat(store.events(EVERYTHING))
    assert (closed.id, closed.state, closed.end_latest) == (event.id, EventState.ENDED, None)
    longer = await flat(store.event_log(event.id))
    assert longer[: len(log)] == log
    assert [one.sequence for one in longer] == list(range(1, len(log) + 2))


async def test_what_the_store_refuses_is_not_lost() -> None:
    """Cycles seen while the store fails are stored with the next, their events too."""
    store = MemoryStore()
    await store.open()
    process = await recorder(store)
    for one in STORY[:20]:
        await process.record(one)
    await store.close()
    for one in STORY[20:22]:
        await process.record(one)
    await store.open()
    for one in STORY[22:]:
        await process.record(one)
    assert await blocks(store) == await after(STORY)
    assert len(await store.recent_platforms(at(0) - timedelta(days=1))) == len(STORY)


class UnreadableStore(MemoryStore):
    """A store in which nothing can be read for a while, as on a disk that fails."""

    unreadable = False

    async def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """As every store does, or StorageError."""
        if self.unreadable:
            raise StorageError("disk I/O error")
        async for page in super().platforms(selection):
            yield page


async def test_what_comes_while_nothing_can_be_read_is_not_lost() -> None:
    """A cycle that comes out of order has events detected from what is stored. Where that cannot be
    read, it is shown, and detected and stored with the next one."""
    store = UnreadableStore()
    await store.open()
    publisher = Publisher(SETTINGS.vantages, SETTINGS.catalog, lambda: at(0))
    process = Recorder(SETTINGS, store, publisher, now=lambda: at(0))
    late, rest = STORY[20:22], [*STORY[:20], *STORY[22:]]
    for one in rest[:-2]:
        await process.record(one)
    store.unreadable = True
    for one in late:
        await process.record(one)
    assert publisher.snapshot.storage_errors["read"]
    # What needs no reading goes on.
    await process.record(rest[-2])
    assert len(await flat(store.cycles(EVERYTHING))) == len(rest) - 1
    store.unreadable = False
    for one in rest[-1:]:
        await process.record(one)
    assert await blocks(store) == await after(STORY)
    assert len(await flat(store.cycles(EVERYTHING))) == len(STORY)


async def test_a_lead_is_given_up_while_nothing_can_be_read() -> None:
    """The cycle still waits in the store, and who leads next detects it."""
    store = UnreadableStore()
    await store.open()
    publisher = Publisher(SETTINGS.vantages, SETTINGS.catalog, lambda: at(0))
    process = Recorder(SETTINGS, store, publisher, now=lambda: at(0), keep=False)
    for number in range(90, 110):
        await process.record(cycle(".", number))
    store.unreadable = True
    with pytest.raises(StorageError):
        await process.record(cycle(".", 1))


async def test_of_cycles_that_cannot_be_detected_so_many_are_kept() -> None:
    """The oldest are given up, and the log says so."""
    store = UnreadableStore()
    await store.open()
    process = await recorder(store)
    for number in range(900, 920):
        await process.record(cycle(".", number))
    store.unreadable = True
    with capture_logs() as logged:
        for number in range(MOST + 3):
            await process.record(cycle(".", number))
    given_up = [line for line in logged if "given up" in line["event"]]
    assert [line["cycle"] for line in given_up] == [cycle(".", n).id for n in range(3)]
    store.unreadable = False
    await process.record(cycle(".", 920))
    assert len(await flat(store.cycles(EVERYTHING))) == MOST + 21


async def test_many_late_cycles_are_stored_at_once() -> None:
    """An agent that was offline for a day brings more than are kept while a store fails. The first
    of them were given up though it worked, and with them the lines about the event."""
    store = MemoryStore()
    await store.open()
    publisher = Publisher(SETTINGS.vantages, SETTINGS.catalog, lambda: at(0))
    process = Recorder(SETTINGS, store, publisher, now=lambda: at(0), keep=False)
    late = [cycle(letter, number) for number, letter in enumerate("..BBB" + "B" * (MOST + 45))]
    with capture_logs() as logged:
        await process.record_late(late)
    assert len(await flat(store.cycles(EVERYTHING))) == len(late)
    (event,) = (await blocks(store)).values()
    assert len(await flat(store.event_log(event.id))) >= 2
    assert not [line for line in logged if line["log_level"] == "error"]


@pytest.mark.parametrize("left", [("khi-ptcl",), ("khi-ptcl", "khi-zong")])
async def test_a_vantage_no_longer_configured_is_not_silent(
    left: tuple[str, ...],
) -> None:
    """It is missed only as long as it is meant to be there."""
    store = MemoryStore()
    await store.open()
    both = _watching("khi-ptcl", "khi-zong")
    process = await recorder(store, both)
    for number in range(20):
        for vantage in ("khi-ptcl", "khi-zong"):
            await process.record(cycle(".", number, vantage))
    process = await recorder(store, _watching(*left))
    for number in range(20, 40):
        await process.record(cycle(".", number))
    silent = [event for event in await flat(store.events(EVERYTHING)) if event.active]
    assert {(event.kind, event.vantage) for event in silent} == (
        {(EventKind.VANTAGE_SILENT, "khi-zong")} if "khi-zong" in left else set()
    )


def _watching(*vantages: str) -> Settings:
    points = tuple(VantagePoint(id=vantage, country="PK") for vantage in vantages)
    return msgspec.structs.replace(SETTINGS, vantages=points)
