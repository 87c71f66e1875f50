"""How counts of verdicts are listed: as they are, or those of a country's networks together."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, null, select, tuple_

from storage import schema
from storage.rollup import COUNTS, KEY, Availability, Period
from storage.store import Selection
from storage.times import text_time, time_text

_TABLES = {Period.HOUR: schema.availability_hour, Period.DAY: schema.availability_day}
_PLACE = KEY[:3]


def availability_page(
    connection: Connection, selection: Selection, after: tuple[str, ...], limit: int
) -> list[Availability]:
    """The next rows after a place, at most `limit`."""
    rows = connection.execute(_query(selection, after).limit(limit))
    return [_decoded(row, selection.period) for row in rows]


def _query(selection: Selection, after: tuple[str, ...]) -> Select[Any]:
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
    hours = c.hours if "hours" in c else literal(1)
    if selection.by_network:
        key = [c[name] for name in KEY]
        where += _behind(key, after)
        return select(*key, *counts, hours, literal(1)).where(*where).order_by(*key)
    key = [c[name] for name in _PLACE]
    where += _behind(key, after)
    return (
        select(*key, null(), literal(""), *map(func.sum, counts), func.sum(hours), func.count())
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


def _decoded(row: Sequence[Any], period: Period) -> Availability:
    # Named one by one: years of hours come through here.
    country, platform, starts_at, asn, network, *counts = row
    ok, degraded, throttled, blocked, down, insufficient, hours, networks = counts
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
        period=period,
    )
