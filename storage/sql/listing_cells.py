"""How counts of verdicts are summed in cells of equal length, such as weeks: what histories are
drawn from.

The database sums, so that a year of days costs its reader no more than the cells. Cells shorter
than a day are made of the counts by the hour, others of those by the day, with hours where the end
of the selection cuts a day. PostgreSQL sums them all at once, SQLite as `cells_by_place` says.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    cast,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.sql.selectable import FromClause

from storage.sql import schema
from storage.sql.cells_by_place import cells_by_place
from storage.sql.columns import TEXT
from storage.sql.listing import driver_rows
from storage.values.history_cell import HistoryCell
from storage.values.rollup import COUNTS, KEY, Period
from storage.values.selection import Selection
from storage.values.times import time_text

_DAY = timedelta(days=1)
_PLACE = KEY[:2]
_NETWORK = KEY[3:]
_CELL = "cell"


def cells(connection: Connection, selection: Selection, length: timedelta) -> list[HistoryCell]:
    """What `Store.cells` gives."""
    since, until = selection.since, selection.until
    if since is None or until is None:
        raise ValueError("cells need both bounds")
    starts = [since + number * length for number in range(-((since - until) // length))]
    if not starts:
        return []
    period = Period.HOUR if length < _DAY else Period.DAY
    if connection.dialect.name == "sqlite":
        return cells_by_place(connection, selection, period, [*starts, until])
    query = _query(selection, period, since, until, starts)
    return [
        HistoryCell((country, platform, asn, network), number, networks, tuple(sums))
        for country, platform, number, asn, network, networks, *sums in driver_rows(
            connection, query
        )
    ]


def _query(
    selection: Selection,
    period: Period,
    since: datetime,
    until: datetime,
    starts: Sequence[datetime],
) -> Select[Any]:
    """Country, platform, number of the cell, network, networks, hours and counts, in order."""
    rows = _rows(selection, period, since, until)
    if not selection.by_network:
        rows = _together(rows)
    c = rows.c
    network = [c[name] for name in _NETWORK] if selection.by_network else []
    key = [c[name] for name in _PLACE if not getattr(selection, name)]
    found: list[ColumnElement[Any]] = [
        *_selected(selection, c),
        # As text: to make a year of conditions, and to compare them with those of the last query,
        # took as long as a fifth of the sum.
        literal_column(_number("starts_at", tuple(map(time_text, starts[1:]))), Integer).label(
            _CELL
        ),
        *(network or (literal_column("0"), literal_column("''"))),
        func.max(c.networks),
        *(_sum(c[name]) for name in ("hours", *COUNTS)),
    ]
    return select(*found).group_by(*key, _CELL, *network).order_by(*key, _CELL, *network)


def _selected(selection: Selection, c: Any) -> list[ColumnElement[str]]:
    """Country and platform. What is selected is no part of a key: to sort by it takes time."""
    return [
        literal(value, TEXT).label(name) if (value := getattr(selection, name)) else c[name]
        for name in _PLACE
    ]


def _rows(selection: Selection, period: Period, since: datetime, until: datetime) -> FromClause:
    """Hours or days of networks. Of a day that is cut there is what its hours make."""
    if period is Period.HOUR:
        return _stored(schema.availability_hour, selection, since, until).subquery()
    day = until.replace(hour=0)
    whole = _stored(schema.availability_day, selection, since, day)
    if day == until:
        return whole.subquery()
    hour = _stored(schema.availability_hour, selection, max(since, day), until).subquery()
    c = hour.c
    place, network = [c[name] for name in _PLACE], [c[name] for name in _NETWORK]
    rest = select(
        *place,
        literal(time_text(day), TEXT).label("starts_at"),
        *network,
        func.max(c.networks).label("networks"),
        func.sum(c.hours).label("hours"),
        *(func.sum(c[state]).label(state) for state in COUNTS),
    ).group_by(*place, *network)
    return union_all(whole, rest).subquery()


def _stored(table: Table, selection: Selection, since: datetime, until: datetime) -> Select[Any]:
    c = table.c
    where = [c.starts_at >= time_text(since), c.starts_at < time_text(until)]
    if selection.country:
        where.append(c.country == selection.country)
    if selection.platform:
        where.append(c.platform == selection.platform)
    if selection.asn is not None:
        where.append(c.asn == selection.asn)
    one = literal_column("1", Integer)
    return select(
        *(c[name] for name in KEY),
        one.label("networks"),
        c.hours if "hours" in c else one.label("hours"),
        *(c[state] for state in COUNTS),
    ).where(*where)


def _together(rows: FromClause) -> FromClause:
    """All networks of a country as one."""
    c = rows.c
    key = [*(c[name] for name in _PLACE), c.starts_at]
    return (
        select(
            *key,
            func.sum(c.networks).label("networks"),
            *(func.sum(c[name]).label(name) for name in ("hours", *COUNTS)),
        )
        .group_by(*key)
        .subquery()
    )


def _sum(column: ColumnElement[Any]) -> ColumnElement[int]:
    # PostgreSQL adds bigints up to a numeric.
    return cast(func.sum(column), BigInteger)


def _number(column: str, later: Sequence[str], first: int = 0) -> str:
    """SQL for the number of the cell that a time lies in, found by halves; `later` are the starts
    of all cells but the first."""
    if not later:
        return str(first)
    half = len(later) // 2
    before = _number(column, later[:half], first)
    after = _number(column, later[half + 1 :], first + half + 1)
    return f"CASE WHEN {column} < '{later[half]}' THEN {before} ELSE {after} END"
