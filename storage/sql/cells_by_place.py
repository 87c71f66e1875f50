"""Cells of a history as SQLite sums them fastest: those of one country and platform after another,
each from the few rows that lie in it.

SQLite sorts what it groups: a year of rows takes it twice as long at once as cell by cell. Nor does
it find the hours of a day by their time alone: without a platform it reads all that are stored. It
gives one row for each cell of a country and platform, with all networks as JSON: to read a row for
each of them takes the driver longer than to decode it takes here.
"""

# ruff: noqa: S608 # our own words: what is selected is bound

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import Connection

from storage.sql import schema
from storage.values.history_cell import HistoryCell
from storage.values.rollup import COUNTS, Period
from storage.values.selection import Selection
from storage.values.times import time_text

_DAYS, _HOURS = schema.availability_day.name, schema.availability_hour.name
_NETWORK, _COUNTS = "asn, network", ", ".join(COUNTS)
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in ("hours", *COUNTS))
_networks = msgspec.json.Decoder(list[tuple[Any, ...]]).decode


def cells_by_place(
    connection: Connection, selection: Selection, period: Period, bounds: Sequence[datetime]
) -> list[HistoryCell]:
    """What `Store.cells` gives, of the cells between these bounds, made of rows of that period."""
    query = _query(selection, period, [time_text(one) for one in bounds])
    given = {"country": selection.country, "platform": selection.platform, "asn": selection.asn}
    with connection.exec_driver_sql(query, given) as found:
        rows: Any = found.cursor
        return [
            HistoryCell((country, platform, *one[:2]), number, one[2], one[3:])
            for country, platform, number, networks in rows
            for one in _networks(networks)
        ]


def _query(selection: Selection, period: Period, bounds: Sequence[str]) -> str:
    """Country, platform, number of the cell, and JSON: of each network its AS number and name, how
    many networks that is, hours and counts. In order."""
    cells = ", ".join(f"({n}, '{a}', '{b}')" for n, (a, b) in enumerate(pairwise(bounds)))
    rows = " UNION ALL ".join(_rows(selection, period, bounds))
    if not selection.by_network:
        rows = f"SELECT 0 AS asn, '' AS network, count(*) AS networks, {_SUMS} FROM ({rows}) "
        rows += "GROUP BY starts_at"
    summed = (
        f"SELECT {_NETWORK}, max(networks) AS networks, {_SUMS} FROM ({rows}) "
        f"GROUP BY {_NETWORK} ORDER BY {_NETWORK}"
    )
    packed = f"json_group_array(json_array({_NETWORK}, networks, hours, {_COUNTS}))"
    return (
        f"WITH RECURSIVE {_places(selection)}, "
        f"cell(number, since, until) AS (VALUES {cells}) "
        f"SELECT country, platform, number, (SELECT {packed} FROM ({summed})) "
        "FROM place CROSS JOIN cell WHERE platform IS NOT NULL ORDER BY country, platform, number"
    )


def _places(selection: Selection) -> str:
    """Countries and platforms, each found by the one before: to read them all would take longer
    than the sums of a month."""
    countries = (
        "SELECT :country"
        if selection.country
        else f"SELECT min(country) FROM {_DAYS} UNION ALL SELECT "
        f"(SELECT min(country) FROM {_DAYS} WHERE country > name) "
        "FROM country WHERE name IS NOT NULL"
    )
    platforms = (
        "SELECT name, :platform FROM country WHERE name IS NOT NULL"
        if selection.platform
        else f"SELECT name, (SELECT min(platform) FROM {_DAYS} WHERE country = name) "
        "FROM country WHERE name IS NOT NULL UNION ALL SELECT country, "
        f"(SELECT min(platform) FROM {_DAYS} AS t "
        "WHERE t.country = place.country AND t.platform > place.platform) "
        "FROM place WHERE platform IS NOT NULL"
    )
    return f"country(name) AS ({countries}), place(country, platform) AS ({platforms})"


def _rows(selection: Selection, period: Period, bounds: Sequence[str]) -> Iterator[str]:
    """Days or hours of each network in a cell. Of a day that is cut there is what its hours
    make."""
    since, until = bounds[0], bounds[-1]
    if period is Period.HOUR:
        found = _found(selection, _HOURS, since, until)
        yield f"SELECT t.starts_at, {_NETWORK}, 1 AS networks, 1 AS hours, {_COUNTS} {found}"
        return
    day = f"{until[:10]}T00:00:00.000000Z"
    if since < day:
        found = _found(selection, _DAYS, since, day)
        yield f"SELECT t.starts_at, {_NETWORK}, 1 AS networks, hours, {_COUNTS} {found}"
    if day < until:
        found = _found(selection, _HOURS, max(since, day), until)
        hours = f"FROM (SELECT {_NETWORK}, 1 AS hours, {_COUNTS} {found})"
        selected = f"SELECT '{day}' AS starts_at, {_NETWORK}, 1 AS networks"
        yield f"{selected}, {_SUMS} {hours} GROUP BY {_NETWORK}"


def _found(selection: Selection, table: str, since: str, until: str) -> str:
    """The rows of a table in a cell, between these times."""
    return (
        f"FROM {table} AS t WHERE t.country = place.country AND t.platform = place.platform "
        f"AND t.starts_at >= max(cell.since, '{since}') "
        f"AND t.starts_at < min(cell.until, '{until}')"
    ) + ("" if selection.asn is None else " AND asn = :asn")
