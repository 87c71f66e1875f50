"""How rows are read for files: a stretch of time after the other, each by one short transaction.

A stretch is all that lies between two moments, so that the database need neither compare keys nor
keep the first so many in order: it finds the moment some rows ahead in its index of times, and
reads up to it. What has one and the same moment comes at once, however much that is: usually a
cycle.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from threading import get_ident
from typing import Any, Protocol

from sqlalchemy import Connection, Select, bindparam, select

from storage.export.cells import (
    NOT_IN_TEXTS,
    Group,
    Joined,
    Listed,
    Page,
    Piece,
    is_joined,
    joined,
)
from storage.export.reading_cells import groups_of
from storage.export.time_cuts import AFTER_ALL, Moments, Span
from storage.postgresql.bulk_read import Gathering, cut, gathered, gathering, gathering_in_spans
from storage.sql import listing as reading
from storage.sql.listing import Listing
from storage.sql.listing_rollup import availability_query
from storage.store import Selection
from storage.values.rollup import KEY
from storage.values.times import time_text

_LISTINGS: dict[tuple[Listed, bool], Listing[Any]] = {
    (Listed.MEASUREMENTS, False): reading.MEASUREMENTS,
    (Listed.VERDICTS, False): reading.VERDICTS,
    (Listed.VERDICTS, True): reading.REJUDGED_VERDICTS,
}
_PIECES = 16
"""In each stretch, where the database joins rows: some hundred rows in each."""
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
        self._time = self._order[0]
        self._where, _ = reading.matching(self._table, self._time, wanted)
        if rejudging:
            self._where.append(self._table.c.rejudging == rejudging)
        self._moments = Moments(self._time, self._where)
        self._made = cache(self._make)
        self._begin = "" if wanted.since is None else time_text(wanted.since)
        self.over = False

    def next(self, connection: Connection, limit: int) -> Stretch:
        """From one moment on up to the moment of the row `limit` ahead."""
        pieces = _PIECES if connection.dialect.name == "postgresql" else 1
        ahead = max(1, limit // pieces)
        spans = self._moments.spans(connection, self._begin, ahead, pieces)
        self._begin = spans[-1][1]
        self.over = self._begin == AFTER_ALL
        return partial(_read, ask=self._question, groups=self._groups, spans=spans)

    def _question(self, dialect: str, mend: bool) -> "_Question":
        return self._made(dialect, mend, get_ident())

    def _make(self, dialect: str, mend: bool, _thread: int) -> "_Question":
        """Made once, but for each thread: see `storage.postgresql.bulk_read`."""
        cells = groups_of(self._table.c, self._groups, dialect, mend=mend)
        query = select(*cells).where(*self._where).order_by(*self._order)
        if dialect == "postgresql":
            return gathering_in_spans(query, self._time)
        return query.where(self._time >= bindparam("begin"), self._time < bindparam("end"))


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
        if key is None:
            self.over = True
        else:
            country, platform, starts_at, asn, network = key
            # As `storage.values.cursor` writes it.
            self._after = (country, platform, starts_at, f"{asn or 0:010}", network)

        def ask(dialect: str, mend: bool) -> _Question:
            # Its columns are found by their names, the made ones too.
            cells = groups_of(columns, self._groups, dialect, mend=mend)
            query = source.with_only_columns(*cells).limit(limit)
            return gathering(query) if dialect == "postgresql" else query

        return partial(_read, ask=ask, groups=self._groups)


_Question = Gathering | Select[Any]
"""What PostgreSQL is asked, and what others are."""


def _read(
    connection: Connection,
    ask: Callable[[str, bool], _Question],
    groups: Sequence[Group],
    spans: Sequence[Span] = (),
) -> Page | None:
    """What is wanted of some rows, or of those in the spans; None when there are none. `ask` gives
    the question for a dialect, and whether texts are to be mended."""
    dialect = connection.dialect.name

    def answer(*, mend: bool) -> Page | None:
        asked = ask(dialect, mend)
        if isinstance(asked, Gathering):
            return _from_postgresql(connection, asked, groups, spans)
        return _from_sqlite(connection, asked, groups, spans)

    with suppress(_NotWholeError):
        return answer(mend=False)
    return answer(mend=True)


class _NotWholeError(Exception):
    """A text holds what stands between cells or rows: where they end cannot be told."""


def _from_postgresql(
    connection: Connection, asked: Gathering, groups: Sequence[Group], spans: Sequence[Span]
) -> Page | None:
    found = gathered(connection, asked, spans)
    if not found:
        return None
    for rows, texts in found:
        for text, group in zip(texts, groups, strict=True):
            _check(Piece(text, rows), group)
    if is_joined(groups):
        return Joined([Piece(texts[0], rows) for rows, texts in found])
    return cut(asked, found)


def _from_sqlite(
    connection: Connection, asked: Select[Any], groups: Sequence[Group], spans: Sequence[Span]
) -> Page | None:
    values = {"begin": spans[0][0], "end": spans[-1][1]} if spans else {}
    # The driver's own tuples: what SQLAlchemy adds to each is not needed here.
    with connection.execute(asked, values) as result:
        cursor: Any = result.cursor
        rows = cursor.fetchall()
    if not rows:
        return None
    columns = list(zip(*rows, strict=True))
    page = joined(columns[0]) if is_joined(groups) else columns
    for column, group in zip(columns, groups, strict=True):
        if isinstance(group, tuple):
            made = page if isinstance(page, Joined) else joined(column)
            for piece in made.pieces:
                _check(piece, group)
    return page


def _check(piece: Piece, group: Group) -> None:
    """Raises _NotWholeError when a text holds what stands between two cells or rows."""
    apart, between = (piece.texts.count(ord(sign)) for sign in NOT_IN_TEXTS)
    if between != piece.rows - 1:
        raise _NotWholeError
    if isinstance(group, tuple) and apart != piece.rows * (len(group) - 1):
        raise _NotWholeError
