"""How long the intervals of a file of counts or scores are: it says only when each begins.

It is the longest of week, day and hour that fits: every one begins on the same day of the week, or
at the same time of day. Months all begin on the first. Some intervals are missing wherever nobody
measured, so the distances between them show nothing. An interval that is taken for a longer one
widens the bounds of onset and end; taken for a shorter one it would date a block more exactly than
its counts can. One beginning alone fits everything: it is of a day, or of an hour within one.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.replay.imported_row import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
_LONGEST_MONTH = timedelta(days=31)


def with_ends(rows: Iterable[Row], begins: Collection[datetime]) -> list[Row]:
    """The rows, those of intervals with their ends. `begins` has the beginnings in the whole file,
    of which only some rows may have been selected."""
    end = _end_of(begins)
    return [
        msgspec.structs.replace(row, until=end(row.at)) if row.interval else row for row in rows
    ]


def _end_of(begins: Collection[datetime]) -> Callable[[datetime], datetime]:
    several = len(begins) > 1
    by_day = _rests(begins, _DAY) == {timedelta(0)}
    if several and by_day and {at.day for at in begins} == {1}:
        return lambda at: (at + _LONGEST_MONTH).replace(day=1)
    if several and len(_rests(begins, _WEEK)) == 1:
        return lambda at: at + _WEEK
    if by_day or (several and len(_rests(begins, _DAY)) == 1):
        return lambda at: at + _DAY
    return lambda at: at + _HOUR


def _rests(begins: Iterable[datetime], unit: timedelta) -> set[timedelta]:
    """How far into a unit they lie."""
    return {(at - _EPOCH) % unit for at in begins}
