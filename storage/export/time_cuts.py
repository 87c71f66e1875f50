"""Where rows that lie in the order of their time are cut: later and later moments, with about as
many rows between any two, found in the index of times without reading a row."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Select,
    bindparam,
    func,
    literal,
    select,
)

from storage.sql.columns import TEXT

AFTER_ALL = ":"
"""Comes behind every time, which begins with a digit."""
Span = tuple[str, str]
"""From a moment on, up to another."""


class Moments:
    """Those of some rows of one table."""

    def __init__(self, time: ColumnElement[Any], where: Sequence[ColumnElement[bool]]) -> None:
        self._time = time
        self._where = where
        self._begin = bindparam("begin", type_=TEXT)
        # Made once: SQLAlchemy takes as long for one as the database for a thousand rows. Nobody
        # asks for two at once.
        self._ahead = cache(self._some_ahead)
        self._later = select(func.min(time)).where(*where, time > self._begin)

    def spans(self, connection: Connection, begin: str, ahead: int, count: int) -> Sequence[Span]:
        """As many spans at most, the first from `begin` on and each up to the next, with `ahead`
        rows in each. There are more in those where many share a moment, and the last may end
        AFTER_ALL: never none."""
        found = connection.scalars(self._ahead(ahead, count), {"begin": begin})
        ends = [AFTER_ALL if end is None else end for end in found]
        later = [end for end in dict.fromkeys(ends) if end != begin]
        if not later:
            later = [connection.scalar(self._later, {"begin": begin}) or AFTER_ALL]
        return list(pairwise([begin, *later]))

    def _some_ahead(self, ahead: int, count: int) -> Select[Any]:
        """The moment of the row `ahead` of the beginning, that of the row `ahead` of it, and so
        on; NULL, and no more, when there is none."""
        moments = select(self._begin.label("moment"), literal(0, Integer).label("number")).cte(
            "moments", recursive=True
        )
        next_one = self._one_ahead(moments.c.moment, ahead)
        moments = moments.union_all(
            select(next_one, moments.c.number + 1).where(
                moments.c.number < count, moments.c.moment.is_not(None)
            )
        )
        return select(moments.c.moment).where(moments.c.number > 0).order_by(moments.c.number)

    def _one_ahead(self, moment: ColumnElement[Any], ahead: int) -> ScalarSelect[Any]:
        rows = select(self._time).where(*self._where, self._time >= moment)
        return rows.order_by(self._time).offset(ahead).limit(1).scalar_subquery()
