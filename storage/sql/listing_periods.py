"""Availability of periods that no table has rows for: months, those of other time zones, and those
that a selection cuts.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice, takewhile

from sqlalchemy import ColumnElement, Connection, select, tuple_

from storage.sql import schema
from storage.sql.counting_periods import PeriodCounter, Place, of_place
from storage.sql.listing import Key, driver_rows
from storage.values.periods import Period, spans, zone_named
from storage.values.rollup import Availability
from storage.values.selection import Selection
from storage.values.times import text_time, time_text

_AT_ONCE = {Period.HOUR: 240, Period.DAY: 31, Period.MONTH: 12}
"""Most periods read at once."""


def periods_page(
    connection: Connection, selection: Selection, after: Key | None, limit: int
) -> tuple[list[Availability], Key | None]:
    """The next values after a place, and the place where they ended, None at the end."""
    last = (*after[:3], int(after[3] or 0), after[4]) if after else None
    found: list[Availability] = []
    for place in _places(connection, selection, last and (last[0], last[1])):
        begin = text_time(last[2]) if last and place == last[:2] else None
        for some in _some_periods(connection, selection, place, begin, limit):
            found += [one for one in some if last is None or _key(one) > last]
            if len(found) >= limit:
                return found[:limit], _key(found[limit - 1])
    return found, None


def _key(one: Availability) -> Key:
    return (one.country, one.platform, time_text(one.starts_at), one.asn or 0, one.network)


def _places(connection: Connection, selection: Selection, first: Place | None) -> Iterator[Place]:
    """Countries and platforms with counts, in order, from one of them on."""
    c = schema.availability_day.c
    where = [c.country == selection.country] if selection.country else []
    where += [c.platform == selection.platform] if selection.platform else []
    place = tuple_(c.country, c.platform)
    start: list[ColumnElement[bool]] = [place >= tuple_(*first)] if first else []
    while True:
        query = select(c.country, c.platform).where(*where, *start)
        rows = driver_rows(connection, query.order_by(c.country, c.platform).limit(1))
        if not rows:
            return
        country, platform = rows[0]
        yield country, platform
        start = [place > tuple_(country, platform)]


def _some_periods(
    connection: Connection,
    selection: Selection,
    place: Place,
    begin: datetime | None,
    limit: int,
) -> Iterator[list[Availability]]:
    """The rows of a country and platform, those of a few periods at a time."""
    zone = zone_named(selection.timezone)
    until = selection.until
    at = max(filter(None, (selection.since, begin)), default=None)
    while True:
        day = _first_day(connection, selection, place, at)
        at = max(filter(None, (at, day)), default=None)
        if at is None or day is None or (until is not None and at >= until):
            return
        following = islice(
            spans(at, selection.period, zone), min(limit, _AT_ONCE[selection.period])
        )
        some = list(takewhile(lambda span: until is None or span.start < until, following))
        yield PeriodCounter(connection, selection, place, some).rows()
        at = some[-1].end


def _first_day(
    connection: Connection, selection: Selection, place: Place, at: datetime | None
) -> datetime | None:
    """The start of the first day with counts, not before that of `at`."""
    c = schema.availability_day.c
    where = of_place(c, selection, place)
    if at is not None:
        where.append(c.starts_at >= f"{time_text(at)[:10]}T00:00:00.000000Z")
    rows = driver_rows(connection, select(c.starts_at).where(*where).order_by(c.starts_at).limit(1))
    return text_time(rows[0][0]) if rows else None
