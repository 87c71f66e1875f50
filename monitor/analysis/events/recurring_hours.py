"""Recurring hours of a block: exam mornings, office hours, nights.

A block that comes and goes by the clock is one event with a timetable. The day is cut into half
hours. Those blocked on most days with a block, while others hardly ever were, are the timetable.
All in UTC, so that it reads the same everywhere and ignores daylight saving time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from monitor.analysis.events.event import Stretch

BIN = timedelta(minutes=30)
_BINS = 48
LEAST_DAYS = 3
"""Days with a block needed for a pattern."""
MOSTLY, HARDLY = 0.6, 0.25
"""Shares of those days: blocked in a half hour of the timetable, and outside it."""
LONGEST = timedelta(hours=20)
"""A longer stretch keeps no hours of the day."""
_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def pattern_of(stretches: Sequence[Stretch]) -> str:
    """The timetable of one network's stretches in a few words; empty when there is none."""
    spans = [(e.onset_latest, e.end_earliest) for e in stretches if e.end_earliest is not None]
    if any(end - start > LONGEST for start, end in spans):
        return ""
    days = {start.date() for start, _ in spans}
    if len(days) < LEAST_DAYS:
        return ""
    often = Counter(number for start, end in spans for number in _bins(start, end))
    share = [often[number] / len(days) for number in range(_BINS)]
    within = [part >= MOSTLY for part in share]
    if not any(within) or not any(part <= HARDLY for part in share):
        return ""
    hours = ", ".join(f"{_clock(first)}-{_clock(last + 1)}" for first, last in _runs(within))
    return f"{_weekdays(days)}{hours} UTC"


def _bins(start: datetime, end: datetime) -> set[int]:
    """The half hours of the day whose middle a span covers."""
    covered: set[int] = set()
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    number = int((start - midnight) / BIN)
    while (at := midnight + number * BIN + BIN / 2) < end:
        if at >= start:
            covered.add(number % _BINS)
        number += 1
    return covered


def _runs(within: Sequence[bool]) -> Iterable[tuple[int, int]]:
    """First and last of each run, which may continue past midnight."""
    if all(within):
        return [(0, _BINS - 1)]
    starts = [n for n in range(_BINS) if within[n] and not within[n - 1]]
    runs = []
    for first in starts:
        last = first
        while within[(last + 1) % _BINS]:
            last += 1
        runs.append((first, last))
    return runs


def _clock(number: int) -> str:
    hours, half = divmod(number % _BINS, 2)
    return f"{hours:02}:{'30' if half else '00'}"


def _weekdays(days: set[date]) -> str:
    """The weekdays with a block, when other weekdays in between had none."""
    first, last = min(days), max(days)
    lived = {(first + timedelta(days=n)).weekday() for n in range((last - first).days + 1)}
    kept = {day.weekday() for day in days}
    if kept == lived or not lived - kept:
        return ""
    if kept <= set(range(5)) and len(kept) >= LEAST_DAYS and not lived - kept - {5, 6}:
        return "Mon-Fri "
    return f"{'/'.join(_NAMES[day] for day in sorted(kept))} "
