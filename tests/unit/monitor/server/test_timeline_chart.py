"""Events drawn on an axis of time."""

from datetime import timedelta

import msgspec

from monitor.analysis.events.event import Event, EventState, Stretch
from monitor.server.timeline_chart import MOST_BARS, MOST_TICKS, Axis, axis_of, event_bars
from tests.prometheus import world
from tests.prometheus.world import NOW
from tests.worlds.notify_world import unseen_shutdown

HOUR = timedelta(hours=1)
DAY = Axis(since=NOW - 24 * HOUR, until=NOW)


def nightly(nights: int) -> Event:
    """A block of one hour a day, ended, on one network."""
    began = [NOW - (night + 2) * HOUR for night in range(nights)]
    stretches = tuple(
        Stretch(
            onset_earliest=at - timedelta(minutes=6),
            onset_latest=at,
            end_earliest=at + timedelta(minutes=30),
            end_latest=at + timedelta(minutes=36),
        )
        for at in sorted(began)
    )
    event = world.event(state=EventState.ENDED)
    network = msgspec.structs.replace(event.networks[0], stretches=stretches)
    return msgspec.structs.replace(
        event,
        networks=(network,),
        onset_earliest=stretches[0].onset_earliest,
        onset_latest=stretches[0].onset_latest,
        end_earliest=stretches[-1].end_earliest,
        end_latest=stretches[-1].end_latest,
    )


def test_bounds_are_drawn_apart_from_what_is_certain() -> None:
    """An onset somewhere within six hours of a day is a quarter of the drawing, and unsure."""
    event = msgspec.structs.replace(
        world.event(), onset_earliest=NOW - 12 * HOUR, onset_latest=NOW - 6 * HOUR
    )
    assert [(bar.x, bar.width, bar.sure) for bar in event_bars(DAY, event)] == [
        (50.0, 25.0, False),
        (75.0, 25.0, True),
    ]


def test_free_hours_stay_free() -> None:
    """A block that comes each night is drawn as its nights, not as one long bar."""
    bars = [bar for bar in event_bars(DAY, nightly(3)) if bar.sure]
    assert len(bars) == 3
    assert all(bar.width < 3 for bar in bars)


def test_too_many_hours_become_one_bar_that_is_not_sure() -> None:
    """A year of nights does not swell the page, nor does it seem blocked all the time."""
    bars = event_bars(Axis(since=NOW - 400 * HOUR, until=NOW), nightly(MOST_BARS))
    assert len(bars) <= 4
    assert sum(bar.width for bar in bars if bar.sure) < 1
    assert max(bar.width for bar in bars) > 20


def test_nothing_leaves_the_drawing() -> None:
    """What began before the axis, or is too short to be seen, stays within it and can be seen."""
    old = msgspec.structs.replace(
        world.event(), onset_earliest=NOW - 900 * HOUR, onset_latest=NOW - 800 * HOUR
    )
    short = msgspec.structs.replace(world.event(), onset_earliest=NOW, onset_latest=NOW)
    for event in (old, short):
        for bar in event_bars(DAY, event):
            assert bar.x >= 0
            assert bar.width > 0
            assert bar.x + bar.width <= 100.001


def test_an_axis_has_few_round_marks() -> None:
    """From an hour to ten years there is something to read, and not too much for a phone."""
    for hours in (1, 2, 7, 24, 100, 1000, 10_000, 87_600):
        ticks = Axis(since=NOW - hours * HOUR, until=NOW).ticks()
        assert 1 <= len(ticks) <= MOST_TICKS + 1
        assert all(tick.at.second == 0 and tick.at.minute % 10 == 0 for tick in ticks)


def test_an_axis_without_events_is_an_hour() -> None:
    """There is always something to draw on."""
    axis = axis_of([], NOW, 24 * HOUR)
    assert axis.until == NOW
    assert HOUR <= axis.until - axis.since < 2 * HOUR


def test_no_bar_goes_on_where_nobody_can_tell() -> None:
    """All vantages that a shutdown cut off are on a login page since it was last updated."""
    event = msgspec.structs.replace(
        unseen_shutdown(),
        onset_earliest=NOW - 12 * HOUR,
        onset_latest=NOW - 12 * HOUR,
        updated_at=NOW - 6 * HOUR,
    )
    assert [(bar.x, bar.width) for bar in event_bars(DAY, event)] == [(50.0, 25.0)]
