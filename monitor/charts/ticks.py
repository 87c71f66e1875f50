"""Round moments for a time axis, UTC."""

from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import takewhile

MOST = 9
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""Weeks begin on Mondays; shorter steps divide a week or count from this day."""
_DAY = timedelta(days=1)
# No step is more than three times the one before, so that at least three ticks are left.
_STEPS: tuple[timedelta | int, ...] = (
    *(timedelta(seconds=n) for n in (10, 30)),
    *(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=n) for n in (1, 2, 3, 6, 12)),
    *(timedelta(days=n) for n in (1, 2, 4, 7, 14)),
    *(1, 2, 3, 6, 12, 24, 60, 120, 360, 1080, 3240, 9720),
)
"""Distances of two ticks; a number counts months."""


def ticks(since: datetime, until: datetime, most: int = MOST) -> tuple[list[datetime], bool]:
    """At most `most` moments, and whether they are times of a day rather than days."""
    found: list[datetime] = []
    step: timedelta | int = _DAY
    for step in _STEPS:
        found = [at for at, _ in zip(_from(since, until, step), range(most + 1), strict=False)]
        if len(found) <= most:
            break
    return found, isinstance(step, timedelta) and step < _DAY


def _from(since: datetime, until: datetime, step: timedelta | int) -> Iterator[datetime]:
    every = _by_months(since, step) if isinstance(step, int) else _by_time(since, step)
    return takewhile(lambda at: at <= until, every)


def _by_time(since: datetime, step: timedelta) -> Iterator[datetime]:
    at = _MONDAY + step * -((_MONDAY - since) // step)
    while True:
        yield at
        at += step


def _by_months(since: datetime, step: int) -> Iterator[datetime]:
    number = since.year * 12 // step * step
    while number // 12 <= MAXYEAR:
        at = datetime(max(1, number // 12), number % 12 + 1, 1, tzinfo=UTC)
        if at >= since:
            yield at
        number += step
