"""Events of volunteers go on from fold to fold: same id, same onset, and nothing left standing that
newer rows no longer show."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventKind, EventState, Scope, Stretch
from monitor.analysis.events.stretches import least, stretches
from monitor.following.sourced_events import (
    LONGEST_WINDOW,
    WINDOW,
    folded_since,
    merged,
    no_longer_asked,
)
from storage.values.sourced import SourcedEvent
from tests.prometheus import world

NOW = datetime(2024, 2, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def _event(began: datetime, id_: str = "a", **more: object) -> Event:
    made = replace(
        world.event(at=began),
        kind=EventKind.SEEN_BY_VOLUNTEERS,
        id=id_,
        onset_earliest=began - HOUR,
        onset_latest=began,
        detected_at=began + 2 * HOUR,
        confirmed_at=began + 3 * HOUR,
        updated_at=began + 3 * HOUR,
        first_measurement=f"m-{id_}",
    )
    return replace(made, **more)


def _known(event: Event) -> SourcedEvent:
    return SourcedEvent(
        country=event.country,
        source="ooni",
        id=event.id,
        platform=event.platform,
        active=event.active,
        first_seen_at=event.detected_at,
        event=event,
    )


def test_the_same_fold_changes_nothing() -> None:
    """A poll without news writes nothing."""
    event = _event(NOW - DAY)
    assert merged([event], [_known(event)], "ooni", NOW) == []


def test_an_earlier_row_moves_the_onset_and_keeps_the_event() -> None:
    """A late upload dates it better; people find it under the address they know."""
    known = _known(_event(NOW - DAY))
    earlier = _event(NOW - DAY - 6 * HOUR, "b")
    (changed,) = merged([earlier], [known], "ooni", NOW)
    assert changed.id == changed.event.id == "a"
    assert changed.event.onset_latest == NOW - DAY - 6 * HOUR
    assert changed.first_seen_at == known.first_seen_at


def test_a_long_block_keeps_the_onset_that_left_the_window() -> None:
    """After three weeks the rows that dated it are no longer folded: from the first row on, all
    fail, and the fold alone would say that nobody knows since when."""
    begun = NOW - timedelta(days=40)
    known = _known(_event(begun))
    more = {"onset_earliest": None, "methods": ("quic.timeout",)}
    now_shown = _event(NOW - WINDOW + HOUR, "c", **more)
    (changed,) = merged([now_shown], [known], "ooni", NOW)
    assert changed.id == "a"
    assert (changed.event.onset_earliest, changed.event.onset_latest) == (begun - HOUR, begun)
    assert changed.event.confirmed_at == begun + 3 * HOUR


def test_what_rows_no_longer_show_is_withdrawn_once() -> None:
    """The test failed in most countries at that time, or our rules found it reached."""
    known = _known(_event(NOW - DAY))
    (changed,) = merged([], [known], "ooni", NOW)
    assert changed.event.state is EventState.WITHDRAWN
    assert not changed.active
    assert merged([], [changed], "ooni", NOW + HOUR) == []


def test_an_ended_event_is_withdrawn_too() -> None:
    """That it was over before the mistake was found does not make it true."""
    over = _event(NOW - 2 * DAY, state=EventState.ENDED, end_latest=NOW - DAY)
    (changed,) = merged([], [_known(over)], "ooni", NOW)
    assert changed.event.state is EventState.WITHDRAWN


def test_a_block_without_rows_is_not_over() -> None:
    """Too few rows in the window to tell: unobserved, and it says so once."""
    known = _known(_event(NOW - timedelta(days=40)))
    (changed,) = merged([], [known], "ooni", NOW)
    assert changed.event.state is EventState.UNOBSERVED
    assert changed.active
    assert merged([], [changed], "ooni", NOW + HOUR) == []


def test_an_old_event_that_ended_stays_as_it_was() -> None:
    """Its rows are gone, and nothing speaks against it."""
    over = _event(
        NOW - timedelta(days=60), state=EventState.ENDED, end_latest=NOW - timedelta(days=50)
    )
    assert merged([], [_known(over)], "ooni", NOW) == []


def test_another_block_later_is_another_event() -> None:
    """Of the same platform, after the first ended; and platforms never stand for each other."""
    first = _event(NOW - 10 * DAY, state=EventState.ENDED, end_latest=NOW - 8 * DAY)
    second = _event(NOW - DAY, "b")
    other = replace(_event(NOW - DAY, "c"), platform="youtube")
    found = merged([first, second, other], [_known(first)], "ooni", NOW)
    assert sorted(one.id for one in found) == ["b", "c"]


def test_a_suspicion_that_went_away_before_anybody_saw_it_is_no_event() -> None:
    """Nobody was told of it, so nobody is told that it was wrong."""
    assert merged([_event(NOW - DAY, state=EventState.DISMISSED)], [], "ooni", NOW) == []


def test_an_event_that_ended_stays_so_when_its_rows_leave() -> None:
    """What is left of them may show a suspicion alone, or two blocks: it was one, and confirmed."""
    begun = NOW - WINDOW + HOUR
    over: dict[str, Any] = {"end_earliest": begun + 2 * DAY, "end_latest": begun + 2 * DAY + HOUR}
    known = _known(_event(begun, state=EventState.ENDED, **over))
    some: dict[str, Any] = {"onset_earliest": None, "confirmed_at": None, **over}
    rest = _event(begun + 6 * HOUR, "b", state=EventState.DISMISSED, **some)
    more = _event(begun + DAY, "c", state=EventState.ENDED, **some)
    assert merged([rest], [known], "ooni", NOW) == []
    assert merged([rest, more], [known], "ooni", NOW) == []


def test_the_rest_of_an_ended_event_does_not_bring_it_back() -> None:
    """Networks that were found open have left the window with their rows; those that fell silent
    while they were blocked have not. Later failures bring it back."""
    begun = NOW - WINDOW + HOUR
    ended: dict[str, Any] = {"end_earliest": begun + 2 * DAY, "end_latest": begun + 3 * DAY}
    known = _known(_event(begun, state=EventState.ENDED, **ended))
    status = known.event.networks[0]
    silent = replace(status, blocked_now=False, unobserved=True)
    for failed, back in ((begun + DAY, []), (begun + 4 * DAY, ["a"])):
        stretch = Stretch(onset_earliest=None, onset_latest=failed)
        rest = _event(begun + HOUR, "b", state=EventState.UNOBSERVED)
        rest = replace(rest, networks=(replace(silent, stretches=(stretch,)),))
        assert [one.id for one in merged([rest], [known], "ooni", NOW)] == back


def test_rows_that_come_late_say_that_it_lasted_longer() -> None:
    """Also where the first rows have left, and the others show a suspicion alone."""
    begun, last = NOW - WINDOW + HOUR, NOW - 2 * DAY
    known = _known(_event(begun, state=EventState.ENDED, end_earliest=last, end_latest=last + HOUR))
    over: dict[str, Any] = {"end_earliest": last + DAY, "end_latest": last + DAY + HOUR}
    found = _event(begun + DAY, "b", state=EventState.DISMISSED, confirmed_at=None, **over)
    (changed,) = merged([found], [known], "ooni", NOW)
    assert (changed.id, changed.event.state) == ("a", EventState.ENDED)
    assert changed.event.end_latest == last + DAY + HOUR


def test_an_onset_known_from_below_stays_known() -> None:
    """Also on each network, where the first row left is one of a block."""
    begun = NOW - WINDOW + 30 * HOUR
    known = _known(_event(begun, onset_earliest=begun - 40 * HOUR))
    network = known.event.networks[0]
    dated = Stretch(onset_earliest=begun - 40 * HOUR, onset_latest=begun)
    old = replace(network, asn=1, network="Silent", stretches=(dated,))
    here = replace(network, stretches=(dated,))
    known = replace(known, event=replace(known.event, networks=(old, here)))
    undated = replace(dated, onset_earliest=None, onset_latest=begun + HOUR)
    rest = replace(network, stretches=(undated,))
    found = _event(begun + HOUR, "b", onset_earliest=None, networks=(rest,))
    (changed,) = merged([found], [known], "ooni", NOW)
    assert changed.event.onset_earliest == begun - 40 * HOUR
    silent, shown = changed.event.networks
    assert (silent.asn, silent.blocked_now, silent.unobserved) == (1, False, True)
    assert shown.stretches == silent.stretches == (dated,)
    assert merged([found], [changed], "ooni", NOW) == []


def test_what_was_withdrawn_does_not_take_over_from_what_stands() -> None:
    """Though it is found again by its first row, and the other by a later one."""
    gone = _known(_event(NOW - DAY, state=EventState.WITHDRAWN))
    here = _known(_event(NOW - DAY - HOUR, "b"))
    (changed,) = merged([_event(NOW - DAY - HOUR)], [gone, here], "ooni", NOW) or [here]
    assert (changed.id, changed.event.state) == ("b", here.event.state)


def test_what_nobody_asks_about_any_more_is_unobserved_once() -> None:
    """A country or platform was taken out of the configuration: its blocks are neither over nor
    wrong, and what ended stays as it was."""
    known = _known(_event(NOW - DAY))
    (changed,) = no_longer_asked([known], NOW)
    assert changed.event.state is EventState.UNOBSERVED
    assert changed.active
    assert no_longer_asked([changed], NOW + HOUR) == []
    over = _event(NOW - 2 * DAY, state=EventState.ENDED, end_latest=NOW - DAY)
    gone = _event(NOW - 2 * DAY, state=EventState.WITHDRAWN)
    assert no_longer_asked([_known(over), _known(gone)], NOW) == []


def test_the_rows_that_showed_an_event_stay_while_it_is_young() -> None:
    """The moving window alone withdrew one: the rows of before that had made failing unusual had
    left it."""
    seen = NOW - timedelta(days=13)
    young = _known(_event(seen - 2 * HOUR))
    assert folded_since([young], NOW) == young.first_seen_at - WINDOW < NOW - WINDOW
    assert folded_since([young], NOW) > NOW - LONGEST_WINDOW
    assert folded_since([young], NOW + 2 * DAY) == NOW + 2 * DAY - WINDOW


def test_what_was_withdrawn_keeps_no_rows() -> None:
    """It is found again by what is known then, if at all."""
    gone = _known(_event(NOW - DAY, state=EventState.WITHDRAWN))
    assert folded_since([gone], NOW) == folded_since([], NOW) == NOW - WINDOW


def test_what_came_to_nothing_takes_over_from_nothing_that_stands() -> None:
    """Two failures days before it, within the bounds of its onset, were a suspicion that nobody was
    told of: the block keeps its id, and it is not dismissed."""
    known = _known(_event(NOW - 2 * DAY, onset_earliest=NOW - 12 * DAY))
    over: dict[str, Any] = {"end_earliest": NOW - 9 * DAY, "end_latest": NOW - 8 * DAY}
    signs = _event(NOW - 10 * DAY, "b", state=EventState.DISMISSED, confirmed_at=None, **over)
    late = _event(NOW - 4 * DAY, "c", onset_earliest=NOW - 8 * DAY)
    (changed,) = merged([signs, late], [known], "ooni", NOW)
    assert (changed.id, changed.event.state) == ("a", EventState.CONFIRMED)
    assert changed.event.onset_latest == NOW - 4 * DAY


@pytest.mark.parametrize("id_", ["b", "d"])
def test_what_certainly_lasted_then_goes_on_before_what_may_have(id_: str) -> None:
    """The rest of a block has lost its first row, so its id; the bounds of the next one overlap
    it, whether that is found by its id or by another row."""
    first, second = NOW - WINDOW + DAY, NOW - 10 * DAY
    over: dict[str, Any] = {"end_earliest": first + 5 * DAY, "end_latest": second + HOUR}
    ended = _known(_event(first, state=EventState.ENDED, **over))
    lasts = _known(_event(second, "b", onset_earliest=first + 5 * DAY))
    rest = _event(first + DAY, "c", state=EventState.ENDED, **over)
    assert merged([rest, replace(lasts.event, id=id_)], [ended, lasts], "ooni", NOW) == []


def test_two_blocks_found_as_one_stay_two() -> None:
    """The rows that showed that the first was over have left the window."""
    first, second = NOW - WINDOW - 5 * DAY, NOW - WINDOW + 6 * DAY
    over: dict[str, Any] = {"end_earliest": NOW - WINDOW + 3 * DAY}
    over["end_latest"] = over["end_earliest"] + HOUR
    ended = _known(_event(first, state=EventState.ENDED, **over))
    dated = Stretch(onset_earliest=second - HOUR, onset_latest=second)
    network = replace(ended.event.networks[0], stretches=(dated,))
    lasts = _known(_event(second, "b", networks=(network,)))
    undated = Stretch(onset_earliest=None, onset_latest=NOW - WINDOW + HOUR)
    past = replace(undated, end_earliest=second - 2 * DAY, end_latest=second - DAY)
    other = replace(network, asn=1, stretches=(past,), blocked_now=False)
    networks = (other, replace(network, stretches=(undated,)))
    both = _event(undated.onset_latest, "c", onset_earliest=None, networks=networks)
    (changed,) = merged([both], [ended, lasts], "ooni", NOW)
    event = changed.event
    assert (event.id, event.onset_earliest, event.onset_latest) == ("b", second - HOUR, second)
    assert stretches(event) == (replace(dated, last_blocked=second),)
    assert [(one.asn, one.affected) for one in event.networks] == [(1, False), (network.asn, True)]
    assert merged([both], [ended, changed], "ooni", NOW) == []


def test_a_confirmed_block_is_not_suspected_when_its_first_rows_leave() -> None:
    """One network is still measured, too seldom to confirm anything by itself; the others were
    never found open. What is suspected to have come back stays so."""
    begun = NOW - WINDOW - DAY
    rest = _event(begun + 2 * DAY, "b", state=EventState.SUSPECTED, confirmed_at=None)
    assert merged([rest], [_known(_event(begun))], "ooni", NOW) == []
    silent = _known(_event(begun, state=EventState.UNOBSERVED))
    (changed,) = merged([rest], [silent], "ooni", NOW)
    assert changed.event.state is EventState.CONFIRMED
    assert changed.event.confirmed_at == begun + 3 * HOUR
    doubted = _known(_event(begun, state=EventState.SUSPECTED))
    assert merged([rest], [doubted], "ooni", NOW) == []


def _unobserved(began: datetime, last: datetime, unsure: timedelta = HOUR) -> SourcedEvent:
    """A block of one network that nobody has measured since `last`."""
    known = _event(began, state=EventState.UNOBSERVED)
    silent = Stretch(
        onset_earliest=began - HOUR,
        onset_latest=began,
        end_earliest=last,
        unsure=unsure.total_seconds(),
    )
    network = replace(known.networks[0], stretches=(silent,), blocked_now=False, unobserved=True)
    return _known(replace(known, networks=(network,)))


def test_a_silence_longer_than_the_window_is_no_time_of_the_block() -> None:
    """It was found blocked before and after; nobody knows what was in between."""
    begun, last = NOW - 50 * DAY, NOW - 45 * DAY
    known = _unobserved(begun, last)
    rest = Stretch(onset_earliest=None, onset_latest=NOW - 2 * DAY, last_blocked=NOW - HOUR)
    network = replace(known.event.networks[0], stretches=(rest,), blocked_now=True)
    found = _event(NOW - 2 * DAY, "b", onset_earliest=None, networks=(network,))
    (changed,) = merged([found], [known], "ooni", NOW)
    assert changed.event.onset_latest == begun
    assert least(changed.event) == 5 * DAY - HOUR + 2 * DAY - HOUR
    assert merged([found], [changed], "ooni", NOW) == []


def test_silences_that_left_the_window_stay_counted() -> None:
    """Two days of rows and eight without, again and again."""
    begun = NOW - 40 * DAY
    known = _unobserved(begun, NOW - 9 * DAY, unsure=24 * DAY)
    rest = Stretch(
        onset_earliest=None,
        onset_latest=NOW - WINDOW + DAY,
        last_blocked=NOW - HOUR,
        unsure=(16 * DAY).total_seconds(),
    )
    network = replace(known.event.networks[0], stretches=(rest,), blocked_now=True)
    found = _event(rest.onset_latest, "b", onset_earliest=None, networks=(network,))
    (changed,) = merged([found], [known], "ooni", NOW)
    (stretch,) = changed.event.networks[0].stretches
    assert stretch.unsure == (33 * DAY - HOUR).total_seconds()
    assert merged([found], [changed], "ooni", NOW) == []


def test_what_nobody_measured_for_two_months_is_closed_without_an_end() -> None:
    """A block that volunteers find later is another one, as it is in a replay of all rows; a
    suspicion was never confirmed."""
    last = NOW - 61 * DAY
    known = _unobserved(NOW - 70 * DAY, last)
    (changed,) = merged([], [known], "ooni", NOW)
    event = changed.event
    assert (event.state, changed.active) == (EventState.ENDED, False)
    assert (event.end_earliest, event.end_latest) == (last, None)
    assert merged([], [changed], "ooni", NOW + HOUR) == []
    later = NOW + DAY
    (other,) = merged([_event(later, "b", onset_earliest=None)], [changed], "ooni", later)
    assert other.id == "b"
    doubted = replace(known, event=replace(known.event, confirmed_at=None))
    (changed,) = merged([], [doubted], "ooni", NOW)
    assert changed.event.state is EventState.DISMISSED
    assert merged([], [_unobserved(NOW - 70 * DAY, NOW - 59 * DAY)], "ooni", NOW) == []


def test_what_older_rows_showed_of_how_it_is_blocked_stays() -> None:
    """All of it is said of the whole event, and of each network; the newest comes last."""
    begun = NOW - WINDOW - 2 * DAY
    dated = Stretch(onset_earliest=begun - HOUR, onset_latest=begun)
    old: dict[str, Any] = {"methods": ("tls.reset",), "functions": ("web",)}
    known = _event(begun, evidence="conclusive", scope=Scope.FULL, **old)
    network = replace(known.networks[0], methods=("tls.reset",), stretches=(dated,))
    known = replace(known, networks=(network,))
    rest = replace(
        network,
        methods=("dns.nxdomain",),
        stretches=(replace(dated, onset_latest=begun + 3 * DAY),),
    )
    new: dict[str, Any] = {"methods": ("dns.nxdomain",), "functions": ("media",)}
    found = _event(
        begun + 3 * DAY, "b", evidence="strong", scope=Scope.PARTIAL, networks=(rest,), **new
    )
    (changed,) = merged([found], [_known(known)], "ooni", NOW)
    event = changed.event
    assert event.methods == event.networks[0].methods == ("tls.reset", "dns.nxdomain")
    assert event.functions == ("media", "web")
    assert (event.evidence, event.scope) == ("conclusive", Scope.FULL)
