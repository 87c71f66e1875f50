"""Hours, days and months of a time zone, as stretches of UTC time.

They part the time without gaps or overlaps. A day on which clocks change has 23 or 25 hours, and an
hour in which they change by less than an hour is shorter.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


class Period(StrEnum):
    """How much time one row covers."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Span(NamedTuple):
    """A stretch of time, UTC."""

    start: datetime
    end: datetime
    """The first moment after it."""


def zone_named(name: str) -> ZoneInfo:
    """The time zone of this IANA name, such as `Asia/Karachi`. ValueError for any other text."""
    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{name!r} is not the name of a time zone") from error


def spans(moment: datetime, period: Period, zone: ZoneInfo) -> Iterator[Span]:
    """The period that holds a moment, and those after it."""
    at = moment
    while True:
        found = _hour(at, zone) if period is Period.HOUR else _dates(at, period, zone)
        yield found
        at = found.end


def span_of(moment: datetime, period: Period, zone: ZoneInfo) -> Span:
    """The period that holds a moment."""
    return next(spans(moment, period, zone))


def _dates(moment: datetime, period: Period, zone: ZoneInfo) -> Span:
    date = moment.astimezone(zone).replace(
        hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0
    )
    if period is Period.MONTH:
        date = date.replace(day=1)
    start = _midnight(date, zone)
    while True:
        date = (date + 31 * _DAY).replace(day=1) if period is Period.MONTH else date + _DAY
        end = _midnight(date, zone)
        # A date that a zone skipped, or came back to, is no day of its own.
        if end > moment:
            return Span(start, end)
        start = end


def _midnight(date: datetime, zone: ZoneInfo) -> datetime:
    # One that clocks skip is the moment of the change; of two the first.
    return date.replace(tzinfo=zone).astimezone(UTC)


def _hour(moment: datetime, zone: ZoneInfo) -> Span:
    local = moment.astimezone(zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    start = moment.astimezone(UTC) - into
    end = start + HOUR
    offset = local.utcoffset()
    if start.astimezone(zone).utcoffset() != offset:
        start = _change(start, moment, zone)
    if (end - _TICK).astimezone(zone).utcoffset() != offset:
        end = _change(moment, end - _TICK, zone)
    return Span(start, end)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first moment of the offset that holds `after`, which is not that of `before`."""
    low, high = before.astimezone(UTC), after.astimezone(UTC)
    offset = after.astimezone(zone).utcoffset()
    while high - low > _TICK:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high
