"""The stretches of an event in its country: since when, until when, how long. Letters are those of
`test_events`: one per cycle of five minutes."""

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.analysis.events.event import Event, EventState, NetworkStatus, Stretch
from monitor.analysis.events.stretches import (
    MOST_KEPT,
    at_first_test,
    certain_count,
    current,
    first,
    least,
    longest,
    most,
    newest,
    onset_of,
    shortest,
    stretches,
    went_on,
)
from tests.unit.monitor.analysis.events.test_events import (
    CYCLE,
    at,
    by_vantage,
    cycles,
    tell,
    told,
    verdict,
)
from tests.worlds.build import START

MINUTE = timedelta(minutes=1)
BACK = ".BB......" + 50 * "." + "BB"
"""Blocked in cycles 1 and 2, open until 58, blocked again from 59."""


def span(
    earliest: float | None, latest: float, until: float | None = None, open_: float | None = None
) -> Stretch:
    """A stretch of one network, in minutes after the start."""
    return Stretch(
        onset_earliest=None if earliest is None else START + earliest * MINUTE,
        onset_latest=START + latest * MINUTE,
        end_earliest=None if until is None else START + until * MINUTE,
        end_latest=None if open_ is None else START + open_ * MINUTE,
    )


def event_of(*networks: list[Stretch], state: EventState = EventState.ENDED) -> Event:
    """An event with these stretches of each network."""
    return Event(
        id="e",
        state=state,
        networks=tuple(
            NetworkStatus(asn=n, network="", affected=True, blocked_now=False, stretches=tuple(one))
            for n, one in enumerate(networks, 1)
        ),
        onset_earliest=START,
        onset_latest=START + MINUTE,
        detected_at=START + MINUTE,
        updated_at=START + 9 * MINUTE,
        evidence="conclusive",
    )


def test_a_block_that_came_back_has_two_stretches() -> None:
    """The time in between was measured open: the event goes on since it came back, not before."""
    event = tell(ptcl=BACK).only
    assert [(one.onset_latest, one.end_latest) for one in stretches(event)] == [
        (at(1), at(3)),
        (at(59), None),
    ]
    assert current(event) == newest(event)
    assert first(event).onset_latest == at(1)
    assert newest(event).onset_earliest == at(58)


def test_time_measured_open_is_never_part_of_how_long() -> None:
    """Blocked for 5 minutes, then open for hours, then blocked for 5 minutes: 10 minutes."""
    assert least(tell(ptcl=BACK).only) == 2 * CYCLE
    ended = tell(ptcl=BACK + 8 * ".").only
    assert least(ended) == 2 * CYCLE
    assert most(ended) == 6 * CYCLE


def test_how_long_it_lasts_is_counted_to_the_last_blocked_measurement() -> None:
    """Another method in the same cycle, or cycles that decide nothing, make it no longer."""
    assert least(tell(ptcl=".BB??").only) == CYCLE
    assert most(tell(ptcl=".BB??").only) is None


def test_moments_found_open_within_a_stretch_do_not_count() -> None:
    """A filter that lets every other measurement through keeps one stretch. What is certain of it
    is the time between accusing measurements with no open one between them."""
    event = tell(ptcl=".BB.B.B.B.B.BB").only
    assert len(stretches(event)) == 1
    assert CYCLE <= least(event) <= 2 * CYCLE


def test_silence_within_a_stretch_does_not_count() -> None:
    """Nobody measured for hours: blocked before and after is no proof for the time between."""
    event = tell(ptcl=".BB" + 30 * " " + "BB").only
    assert len(stretches(event)) == 1
    assert CYCLE <= least(event) <= 2 * CYCLE


@pytest.mark.parametrize(
    ("letters", "opened", "onset"),
    [
        (".BB...   ", 3, 5),
        (".BB." + 30 * " ", 3, 3),
        (".BB." + 30 * "?", 3, 3),
        (".BB" + 30 * " " + "..", 33, 34),
        (".BB?????.???", 8, 8),
        (".BBB...BB", None, None),
    ],
)
def test_what_was_found_open_and_then_not_measured_did_not_go_on(
    letters: str, opened: int | None, onset: int | None
) -> None:
    """A block was found open, too few times to be over, before or after half an hour in which
    nobody measured, and is back: it began again. The end of the first stretch is the first
    measurement that found it open, and the onset of the second is after the last one."""
    event = tell(ptcl=letters + 6 * "B").only
    spans = stretches(event)
    if opened is None or onset is None:
        assert len(spans) == 1
        return
    (network,) = event.networks
    assert spans == network.stretches
    before, after = spans
    assert (before.onset_earliest, before.onset_latest) == (at(0), at(1))
    assert (before.end_earliest, before.end_latest) == (at(2), at(opened))
    assert (after.onset_earliest, after.onset_latest) == (at(onset), at(len(letters)))
    assert least(event) == CYCLE + 5 * CYCLE


