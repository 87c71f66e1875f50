"""Events of volunteers go on from fold to fold: same id, same onset, and nothing left standing that
newer rows no longer show."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.following.sourced_events import WINDOW, merged, no_longer_asked
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
    more = {"onset_earliest": None, "methods": ("tls.reset",)}
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
