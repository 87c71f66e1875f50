"""Cells of a history by network, as SQLite sums them fastest.

SQLite sorts what it groups: a year of rows takes it twice as long at once as cell by cell. It gives
one row for each cell of a country and platform, with all networks as JSON: from a row for each of
them the driver takes as long as to decode it takes here.
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
_NETWORK, _SUMS = "asn, network", ("hours", *COUNTS)
_networks = msgspec.json.Decoder(list[tuple[Any, ...]]).decode


def network_cells(
    connection: Connection,
    selection: Selection,
    period: Period,
    bounds: Sequence[datetime],
) -> list[HistoryCell]:
    """What `Store.cells` gives by network, of the cells between these bounds."""
    query = _query(selection, period, [time_text(one) for one in bounds])
    given = {"country": selection.country, "platform": selection.platform, "asn": selection.asn}
    with connection.exec_driver_sql(query, given) as found:
        rows: Any = found.cursor
        return [
            HistoryCell((country, platform, *network[:2]), number, 1, network[2:])
            for country, platform, number, networks in rows
            for network in _networks(networks)
        ]


def _query(selection: Selection, period: Period, bounds: Sequence[str]) -> str:
    cells = ", ".join(f"({n}, '{a}', '{b}')" for n, (a, b) in enumerate(pairwise(bounds)))
    rows = " UNION ALL ".join(_rows(selection, period, bounds))
    sums = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
    summed = f"SELECT {_NETWORK}, {sums} FROM ({rows}) GROUP BY {_NETWORK} ORDER BY {_NETWORK}"
    packed = f"json_group_array(json_array({_NETWORK}, {', '.join(_SUMS)}))"
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
    """Days or hours of a cell. Of a day that is cut there is what its hours make."""
    since, until = bounds[0], bounds[-1]
    day = f"{until[:10]}T00:00:00.000000Z" if period is Period.DAY else since
    of_asn = "" if selection.asn is None else "AND asn = :asn "
    for table, hours, first, last in (
        (_DAYS, "hours", since, day),
        (_HOURS, "1 AS hours", max(since, day), until),
    ):
        if first < last:
            yield (
                f"SELECT {_NETWORK}, {hours}, {', '.join(COUNTS)} FROM {table} AS t "
                "WHERE t.country = place.country AND t.platform = place.platform "
                f"AND starts_at >= max(cell.since, '{first}') "
                f"AND starts_at < min(cell.until, '{last}') {of_asn}"
            )