def test_what_is_suspected_and_found_open_since_seems_open_again() -> None:
    """Weak signs for long, then open: the suspicion takes as long to go away. Meanwhile nobody says
    that it seems blocked, or that it was blocked when last tested."""
    event = tell(ptcl="." + 40 * "w" + "....", zong=45 * ".").only
    (network,) = (one for one in event.networks if one.affected)
    assert event.state is EventState.RECOVERING
    assert (network.blocked_now, network.recovering) == (False, True)
    assert (network.stretches[-1].end_earliest, network.stretches[-1].end_latest) == (at(40), None)
    again = tell(ptcl="." + 40 * "w" + "...w", zong=45 * ".").only
    assert again.state is EventState.SUSPECTED
    (only,) = stretches(again)
    assert only.end_earliest is None
    assert least(again) <= 39 * CYCLE


def test_what_seemed_open_again_and_was_not_measured_was_blocked_once() -> None:
    """A suspicion that was found open once, then not measured for long, then found open again,
    counted as two stretches, with the same bounds: an end that was known seemed a new beginning."""
    event = tell(ptcl="...ss." + 9 * " " + "...", jazz=18 * ".").only
    (network,) = (one for one in event.networks if one.affected)
    (stretch,) = network.stretches
    assert (stretch.onset_latest, stretch.end_latest) == (at(3), at(5))


def test_another_network_that_blocks_meanwhile_begins_a_stretch() -> None:
    """One network was found open and is not measured; another one blocks: since then, not since
    the first block."""
    event = tell(ptcl=".BBBB..", zong=20 * "." + "BBB").only
    before, after = stretches(event)
    assert (before.end_earliest, before.end_latest) == (at(4), at(5))
    assert (after.onset_earliest, after.onset_latest) == (at(19), at(20))
    silent = {one.network: one for one in event.networks}["PTCL"]
    assert silent.unobserved
    assert silent.stretches[-1].end_latest == at(5)


def test_another_network_that_blocks_once_all_were_found_open_begins_one_too() -> None:
    """Though the end is not sure yet on the first. Where that one blocks again, it went on."""
    event = tell(ptcl=".BBBB..", zong="......BB").only
    before, after = stretches(event)
    assert (before.end_earliest, before.end_latest) == (at(4), at(5))
    assert (after.onset_earliest, after.onset_latest) == (at(5), at(6))
    (only,) = stretches(tell(ptcl=".BBBB..BB", zong="......BBB").only)
    assert (only.onset_latest, only.end_earliest) == (at(1), None)


def test_one_that_found_it_open_before_another_found_it_blocked_ends_nothing() -> None:
    """Two vantages of one network fall silent. The last measurement found it blocked."""
    story = {"khi-ptcl": ".BBBB..", "lhe-ptcl": ".BBBBBBB", "khi-zong": 40 * "."}
    event = told(
        [
            verdict(
                letters[cycle], cycle, vantage, network=(59257 if "zong" in vantage else 17557, "")
            )
            for cycle in range(40)
            for vantage, letters in story.items()
            if cycle < len(letters)
        ]
    ).only
    (only,) = stretches(event)
    assert (only.end_earliest, only.end_latest) == (at(7), None)


def test_the_country_is_blocked_while_any_network_is() -> None:
    """One network blocks from cycle 1, the other ends last: one stretch."""
    event = tell(ptcl=".BB.......", zong=".BBBBB....").only
    (only,) = stretches(event)
    assert (only.onset_latest, only.end_earliest, only.end_latest) == (at(1), at(5), at(6))
    assert least(event) == 4 * CYCLE
    assert (event.end_earliest, event.end_latest) == (only.end_earliest, only.end_latest)


