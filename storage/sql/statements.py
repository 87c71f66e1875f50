"""Statements compiled once, with rows given as tuples: the fastest way SQLAlchemy has.

Where several processes write at once, each writes a table's rows in the order of their key, so
that no two of them ever wait for each other. Where a backend has staging tables, many rows go
through one.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, select, table, true
from sqlalchemy import column as column_named
from sqlalchemy.sql.dml import Insert

from storage.sql.backend import Backend

STAGED = 16
"""From this number of rows on, a staging table is faster."""


class Statement:
    """One INSERT, ready for many rows whose cells come in the order of `names`."""

    def __init__(
        self, into: Table, backend: Backend, names: Sequence[str], ending: Callable[[Any], Insert]
    ) -> None:
        """`names` must be the columns of the table, in any order; `ending` adds ON CONFLICT."""
        self.table = into
        self._backend = backend
        self._names = names
        self._ending = ending

    @cached_property
    def _compiled(self) -> "_Compiled":
        # With the first rows: most programs write to few tables, and all together take 20 ms.
        return _Compiled(self.table, self._backend, self._names, self._ending)

    def run(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Write the rows; returns how many were new, or changed what was there."""
        given = list(rows)
        return self._compiled.run(connection, given) if given else 0


class _Compiled:
    """The text of a statement, and what it wants of a row."""

    def __init__(
        self, into: Table, backend: Backend, names: Sequence[str], ending: Callable[[Any], Insert]
    ) -> None:
        compiled = ending(backend.insert(into)).compile(dialect=backend.dialect)
        order = list(getattr(compiled, "positiontup", None) or ())
        if sorted(order) != sorted(names):
            missing = set(order) ^ set(names)
            raise AssertionError(f"{into} and the rows made for it differ: {missing}")
        self._table = into.name
        self._backend = backend
        self._sql = str(compiled)
        self._arrange: Callable[[Sequence[Any]], tuple[Any, ...]] = (
            tuple if order == list(names) else itemgetter(*(names.index(name) for name in order))
        )
        keys = [column.name for column in into.primary_key.columns]
        self._key = itemgetter(*(order.index(name) for name in keys))
        time = backend.partition_column(into.name)
        self._time = None if time is None else itemgetter(order.index(time))
        self._staging = backend.staging(into, order)
        if self._staging is not None:
            staged = table(self._staging.name, *map(column_named, order))
            rows = select(*(staged.c[name] for name in order))
            rows = rows.order_by(*(staged.c[name] for name in keys))
            from_staging = ending(backend.insert(into).from_select(order, rows))
            self._from_staging = str(from_staging.compile(dialect=backend.dialect))

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        arranged = list(map(self._arrange, rows))
        if self._time is not None:
            times = set(map(self._time, arranged))
            self._backend.ensure_partitions(connection, self._table, times)
        if self._staging is not None:
            arranged.sort(key=self._key)
            # One statement may not touch a row twice.
            if len(arranged) >= STAGED and len(set(map(self._key, arranged))) == len(arranged):
                self._staging.fill(connection, arranged)
                return connection.exec_driver_sql(self._from_staging).rowcount
        return connection.exec_driver_sql(self._sql, arranged).rowcount


def insert_new(into: Table, backend: Backend, names: Sequence[str]) -> Statement:
    """Insert rows; one whose key is there already changes nothing."""
    return Statement(into, backend, names, lambda insert: insert.on_conflict_do_nothing())


def add_to(into: Table, backend: Backend, names: Sequence[str], counts: Sequence[str]) -> Statement:
    """Insert rows; one whose key is there already has its `counts` added to those there."""
    keys = list(into.primary_key.columns)

    def ending(insert: Any) -> Any:
        added = {name: into.c[name] + insert.excluded[name] for name in counts}
        return insert.on_conflict_do_update(index_elements=keys, set_=added)

    return Statement(into, backend, names, ending)


def upsert(
    into: Table, backend: Backend, names: Sequence[str], newer: Any = lambda *_: true()
) -> Statement:
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

    return Statement(into, backend, names, ending)
