"""Events as bars on one axis of time, in per cent, for a drawing as wide as the screen."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import Episode, Event

NARROWEST = 0.6
"""Per cent; what would be narrower could not be seen."""
_STEPS = (
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(days=1),
    timedelta(days=2),
    timedelta(days=5),
    timedelta(days=10),
    timedelta(days=30),
    timedelta(days=90),
    timedelta(days=365),
)
MOST_TICKS = 6
MOST_BARS = 100
"""Of one event."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time on the axis."""

    x: float
    """Per cent from its beginning."""
    width: float
    """Per cent."""
    sure: bool
    """False between two bounds, where it began or ended at some moment."""


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """A mark on the axis."""

    x: float
    at: datetime


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when is drawn, UTC."""

    since: datetime
    until: datetime

    def place(self, moment: datetime) -> float:
        """Where a moment is, per cent, never outside."""
        part = (moment - self.since) / (self.until - self.since)
        return round(100 * min(1.0, max(0.0, part)), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Round moments, few enough to be read on a phone."""
        length = self.until - self.since
        step = next((step for step in _STEPS if length / step <= MOST_TICKS), length)
        midnight = self.since.replace(hour=0, minute=0, second=0, microsecond=0)
        first = midnight + step * -(-(self.since - midnight) // step)
        found = []
        while first < self.until:
            found.append(Tick(x=self.place(first), at=first))
            first += step
        return tuple(found)

    @property
    def in_hours(self) -> bool:
        """Whether its marks are hours rather than days."""
        return (self.until - self.since) / MOST_TICKS < timedelta(days=1)


def axis_of(events: Sequence[Event], at: datetime, longest: timedelta) -> Axis:
    """An axis that shows these events up to `at`, at most `longest`, at least an hour."""
    begun = [event.onset_earliest or event.onset_latest for event in events]
    since = max(min(begun, default=at) - timedelta(minutes=10), at - longest)
    since = min(since, at - timedelta(hours=1))
    return Axis(since=since - (at - since) * 0.03, until=at)


def event_bars(axis: Axis, event: Event) -> tuple[Bar, ...]:
    """One event: doubtful where it began, sure, doubtful where it ended; hours in which no network
    blocked stay free, where there are not too many of them to draw."""
    episodes = [one for network in event.networks for one in network.episodes]
    if len(episodes) > 1:
        bars = dict.fromkeys(bar for one in episodes for bar in episode_bars(axis, one, event))
        if len(bars) <= MOST_BARS:
            return tuple(sorted(bars, key=lambda bar: bar.sure))
    return tuple(
        _bars(
            axis,
            event.onset_earliest,
            event.onset_latest,
            event.end_earliest,
            event.end_latest,
            going_on=event.active,
            last_seen=event.updated_at,
        )
    )


def episode_bars(axis: Axis, episode: Episode, event: Event) -> tuple[Bar, ...]:
    """One time in which one network blocked."""
    return tuple(
        _bars(
            axis,
            episode.onset_earliest,
            episode.onset_latest,
            episode.end_earliest,
            episode.end_latest,
            going_on=event.active,
            last_seen=event.updated_at,
        )
    )


def _bars(
    axis: Axis,
    onset_earliest: datetime | None,
    onset_latest: datetime,
    end_earliest: datetime | None,
    end_latest: datetime | None,
    *,
    going_on: bool,
    last_seen: datetime,
) -> Iterator[Bar]:
    if onset_earliest is not None:
        yield from _bar(axis, onset_earliest, onset_latest, sure=False)
    known_until = end_earliest or (axis.until if going_on else max(last_seen, onset_latest))
    yield from _bar(axis, onset_latest, known_until, sure=True)
    if end_earliest is not None and end_latest is not None:
        yield from _bar(axis, end_earliest, end_latest, sure=False)


def _bar(axis: Axis, start: datetime, end: datetime, *, sure: bool) -> Iterator[Bar]:
    if end < axis.since or start > axis.until:
        return
    x, to = axis.place(start), axis.place(end)
    width = max(to - x, NARROWEST if sure else 0.0)
    if width:
        yield Bar(x=min(x, 100 - width), width=round(width, 2), sure=sure)