@pytest.mark.parametrize(
    ("networks", "count"),
    [
        ([[span(0, 1, 5, 6)], [span(6, 7, 9, 10)]], 2),
        ([[span(0, 1, 5, 6)], [span(5.5, 7, 9, 10)]], 1),
        ([[span(0, 1, 5)], [span(6, 7, 9, 10)]], 1),
        ([[span(0, 1, 5, 6)], [span(None, 7, 9, 10)]], 2),
        ([[span(0, 1, 5, 6), span(8, 9, 10, 11)], [span(2, 12, 13, 14)]], 1),
        ([[span(0, 1, 5, 6), span(8, 9, 10, 11)], [span(7, 12, 13, 14)]], 2),
    ],
)
def test_open_in_between_only_where_that_is_certain(
    networks: list[list[Stretch]], count: int
) -> None:
    """Stretches are apart only where every network that had blocked was found open before any that
    blocks next was last found open. A network that was never found open may have joined late."""
    assert len(stretches(event_of(*networks))) == count


@pytest.mark.parametrize(
    ("networks", "count", "apart"),
    [
        ([[span(0, 1, 5, 6)], [span(None, 7, 9, 10)]], 2, 1),
        ([[span(0, 1, 5, 6), span(8, 9, 10, 11)], [span(None, 9.5, 13, 14)]], 2, 1),
        ([[span(0, 1, 5, 6), span(20, 21, 22, 23)], [span(None, 7, 9, 10)]], 3, 2),
        ([[span(0, 1, 5, 6)], [span(None, 3, 9, 10)]], 1, 1),
    ],
)
def test_a_network_that_was_never_found_open_may_have_been_blocked_all_the_time(
    networks: list[list[Stretch]], count: int, apart: int
) -> None:
    """It was offline until it was found blocked. Every surface said that the country was blocked
    again, and since when it had been found blocked on the network that was open before."""
    event = msgspec.structs.replace(event_of(*networks), onset_earliest=None)
    found = stretches(event)
    assert (len(found), certain_count(event)) == (count, apart)
    joined = count - apart
    assert [one.onset_earliest for one in found[: joined + 1]] == (joined + 1) * [None]
    assert [one.end_latest for one in found[:joined]] == joined * [None]
    assert all(one.end_latest is not None for one in found[joined:])
    assert most(event) is None
    assert newest(event).onset_latest > first(event).onset_latest or count == 1


def test_a_network_that_joins_takes_the_earliest_bound_from_the_onset() -> None:
    """PTCL was found open, then blocked. Zong is tested later for the first time, and blocked."""
    event = tell(ptcl=".BBBBBB", zong=4 * " " + "BBB").only
    assert (event.onset_earliest, event.onset_latest) == (None, at(1))
    assert event.networks[0].stretches[0].onset_earliest == at(0)
    assert not at_first_test(event, first(event))


def test_an_unknown_end_has_no_greatest_length() -> None:
    """Nobody saw it end: at least 4 minutes."""
    event = event_of([span(0, 1, 5)])
    assert (least(event), most(event)) == (4 * MINUTE, None)


def test_of_a_very_long_list_only_the_least_is_known() -> None:
    """Of each network the first and the newest stretches are kept: the sum is a least one."""
    kept: tuple[Stretch, ...] = ()
    for n in range(MOST_KEPT + 20):
        kept = went_on(kept, span(10 * n, 10 * n + 1, 10 * n + 2, 10 * n + 3))
    assert len(kept) == MOST_KEPT
    assert kept[0].onset_latest == START + MINUTE
    assert kept[-1].onset_latest == START + (10 * (MOST_KEPT + 19) + 1) * MINUTE
    assert (least(event_of(list(kept))), most(event_of(list(kept)))) == (MOST_KEPT * MINUTE, None)


def test_other_kinds_are_one_stretch_with_their_bounds() -> None:
    """A shutdown's networks have no stretches of their own."""
    event = event_of(state=EventState.CONFIRMED)
    assert stretches(event) == (
        Stretch(onset_earliest=START, onset_latest=START + MINUTE, last_blocked=START + 9 * MINUTE),
    )
    assert least(event) == 8 * MINUTE


def test_events_stored_before_stretches_had_their_name_are_read() -> None:
    """Stored events keep the older name of the list, so that no database needs a change."""
    event = tell(ptcl=BACK).only
    stored = msgspec.json.encode(event)
    assert b'"episodes"' in stored
    assert msgspec.json.decode(stored, type=Event) == event


