"""How rows are read for files: a stretch of time after the other, each by one short transaction.

A stretch is all that lies between two moments, so that the database need neither compare keys nor
keep the first so many in order: it finds the moment some rows ahead in its index of times, and
reads up to it. What has one and the same moment comes at once, however much that is: usually a
cycle.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Select, func, select

from storage import reading
from storage.cells import APART, Group, Joined, Listed, Page
from storage.gathered import NotWholeError, cut, gathered
from storage.reading import Listing
from storage.reading_cells import groups_of
from storage.reading_rollup import availability_query
from storage.rollup import KEY
from storage.store import Selection
from storage.times import time_text

_LISTINGS: dict[tuple[Listed, bool], Listing[Any]] = {
    (Listed.MEASUREMENTS, False): reading.MEASUREMENTS,
    (Listed.VERDICTS, False): reading.VERDICTS,
    (Listed.VERDICTS, True): reading.REJUDGED_VERDICTS,
}
Stretch = Callable[[Connection], Page | None]
"""Reads the rows of one stretch; None when there are none in it."""


class Pages(Protocol):
    """What is wanted, stretch after stretch."""

    over: bool
    """Whether there is no more."""

    def next(self, connection: Connection, limit: int) -> Stretch:
        """Where the next one ends, about `limit` rows on: found without reading them, so that
        several can be read at once."""


class TimedRows:
    """Rows of one table in the order of their time."""

    def __init__(
        self, kind: Listed, groups: Sequence[Group], wanted: Selection, rejudging: str
    ) -> None:
        """ValueError for what has no time of its own, or is never recomputed."""
        listing = _LISTINGS.get((kind, bool(rejudging)))
        if listing is None:
            raise ValueError(f"{kind} is never recomputed")
        self._groups = groups
        self._table, self._order = listing.table, listing.order
        self._cells = cache(partial(groups_of, self._table.c, groups))
        self._time = self._order[0]
        self._where, _ = reading.matching(self._table, self._time, wanted)
        if rejudging:
            self._where.append(self._table.c.rejudging == rejudging)
        self._begin = "" if wanted.since is None else time_text(wanted.since)
        self.over = False

    def next(self, connection: Connection, limit: int) -> Stretch:
        """From one moment on up to the moment of the row `limit` ahead."""
        where = [*self._where, self._time >= self._begin]
        ahead = select(self._time).where(*where).order_by(self._time).offset(limit).limit(1)
        end = connection.scalar(ahead)
        if end == self._begin:
            later = [*self._where, self._time > self._begin]
            end = connection.scalar(select(func.min(self._time)).where(*later))
        if end is not None:
            where.append(self._time < end)
        source = select(self._table).where(*where).order_by(*self._order)
        self._begin, self.over = end or self._begin, end is None
        return partial(_fetched, source=source, groups=self._groups, cells=self._cells)


class AvailabilityRows:
    """Counts of verdicts, which lie in the order of their key."""

    def __init__(self, groups: Sequence[Group], wanted: Selection) -> None:
        """`groups` name what `availability_query` gives."""
        self._groups = groups
        self._wanted = wanted
        self._after: tuple[str, ...] = ()
        self.over = False

    def next(self, connection: Connection, limit: int) -> Stretch:
        """The next `limit` after the last key."""
        source = availability_query(self._wanted, self._after)
        columns = source.selected_columns
        last = source.with_only_columns(*(columns[name] for name in KEY)).offset(limit - 1).limit(1)
        key = connection.execute(last).one_or_none()
        # Its columns are found by their names, the made ones too.
        cells = partial(groups_of, columns, self._groups)
        if key is None:
            self.over = True
        else:
            country, platform, starts_at, asn, network = key
            # As `storage.place` writes it.
            self._after = (country, platform, starts_at, f"{asn or 0:010}", network)
        return partial(_fetched, source=source.limit(limit), groups=self._groups, cells=cells)


def _fetched(
    connection: Connection,
    source: Select[Any],
    groups: Sequence[Group],
    cells: Callable[..., Sequence[ColumnElement[Any]]],
) -> Page | None:
    """What is wanted of the rows of a query; None when there are none."""
    dialect = connection.dialect.name
    ask = _from_postgresql if dialect == "postgresql" else _from_sqlite
    with suppress(NotWholeError):
        return ask(connection, source.with_only_columns(*cells(dialect, mend=False)), groups)
    return ask(connection, source.with_only_columns(*cells(dialect, mend=True)), groups)


def _from_postgresql(
    connection: Connection, query: Select[Any], groups: Sequence[Group]
) -> Page | None:
    count, texts = gathered(connection, query)
    if not count:
        return None
    for text, group in zip(texts, groups, strict=True):
        _check(text, count, group)
    if len(groups) == 1 and isinstance(groups[0], tuple):
        return Joined(texts[0], count)
    return cut(query, texts)


def _from_sqlite(
    connection: Connection, query: Select[Any], groups: Sequence[Group]
) -> Page | None:
    # The driver's own tuples: what SQLAlchemy adds to each is not needed here.
    with connection.execute(query) as result:
        cursor: Any = result.cursor
        rows = cursor.fetchall()
    if not rows:
        return None
    columns = list(zip(*rows, strict=True))
    for column, group in zip(columns, groups, strict=True):
        if isinstance(group, tuple):
            _check("".join(column), len(rows), group)
    return columns


def _check(texts: str, count: int, group: Group) -> None:
    """Raises NotWholeError when a text holds what stands between two cells."""
    if isinstance(group, tuple) and texts.count(APART) != count * (len(group) - 1):
        raise NotWholeError
