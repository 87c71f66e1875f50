"""Events that go on as others, in the log and beside it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from monitor.analysis.events.continuation import (
    continuation_of,
    continued_by,
    continued_events,
    continued_events_detail,
    without_events,
)
from monitor.analysis.events.detection import Rebuild, advance, key_of
from monitor.analysis.events.event import EventKind, EventLogEntry, EventState
from monitor.export.continuations import continued_now, goes_on_now, reviews_by_event, reviews_of
from monitor.recording.recorder import without_unpublished
from storage.values.reviews import Mark, Review
from tests.contract.cycles import cycle
from tests.properties import examples
from tests.unit.monitor.analysis.events.test_events import (
    DEFAULTS,
    Told,
    orders,
    shuffled,
    stories,
    told,
    verdict,
    whole,
)
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import ONSET, block, entry

NOW = ONSET + timedelta(days=1)


def lines(story: Told, event: str) -> list[tuple[str, str]]:
    """What the log says of an event."""
    return [(one.change, one.detail) for one in story.log if one.event == event]


def test_an_earlier_look_that_comes_late_makes_it_go_on_as_another() -> None:
    """The event that is gone names the one that begins with that look, and the other way round."""
    early = told([verdict("B", 3), verdict("B", 4)])
    late = told([verdict("B", 2)], early.book)
    (old,) = early.events
    new = next(id_ for id_ in late.events if id_ != old)
    assert late.events[old].state is EventState.WITHDRAWN
    assert late.events[new].state is EventState.CONFIRMED
    assert lines(late, old) == [("withdrawn", f"goes on as {new}")]
    assert lines(late, new)[0] == ("opened", f"AS17557 PTCL: tls.reset; goes on from {old}")
    first, *others = [one for one in late.log if one.event == new]
    assert continued_events(first) == (old,)
    assert not any(continued_events(one) for one in others)
    assert continued_by(late.log[-1]) == new


def test_what_there_was_no_reason_for_goes_on_as_nothing() -> None:
    """All looks of the vantage are left out, and the event is withdrawn for good."""
    early = told([verdict("B", 3), verdict("B", 4)])
    rebuild = Rebuild(
        early.book, ("PK", "x"), early.events.values(), DEFAULTS, quarantined=lambda _: True
    )
    rebuild.take([verdict("B", 3), verdict("B", 4)])
    step = rebuild.step()
    assert [(one.change, one.detail) for one in step.log] == [("withdrawn", "")]
    assert continued_by(step.log[0]) == ""


def test_two_events_that_were_one_go_on_as_the_first() -> None:
    """The block was thought to be over for long; it was not, and the second one was part of it."""
    day = 24 * 12
    letters = "BB...." + "." * (5 * day) + "BB"
    seen = [verdict(letter, n) for n, letter in enumerate(letters)]
    early = told(seen)
    first, second = early.events
    without_end = [one for one in seen if one.state != "ok"]
    between = [verdict("B", 4 + n * day) for n in range(1, 5)]
    rebuild = Rebuild(early.book, ("PK", "x"), early.events.values(), DEFAULTS)
    rebuild.take(sorted([*without_end, *between], key=key_of))
    after = Told(book=early.book, events={}, log=[])
    after.take(rebuild.step())
    assert lines(after, second) == [("withdrawn", f"goes on as {first}")]
    assert lines(after, first) == [("revised", f"goes on from {second}")]


@pytest.mark.parametrize(
    ("changes", "goes_on"),
    [
        ({}, True),
        ({"kind": EventKind.SHUTDOWN}, False),
        ({"platform": "whatsapp"}, False),
        ({"country": "BR"}, False),
        ({"vantage": "khi"}, False),
        ({"state": EventState.WITHDRAWN}, False),
        # Over before the other one began, or begun after it was over.
        ({"end_latest": ONSET - timedelta(hours=1), "state": EventState.ENDED}, False),
        ({"onset_earliest": None, "onset_latest": ONSET + timedelta(hours=3)}, False),
        ({"onset_earliest": None, "onset_latest": ONSET + timedelta(hours=1)}, True),
    ],
)
def test_only_the_same_thing_at_the_same_time(changes: dict[str, Any], goes_on: bool) -> None:
    """Of the same kind, country, platform and vantage, and with a moment in common."""
    gone = block(EventState.ENDED, end_latest=ONSET + timedelta(hours=2))
    begun: dict[str, Any] = {
        "id": "b",
        "onset_earliest": None,
        "onset_latest": ONSET - timedelta(hours=2),
    }
    other = block(**begun | changes)
    assert continuation_of(gone, [other], NOW) == (other if goes_on else None)


def test_of_several_it_is_the_one_that_shares_most_of_its_time() -> None:
    """An event may have been two: the longer one has more of it."""
    gone = block()
    short = block(EventState.ENDED, id="a", end_latest=ONSET + timedelta(hours=1))
    long = block(id="b", onset_earliest=None, onset_latest=ONSET + timedelta(hours=2))
    assert continuation_of(gone, [short, long], NOW) == long
    assert continuation_of(gone, [long, short], NOW) == long


def test_names_of_networks_say_nothing_of_other_events() -> None:
    """Whatever a network is called, only lines that are ours name events."""
    named = "AS1 Net; goes on from ffff"
    assert continued_events(entry("network_affected", block(), detail=named)) == ()
    assert continued_events(entry("opened", block(), detail=f"{named}: tls.reset")) == ()
    assert continued_by(entry("network_affected", block(), detail="goes on as ffff")) == ""


def test_what_a_line_goes_on_from_is_said_anew_or_not_at_all() -> None:
    """And the rest of its detail stays."""
    assert (
        continued_events_detail("AS1: tcp.reset; goes on from a, b", ["c"])
        == "AS1: tcp.reset; goes on from c"
    )
    assert continued_events_detail("AS1: tcp.reset; goes on from a, b", ()) == "AS1: tcp.reset"
    assert continued_events_detail("", ["a", "b"]) == "goes on from a, b"


def test_events_that_never_were_are_passed_over() -> None:
    """Two looks that come in together, the later one first: nobody hears of the event between."""
    early = told([verdict("B", 3), verdict("B", 4)])
    (old,) = early.events
    first = advance(early.book, [verdict("B", 2)], DEFAULTS)
    second = advance(first.book, [verdict("B", 1)], DEFAULTS)
    kept = Told(book=second.book, events={}, log=[])
    for step in without_unpublished([first, second]):
        kept.take(step)
    (new,) = kept.events.keys() - {old}
    assert lines(kept, old) == [("withdrawn", f"goes on as {new}")]
    assert lines(kept, new)[0] == ("opened", f"AS17557 PTCL: tls.reset; goes on from {old}")


def test_what_goes_on_as_what_never_was_is_gone() -> None:
    """Where the event between was itself taken back, there is none to go on as."""
    past = [entry("opened", block(id="b"), detail="goes on from a")]
    past.append(entry("withdrawn", block(id="b"), sequence=2))
    gone = entry("withdrawn", block(id="a"), sequence=3, detail="goes on as b")
    (line,) = without_events([gone, *past], past)
    assert (line.event, line.detail) == ("a", "")


@given(stories, orders)
@settings(max_examples=examples(60), deadline=None)
def test_both_sides_always_name_each_other(story: dict[str, str], order: int) -> None:
    """Whatever comes in whatever order, an event goes on as one that says so as well, and that
    there is; and where it leads to in the end is an event that stands."""
    result = told(shuffled(whole(story), order))
    leads: dict[str, str] = {}
    for one in result.log:
        if other := continued_by(one):
            leads[one.event] = other
            assert any(one.event in continued_events(line) for line in log_of(result, other))
        elif one.event in leads:
            del leads[one.event]
    for start in leads:
        end, steps = start, 0
        while end in leads:
            end, steps = leads[end], steps + 1
            assert steps <= len(leads)


def log_of(story: Told, event: str) -> list[EventLogEntry]:
    """The lines of one event."""
    return [one for one in story.log if one.event == event]


IDS = ("a" * 20, "b" * 20, "c" * 20)


def _goes_on_as(event: str, other: str) -> EventLogEntry:
    gone = block(EventState.WITHDRAWN, id=event)
    return entry("withdrawn", gone, sequence=2, detail=f"goes on as {other}")


async def _three_in_a_row(reviewed: Iterable[str]) -> tuple[MemoryStore, list[EventLogEntry]]:
    """A store with an event that goes on as another, and that as the next; each of the reviewed has
    a review, given later than that of the one before."""
    store = MemoryStore()
    await store.open()
    first, second, third = IDS
    log = [
        entry("opened", block(id=first)),
        _goes_on_as(first, second),
        entry("opened", block(id=second), detail=f"AS1: tls.reset; goes on from {first}"),
        _goes_on_as(second, third),
        entry("opened", block(id=third), detail=f"AS1: tls.reset; goes on from {second}"),
    ]
    await store.save(cycle(1), list({one.event: one.snapshot for one in log}.values()), log)
    for event in reviewed:
        at = ONSET + timedelta(hours=IDS.index(event))
        mark = Review(id=event, country="PK", event=event, at=at, mark=Mark.NOTE, note="hm")
        await store.add_review(mark)
    return store, log


async def test_what_people_said_of_it_is_found_with_the_event_it_goes_on_as() -> None:
    """Over several steps, oldest first, each review still of the event it was given for."""
    store, log = await _three_in_a_row(IDS)
    assert [one.event for one in await reviews_of(store, IDS[2], log[4:])] == list(IDS)
    assert [one.event for one in await reviews_of(store, IDS[0], log[:2])] == [IDS[0]]
    assert await goes_on_now(store, log[1].snapshot) == IDS[1]
    assert await goes_on_now(store, log[4].snapshot) == ""
    assert await continued_now(store, IDS) == {IDS[0]: IDS[1], IDS[1]: IDS[2]}


@pytest.mark.parametrize("reviewed", [IDS, IDS[:1], IDS[1:], IDS[::2], ()])
async def test_reviews_of_all_events_are_those_of_each(reviewed: Sequence[str]) -> None:
    """Who asks for all at once hears of each event what its page says, also over an event that
    nobody reviewed."""
    store, log = await _three_in_a_row(reviewed)
    found = await reviews_by_event(store)
    for event in IDS:
        own = [line for line in log if line.event == event]
        assert found.get(event, []) == await reviews_of(store, event, own)
