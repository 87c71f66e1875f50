"""Events as bars on a time axis, in percent of the width of the drawing."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import Event, Stretch
from monitor.analysis.events.stretches import stretches
from monitor.wording.words import Words

NARROWEST = 0.6
"""Percent; a narrower bar would be invisible."""
_STEPS = (
    *(timedelta(minutes=n) for n in (10, 30)),
    *(timedelta(hours=n) for n in (1, 3, 6, 12)),
    *(timedelta(days=n) for n in (1, 2, 5, 10, 30, 90, 365)),
)
"""Distances that two ticks may have."""
MOST_TICKS = 6
MOST_BARS = 100
"""Bars of one event."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time on the axis."""

    x: float
    """Percent from the start of the axis."""
    width: float
    """Percent."""
    sure: bool
    """False between the two bounds of an onset or end."""


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """A mark on the axis."""

    x: float
    at: datetime


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """The span of time that is drawn, UTC."""

    since: datetime
    until: datetime

    def position(self, moment: datetime) -> float:
        """The position of a moment in percent, always within the axis."""
        part = (moment - self.since) / (self.until - self.since)
        return round(100 * min(1.0, max(0.0, part)), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Round moments, few enough for a phone."""
        length = self.until - self.since
        step = next((step for step in _STEPS if length / step <= MOST_TICKS), length)
        midnight = self.since.replace(hour=0, minute=0, second=0, microsecond=0)
        first = midnight + step * -(-(self.since - midnight) // step)
        found = []
        while first < self.until:
            found.append(Tick(x=self.position(first), at=first))
            first += step
        return tuple(found)

    @property
    def in_hours(self) -> bool:
        """Whether the ticks show hours rather than days."""
        return (self.until - self.since) / MOST_TICKS < timedelta(days=1)


def axis_of(events: Sequence[Event], at: datetime, longest: timedelta) -> Axis:
    """An axis with these events that ends at `at`: at least one hour long, and hardly longer than
    `longest`."""
    begun = [event.onset_earliest or event.onset_latest for event in events]
    since = max(min(begun, default=at) - timedelta(minutes=10), at - longest)
    since = min(since, at - timedelta(hours=1))
    return Axis(since=since - (at - since) * 0.03, until=at)


def event_bars(axis: Axis, event: Event) -> tuple[Bar, ...]:
    """The bars of an event, stretch by stretch: hours in which no network blocked stay free. If
    that takes more than MOST_BARS bars, all stretches before the newest are one bar that is not
    sure."""
    every = stretches(event)
    bars = dict.fromkeys(bar for one in every for bar in stretch_bars(axis, one, event))
    if len(bars) > MOST_BARS:
        begun = every[0].onset_earliest or every[0].onset_latest
        before = _bar(axis, begun, every[-1].onset_latest, sure=False)
        bars = dict.fromkeys(stretch_bars(axis, every[-1], event))
        bars |= {} if before is None else {before: None}
    return tuple(sorted(bars, key=lambda bar: (bar.sure, bar.x)))


def stretch_bars(axis: Axis, stretch: Stretch, event: Event) -> tuple[Bar, ...]:
    """The bars of one stretch of an event: its onset, the certain part, its end."""
    # Where no vantage can tell whether it goes on, nothing is known since the last update.
    goes_on = event.active and not event.wholly_unobserved
    certain_until = stretch.end_earliest or (
        axis.until if goes_on else max(event.updated_at, stretch.onset_latest)
    )
    bars = [_bar(axis, stretch.onset_latest, certain_until, sure=True)]
    if stretch.onset_earliest is not None:
        bars.insert(0, _bar(axis, stretch.onset_earliest, stretch.onset_latest, sure=False))
    if stretch.end_earliest is not None and stretch.end_latest is not None:
        bars.append(_bar(axis, stretch.end_earliest, stretch.end_latest, sure=False))
    return tuple(bar for bar in bars if bar is not None)


def _bar(axis: Axis, start: datetime, end: datetime, *, sure: bool) -> Bar | None:
    if end < axis.since or start > axis.until:
        return None
    x, to = axis.position(start), axis.position(end)
    width = max(to - x, NARROWEST if sure else 0.0)
    return Bar(x=min(x, 100 - width), width=round(width, 2), sure=sure) if width else None


def tick_label(words: Words, axis: Axis) -> Callable[[datetime], str]:
    """How the moments on an axis are written."""
    return words.clock if axis.in_hours else words.short_day
