"""How counts of verdicts are listed: by network, or summed over the networks of a country.

Whole hours and days of UTC are read as they are stored, all others by
`storage.sql.listing_periods`.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    cast,
    func,
    literal,
    null,
    select,
    tuple_,
)

from storage.sql import schema
from storage.sql.columns import TEXT
from storage.sql.listing import Key, driver_rows, place_after
from storage.sql.listing_periods import periods_page
from storage.values.rollup import COUNTS, HOURS, KEY, UTC, Availability, Period
from storage.values.selection import Selection
from storage.values.times import text_time, time_text

_TABLES = {Period.HOUR: schema.availability_hour, Period.DAY: schema.availability_day}
_PLACE = KEY[:3]
_MORE = (
    *("hours", "networks", "period", "timezone", "clock_hours"),
    *("counted_from", "counted_until", "deleted"),
)
_COLUMNS = (*KEY, *COUNTS, *_MORE)


def availability_page(
    connection: Connection, selection: Selection, after: Key | None, limit: int
) -> tuple[list[Availability], Key | None]:
    """The next values after a place, and the place where they ended, None at the end."""
    if not _is_stored(selection):
        return periods_page(connection, selection, after, limit)
    rows, place = availability_rows(connection, _COLUMNS, selection, after, limit)
    return [_decoded(row) for row in rows], place


def availability_rows(
    connection: Connection,
    columns: Sequence[str],
    selection: Selection,
    after: Key | None,
    limit: int,
) -> tuple[Sequence[Sequence[Any]], Key | None]:
    """The same, with rows as they are stored. Each begins with the cells of `columns`."""
    if not _is_stored(selection):
        values, place = periods_page(connection, selection, after, limit)
        return [[_cell(getattr(one, name)) for name in columns] for one in values], place
    query = _query(selection, after)
    names = list(dict.fromkeys([*columns, *KEY]))
    cells = query.selected_columns
    query = query.with_only_columns(*(cells[name] for name in names)).limit(limit)
    rows = driver_rows(connection, query)
    return rows, place_after(rows, names, KEY, limit)


def _is_stored(selection: Selection) -> bool:
    """Whether every row is one hour or day as it is stored."""
    if selection.period not in _TABLES or selection.timezone != UTC:
        return False
    start = "T00:00:00.000000Z" if selection.period is Period.DAY else ":00:00.000000Z"
    bounds = (selection.since, selection.until)
    return all(time_text(one).endswith(start) for one in bounds if one is not None)


def _cell(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else value


def _query(selection: Selection, after: Key | None) -> Select[Any]:
    """All rows after a place, in order: with the cells of `_COLUMNS`."""
    table = _TABLES[selection.period]
    c = table.c
    where: list[ColumnElement[bool]] = []
    if selection.country:
        where.append(c.country == selection.country)
    if selection.platform:
        where.append(c.platform == selection.platform)
    if selection.asn is not None:
        where.append(c.asn == selection.asn)
    if selection.since is not None:
        where.append(c.starts_at >= time_text(selection.since))
    if selection.until is not None:
        where.append(c.starts_at < time_text(selection.until))
    counts = [c[state] for state in COUNTS]
    clock_hours = HOURS[selection.period]
    same: list[ColumnElement[Any]] = [
        literal(selection.period.value).label("period"),
        literal(selection.timezone).label("timezone"),
        literal(clock_hours).label("clock_hours"),
        cast(null(), TEXT).label("counted_from"),
        cast(null(), TEXT).label("counted_until"),
        literal(0).label("deleted"),
    ]
    hours = c.hours if "hours" in c else literal(1).label("hours")
    if selection.by_network:
        key = [c[name] for name in KEY]
        where += _after(key, after)
        networks = literal(1).label("networks")
        return select(*key, *counts, hours, networks, *same).where(*where).order_by(*key)
    key = [c[name] for name in _PLACE]
    where += _after(key, after)
    sums = [func.sum(c[state]).label(state) for state in COUNTS]
    return (
        select(
            *(*key, cast(null(), BigInteger).label("asn"), literal("").label("network")),
            *(*sums, func.sum(hours).label("hours"), func.count().label("networks"), *same),
        )
        .where(*where)
        .group_by(*key)
        .order_by(*key)
    )


def _after(key: Sequence[ColumnElement[Any]], after: Key | None) -> list[ColumnElement[bool]]:
    if not after:
        return []
    place = list(after[: len(key)])
    if len(key) == len(KEY):
        place[3] = int(place[3])  # text in the place of a value
    return [tuple_(*key) > tuple_(*place)]


def _decoded(row: Sequence[Any]) -> Availability:
    # Named one by one: years of hours come through here.
    country, platform, starts_at, asn, network, *counts = row
    ok, degraded, throttled, blocked, down, insufficient, *more = counts
    hours, networks, period, timezone, clock_hours, *_ = more
    return Availability(
        country=country,
        platform=platform,
        starts_at=_moment(starts_at),
        asn=asn,
        network=network,
        ok=ok,
        degraded=degraded,
        throttled=throttled,
        blocked=blocked,
        down=down,
        insufficient=insufficient,
        hours=hours,
        networks=networks,
        period=_PERIODS[period],
        timezone=timezone,
        clock_hours=clock_hours,
    )


# Many places share each of them.
_moment = lru_cache(maxsize=10_000)(text_time)
_PERIODS = {period.value: period for period in Period}
