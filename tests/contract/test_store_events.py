"""Events: their current form, the periods they cover, and a log that only grows."""

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventState
from storage.store import Store
from storage.values.selection import Selection
from tests.contract.cycles import AWKWARD, PLAIN, at, cycle, event, log_entry
from tests.contract.listing import EVERYTHING, contents, flat


async def test_an_event_and_its_log_come_back_exactly(store: Store) -> None:
    """Every field of an event and of its log survives, empty bounds and awkward text included."""
    opened = event(onset_earliest=None, methods=())
    ended = event(
        state=EventState.ENDED, updated=5000, end_latest=5000, methods=("dns.nxdomain", AWKWARD)
    )
    log = [log_entry(1, opened), log_entry(2, ended, "ended")]
    log[1] = msgspec.structs.replace(log[1], detail=PLAIN)
    await store.save(cycle(1), [ended], log)
    assert await flat(store.events(EVERYTHING)) == [ended]
    assert await flat(store.event_log(ended.id)) == log


async def test_a_later_form_of_an_event_replaces_the_earlier(store: Store) -> None:
    """The current form is the one updated last; an older one arriving late changes nothing."""
    suspected = event()
    confirmed = event(state=EventState.CONFIRMED, updated=900)
    await store.save(cycle(1), [suspected])
    await store.save(cycle(2), [confirmed])
    await store.save(cycle(3), [suspected])
    assert await flat(store.events(EVERYTHING)) == [confirmed]


async def test_two_changes_of_one_moment_keep_the_last(store: Store) -> None:
    """A change with the same time as the stored form replaces it, unless its cycle is a repeat."""
    first, second = event(), event(state=EventState.CONFIRMED)
    await store.save(cycle(1), [first])
    await store.save(cycle(2), [second])
    assert await store.active_events() == [second]
    await store.save(cycle(1), [first])
    assert await store.active_events() == [second]


async def test_the_log_only_grows(store: Store) -> None:
    """An entry once written stays as it was; saving it again, even changed, changes nothing."""
    entries = [log_entry(n, event(updated=600 + n), f"change-{n}") for n in range(1, 21)]
    await store.save(cycle(1), [event()], entries[:12])
    changed = msgspec.structs.replace(entries[0], detail="rewritten")
    await store.save(cycle(2), [event(updated=700)], [changed, *entries[5:]])
    assert await flat(store.event_log("event-1")) == entries


async def test_logs_of_different_events_are_apart(store: Store) -> None:
    """The history of one event holds nothing of another's."""
    one, other = event("event-1"), event("event-2", country="BR")
    await store.save(cycle(1), [one, other], [log_entry(1, one), log_entry(1, other)])
    assert [e.snapshot for e in await flat(store.event_log("event-2"))] == [other]


async def test_a_log_alone_brings_its_event(store: Store) -> None:
    """No log stands without its event: the last snapshot is stored as the current form."""
    opened, confirmed = event(), event(state=EventState.CONFIRMED, updated=900)
    await store.save(cycle(1), [], [log_entry(2, confirmed), log_entry(1, opened)])
    assert await flat(store.events(EVERYTHING)) == [confirmed]


async def test_events_of_a_cycle_already_stored_are_not_lost(store: Store) -> None:
    """Saving a cycle first and with its events afterwards stores the events."""
    await store.save(cycle(1))
    await store.save(cycle(1), [event()], [log_entry(1, event())])
    assert await store.active_events() == [event()]
    assert len(await flat(store.event_log("event-1"))) == 1


async def test_active_events_are_those_that_go_on(store: Store) -> None:
    """Events that have not ended or been dismissed are active, and come by detection time."""
    states = list(EventState)
    await store.save(
        cycle(1),
        [event(f"event-{n}", state=state, detected=600 - n) for n, state in enumerate(states)],
    )
    assert [(e.state, e.id) for e in await store.active_events()] == [
        (EventState.UNOBSERVED, "event-3"),
        (EventState.RECOVERING, "event-2"),
        (EventState.CONFIRMED, "event-1"),
        (EventState.SUSPECTED, "event-0"),
    ]


async def test_events_are_listed_by_detection_in_full(store: Store) -> None:
    """Ties and pages lose nothing."""
    events = [event(f"event-{n:02}", detected=600 + n % 4) for n in range(30)]
    await store.save(cycle(1), events)
    listed = await flat(store.events(EVERYTHING))
    assert listed == sorted(events, key=lambda e: (e.detected_at, e.country, e.id))


ENDED = event(state=EventState.ENDED, onset_earliest=100, onset_latest=200, end_latest=500)
UNDATED = event(state=EventState.ENDED, onset_earliest=None, onset_latest=200, end_latest=500)
GOING_ON = event(state=EventState.CONFIRMED, onset_earliest=100, onset_latest=200)
DISMISSED = event(state=EventState.DISMISSED, onset_earliest=100, onset_latest=200, updated=500)


@pytest.mark.parametrize(
    ("stored", "since", "until", "found"),
    [
        (ENDED, None, 100, False),
        (ENDED, None, 100.000001, True),
        (ENDED, 499.999999, None, True),
        (ENDED, 500, None, False),
        (ENDED, 300, 301, True),
        (UNDATED, None, 200, False),
        (UNDATED, None, 201, True),
        (GOING_ON, 10**8, None, True),
        (GOING_ON, None, 100, False),
        (DISMISSED, 499, None, True),
        (DISMISSED, 500, None, False),
    ],
)
async def test_events_are_selected_by_overlap(
    store: Store, stored: Event, since: float | None, until: float | None, *, found: bool
) -> None:
    """An event is wanted when it may have been going on at some moment of the selection."""
    await store.save(cycle(1), [stored])
    wanted = Selection(
        since=None if since is None else at(since), until=None if until is None else at(until)
    )
    assert (await flat(store.events(wanted)) == [stored]) is found


async def test_events_are_selected_by_country_and_platform(store: Store) -> None:
    """Both narrow, together or alone."""
    events = [
        event(f"{country}-{platform}", country=country, platform=platform)
        for country in ("BR", "PK")
        for platform in ("telegram", "x")
    ]
    await store.save(cycle(1), events)
    pakistan = await flat(store.events(Selection(country="PK")))
    assert [e.id for e in pakistan] == ["PK-telegram", "PK-x"]
    both = await flat(store.events(Selection(country="BR", platform="x")))
    assert [e.id for e in both] == ["BR-x"]


async def test_saving_everything_again_changes_nothing(store: Store) -> None:
    """A cycle delivered twice with its events and log leaves the store as it was."""
    saved = (cycle(1), [event()], [log_entry(1, event())])
    await store.save(*saved)
    before = await contents(store, "event-1")
    await store.save(*saved)
    assert await contents(store, "event-1") == before
