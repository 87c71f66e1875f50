"""Statements compiled once, with rows given as tuples: the fastest way SQLAlchemy has.

On PostgreSQL, rows that are many take a faster way still (`storage.postgresql.bulk_write`). There
several
processes write at once: each table's rows are written in the order of their key, so that no two of
them ever wait for each other.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, select, table
from sqlalchemy import column as column_named
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from storage.postgresql import partitions
from storage.postgresql.bulk_write import Staging

STAGED = 16
"""So many rows at once are worth a staging table."""


def _insert(into: Table, dialect: Dialect) -> Any:
    """Both dialects spell ON CONFLICT alike, but share no type that says so."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect.name](into)


class Statement:
    """One INSERT, ready for many rows whose cells come in the order of `names`."""

    def __init__(
        self, into: Table, dialect: Dialect, names: Sequence[str], ending: Callable[[Any], Insert]
    ) -> None:
        """`names` must be the columns of the table, in any order; `ending` adds ON CONFLICT."""
        compiled = ending(_insert(into, dialect)).compile(dialect=dialect)
        order = list(getattr(compiled, "positiontup", None) or ())
        if sorted(order) != sorted(names):
            missing = set(order) ^ set(names)
            raise AssertionError(f"{into} and the rows made for it differ: {missing}")
        self._sql = str(compiled)
        self._arrange: Callable[[Sequence[Any]], tuple[Any, ...]] = (
            tuple if order == list(names) else itemgetter(*(names.index(name) for name in order))
        )
        keys = [column.name for column in into.primary_key.columns]
        self._key = itemgetter(*(order.index(name) for name in keys))
        self._staging: Staging | None = None
        self._cut = partitions.TIMES.get(into.name)
        self.table = into
        if self._cut is not None:
            self._time = itemgetter(order.index(self._cut))
        if dialect.name == "postgresql":
            self._staging = Staging(into, order)
            staged = table(self._staging.name, *map(column_named, order))
            rows = select(*(staged.c[name] for name in order))
            rows = rows.order_by(*(staged.c[name] for name in keys))
            inserted = _insert(into, dialect).from_select(order, rows)
            self._from_staging = str(ending(inserted).compile(dialect=dialect))

    def run(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Write the rows; returns how many were new, or changed what was there."""
        arranged = list(map(self._arrange, rows))
        if not arranged:
            return 0
        if self._staging is not None:
            arranged.sort(key=self._key)
            if self._cut is not None:
                months = {partitions.month_of(self._time(row)) for row in arranged}
                partitions.ensure(connection, self.table.name, months)
            # One statement may not touch a row twice.
            if len(arranged) >= STAGED and len({self._key(row) for row in arranged}) == len(
                arranged
            ):
                self._staging.fill(connection, arranged)
                return connection.exec_driver_sql(self._from_staging).rowcount
        return connection.exec_driver_sql(self._sql, arranged).rowcount


def insert_new(into: Table, dialect: Dialect, names: Sequence[str]) -> Statement:
    """Insert rows; one whose key is there already changes nothing."""
    return Statement(into, dialect, names, lambda insert: insert.on_conflict_do_nothing())


def add_to(into: Table, dialect: Dialect, names: Sequence[str], counts: Sequence[str]) -> Statement:
    """Insert rows; one whose key is there already has its `counts` added to those there."""
    keys = list(into.primary_key.columns)

    def ending(insert: Any) -> Any:
        added = {name: into.c[name] + insert.excluded[name] for name in counts}
        return insert.on_conflict_do_update(index_elements=keys, set_=added)

    return Statement(into, dialect, names, ending)


def upsert(into: Table, dialect: Dialect, names: Sequence[str], newer: Any) -> Statement:
    """Insert rows; one whose key is there already replaces it only where `newer` holds.

    `newer` gets the incoming columns and the stored ones, and returns a condition.
    """
    keys = list(into.primary_key.columns)

    def ending(insert: Any) -> Any:
        incoming, stored = insert.excluded, into.c
        replaced = {name: incoming[name] for name in names if name not in into.primary_key.columns}
        return insert.on_conflict_do_update(
            index_elements=keys, set_=replaced, where=newer(incoming, stored)
        )

    return Statement(into, dialect, names, ending)
