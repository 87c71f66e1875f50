"""How counts of verdicts are listed: as they are, or those of a country's networks together."""

from collections.abc import Sequence
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
from storage.store import Selection
from storage.values.rollup import COUNTS, KEY, Availability, Period
from storage.values.times import text_time, time_text

_TABLES = {Period.HOUR: schema.availability_hour, Period.DAY: schema.availability_day}
_PLACE = KEY[:3]


def availability_page(
    connection: Connection, selection: Selection, after: tuple[str, ...], limit: int
) -> list[Availability]:
    """The next rows after a place, at most `limit`."""
    rows = connection.execute(availability_query(selection, after).limit(limit))
    return [_decoded(row) for row in rows]


def availability_query(selection: Selection, after: tuple[str, ...]) -> Select[Any]:
    """All rows after a place, in order: key, counts, `hours`, `networks` and `period`."""
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
    period = literal(selection.period.value).label("period")
    hours = c.hours if "hours" in c else literal(1).label("hours")
    if selection.by_network:
        key = [c[name] for name in KEY]
        where += _behind(key, after)
        networks = literal(1).label("networks")
        return select(*key, *counts, hours, networks, period).where(*where).order_by(*key)
    key = [c[name] for name in _PLACE]
    where += _behind(key, after)
    sums = [func.sum(c[state]).label(state) for state in COUNTS]
    return (
        select(
            *(*key, cast(null(), BigInteger).label("asn"), literal("").label("network")),
            *(*sums, func.sum(hours).label("hours"), func.count().label("networks"), period),
        )
        .where(*where)
        .group_by(*key)
        .order_by(*key)
    )


def _behind(key: Sequence[ColumnElement[Any]], after: tuple[str, ...]) -> list[ColumnElement[bool]]:
    if not after:
        return []
    place: list[Any] = list(after[: len(key)])
    if len(key) == len(KEY):
        place[3] = int(place[3])
    return [tuple_(*key) > tuple_(*place)]


def _decoded(row: Sequence[Any]) -> Availability:
    # Named one by one: years of hours come through here.
    country, platform, starts_at, asn, network, *counts = row
    ok, degraded, throttled, blocked, down, insufficient, hours, networks, period = counts
    return Availability(
        country=country,
        platform=platform,
        starts_at=text_time(starts_at),
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
        period=Period(period),
    )
