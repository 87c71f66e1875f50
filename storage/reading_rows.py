"""How rows are read for files: a stretch of time after the other, each by one short transaction.

A stretch is all that lies between two moments, so that the database need neither compare keys nor
keep the first so many in order: it finds the moment some rows ahead in its index of times, and
reads up to it. What has one and the same moment comes at once, however much that is: usually a
cycle.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial, reduce
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql.base import ColumnCollection
from sqlalchemy.sql.functions import coalesce

from storage import reading
from storage.cells import APART, ROUNDED, Columns, Group, Listed, written_out
from storage.gathered import BETWEEN_ROWS, gathered
from storage.reading import Listing
from storage.reading_rollup import availability_query
from storage.rollup import KEY
from storage.store import Selection
from storage.times import time_text

_LISTINGS: dict[tuple[Listed, bool], Listing[Any]] = {
    (Listed.MEASUREMENTS, False): reading.MEASUREMENTS,
    (Listed.VERDICTS, False): reading.VERDICTS,
    (Listed.VERDICTS, True): reading.REJUDGED_VERDICTS,
}
_LARGEST_WHOLE = literal_column("1e15", Float)
"""Milliseconds of thirty thousand years. What is beyond stands as the database writes it."""
_EMPTY: ColumnElement[str] = literal_column("''", Text)
# In the statement itself: a parameter would be bound again and again.
_BETWEEN: ColumnElement[str] = literal_column(f"'{APART}'", Text)


Stretch = Callable[[Connection], Columns | None]
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
        self._cells: _Cells = cache(partial(_cells, self._table.c, groups))
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
        cells = partial(_cells, columns, self._groups)
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
    cells: "_Cells",
) -> Columns | None:
    """What is wanted of the rows of a query; None when there are none."""
    dialect = connection.dialect.name
    found, whole = _asked(connection, source.with_only_columns(*cells(dialect, False)))
    if not whole or not all(map(_as_many_cells, found, groups)):
        found, _ = _asked(connection, source.with_only_columns(*cells(dialect, True)))
    return found or None


def _asked(connection: Connection, query: Select[Any]) -> tuple[list[Sequence[Any]], bool]:
    if connection.dialect.name == "postgresql":
        return gathered(connection, query)
    # The driver's own tuples: what SQLAlchemy adds to each is not needed here.
    with connection.execute(query) as result:
        cursor: Any = result.cursor
        return list(zip(*cursor.fetchall(), strict=True)), True


_Cells = Callable[[str, bool], Sequence[ColumnElement[Any]]]
"""Name of the dialect, and whether to mend → what is selected for each group."""


def _cells(
    columns: ColumnCollection[str, Any], groups: Sequence[Group], dialect: str, mend: bool
) -> Sequence[ColumnElement[Any]]:
    """What is selected for each group. `mend` writes out what stands between cells and rows where
    a text has it."""
    return [
        _mended(columns[group], mend=mend)
        if isinstance(group, str)
        else _joined([columns[name] if name else None for name in group], dialect, mend=mend)
        for group in groups
    ]


def _as_many_cells(column: Sequence[Any], group: Group) -> bool:
    """Whether no text holds what stands between two cells."""
    if isinstance(group, str):
        return True
    return "".join(column).count(APART) == len(column) * (len(group) - 1)


def _joined(
    columns: Sequence[ColumnElement[Any] | None], dialect: str, *, mend: bool
) -> ColumnElement[str]:
    """The cells of these columns as one text; None stands for an empty cell."""
    cells = [_EMPTY if column is None else _cell(column, dialect, mend=mend) for column in columns]
    if dialect == "postgresql":
        # Which writes them into one text; joined two by two they would be copied again and again.
        return func.concat_ws(_BETWEEN, *cells, type_=Text)
    return reduce(lambda text, cell: text.concat(_BETWEEN).concat(cell), cells)


def _cell(column: ColumnElement[Any], dialect: str, *, mend: bool) -> ColumnElement[str]:
    if isinstance(column.type, Float):
        return coalesce(_rounded(column, dialect), _EMPTY)
    if isinstance(column.type, Boolean):
        return case((column, "true"), else_="false")
    text = column if isinstance(column.type, Text) else cast(column, Text)
    text = _mended(text, mend=mend)
    known = isinstance(column, Column) and not column.nullable
    return text if known else coalesce(text, _EMPTY)


def _rounded(column: ColumnElement[Any], dialect: str) -> ColumnElement[str]:
    """A number of few digits as Python writes it: with a point, whole or not."""
    if not isinstance(column, Column) or column.name not in ROUNDED:
        raise TypeError(f"{column} has no text of its own")
    text = cast(column, Text)
    if dialect == "sqlite":  # writes it so
        return text
    whole = cast(column, BigInteger)
    small = func.abs(column).between(0, _LARGEST_WHOLE)
    point = literal_column("'.0'", Text)
    return case(
        (and_(small, column == func.trunc(column)), cast(whole, Text).concat(point)), else_=text
    )


def _mended(column: ColumnElement[Any], *, mend: bool) -> ColumnElement[Any]:
    if not mend or not isinstance(column.type, Text):
        return column
    for between in (APART, BETWEEN_ROWS):
        column = func.replace(column, between, written_out(between), type_=Text)
    return column