@st.composite
def own_stretches(draw: st.DrawFn) -> list[list[int]]:
    """The stretches of one network, in order. One measurement may end one and bound the next."""
    moments = sorted(draw(st.lists(st.integers(0, 60), min_size=4, max_size=16)))
    found = [moments[n : n + 4] for n in range(0, len(moments) - 3, 4)]
    for before, after in pairwise(found):
        if draw(st.booleans()):
            before[3], after[0] = after[0], before[3]
    return found


NETWORKS = st.lists(own_stretches(), min_size=1, max_size=4)


@given(NETWORKS, st.data())
def test_stretches_are_in_order_apart_and_no_longer_than_their_bounds(
    drawn: list[list[list[int]]], data: st.DataObject
) -> None:
    """Whatever the networks show: stretches do not overlap, every network's stretch is within one
    of them, and the least length is no more than the greatest."""
    networks = [
        [span(a if data.draw(st.booleans()) else None, b, c, d) for a, b, c, d in one]
        for one in drawn
    ]
    event = event_of(*networks)
    found = stretches(event)
    for before, after in pairwise(found):
        assert before.end_latest is not None
        assert before.end_latest <= after.onset_latest
        if not any(b[3] > a[0] for one in drawn for b, a in pairwise(one)):
            assert before.end_latest <= (after.onset_earliest or after.onset_latest)
    for one in (one for several in networks for one in several):
        assert any(
            country.onset_latest <= one.onset_latest
            and one.end_latest is not None
            and country.end_latest is not None
            and one.end_latest <= country.end_latest
            for country in found
        )
    assert least(event) >= max(shortest(one) for several in networks for one in several)
    spans = [longest(one) for one in found]
    if all(one is not None for one in spans):
        assert least(event) <= (most(event) or timedelta())


RUNS = st.lists(
    st.tuples(st.sampled_from(".B?Bs "), st.integers(1, 12)), min_size=1, max_size=8
).map(lambda runs: "".join(letter * length for letter, length in runs))
STORIES = st.dictionaries(st.sampled_from(["ptcl", "zong", "jazz"]), RUNS, min_size=1)


def blocked_at_most(letters: str) -> set[int]:
    """Cycles from which to the next one a network may be said to block: it did at both, and no
    measurement between them found it open, or nothing for long."""
    found: set[int] = set()
    last: int | None = None
    for number, letter in enumerate(letters):
        if letter in "Bs":
            if last is not None and number - last <= 6:
                found |= set(range(last, number))
            last = number
        elif letter == ".":
            last = None
    return found


@given(STORIES)
@example({"ptcl": ".BB" + 8 * "." + "BB.B"})
@example({"ptcl": "B" * 7 + "." + "BBBB", "zong": 5 * "." + "BB" + 5 * "?" + "B"})
def test_nothing_lasts_over_time_found_open_or_not_measured(story: dict[str, str]) -> None:
    """Whatever is measured on three networks: all events together lasted no longer, at least, than
    the time between blocked measurements of a network without an open one between them."""
    result = told(cycles(by_vantage(story)))
    events = [one for one in result.events.values() if one.state is not EventState.WITHDRAWN]
    lasted = sum(map(least, events), timedelta())
    certain = set().union(*map(blocked_at_most, story.values()))
    assert lasted <= len(certain) * CYCLE
    for event in events:
        spans = stretches(event)
        assert (event.onset_earliest, event.onset_latest) == (
            spans[0].onset_earliest,
            spans[0].onset_latest,
        )
        if event.state is EventState.ENDED:
            assert (event.end_earliest, event.end_latest) == (
                spans[-1].end_earliest,
                spans[-1].end_latest,
            )
        if current(event) is None and event.active:
            assert spans[-1].end_latest is not None


def test_where_people_measure_when_they_like_stale_bounds_say_nothing() -> None:
    """One network was last found open long before the onset, one never, one shortly before: the
    last of these bounds it. Without one so close, all count as ever."""
    stale, never, fresh = span(-900, 10), span(None, 8), span(5, 9)
    assert onset_of([stale, fresh]) == (START - 900 * MINUTE, START + 9 * MINUTE)
    assert onset_of([stale, fresh], 60 * MINUTE) == (START + 5 * MINUTE, START + 9 * MINUTE)
    assert onset_of([stale, never, fresh], 60 * MINUTE) == (
        START + 5 * MINUTE,
        START + 8 * MINUTE,
    )
    assert onset_of([stale, never], 60 * MINUTE) == (None, START + 8 * MINUTE)
