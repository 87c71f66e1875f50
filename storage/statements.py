"""Statements compiled once, with rows given as tuples: the fastest way SQLAlchemy has."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert


def _insert(table: Table, dialect: Dialect) -> Any:
    """Both dialects spell ON CONFLICT alike, but share no type that says so."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect.name](table)


class Statement:
    """One INSERT, ready for many rows whose cells come in the order of `names`."""

    def __init__(self, statement: Insert, dialect: Dialect, names: Sequence[str]) -> None:
        """`names` must be the columns of the statement's table, in any order."""
        compiled = statement.compile(dialect=dialect)
        order = list(getattr(compiled, "positiontup", None) or ())
        if sorted(order) != sorted(names):
            missing = set(order) ^ set(names)
            raise AssertionError(f"{statement.table} and the rows made for it differ: {missing}")
        self._sql = str(compiled)
        self._arrange = itemgetter(*(names.index(name) for name in order))

    def run(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Write the rows; returns how many were new, or changed what was there."""
        arranged = [self._arrange(row) for row in rows]
        return connection.exec_driver_sql(self._sql, arranged).rowcount if arranged else 0


def insert_new(table: Table, dialect: Dialect, names: Sequence[str]) -> Statement:
    """Insert rows; one whose key is there already changes nothing."""
    return Statement(_insert(table, dialect).on_conflict_do_nothing(), dialect, names)


def add_to(
    table: Table, dialect: Dialect, names: Sequence[str], counts: Sequence[str]
) -> Statement:
    """Insert rows; one whose key is there already has its `counts` added to those there."""
    statement = _insert(table, dialect)
    added = {name: table.c[name] + statement.excluded[name] for name in counts}
    keys = list(table.primary_key.columns)
    return Statement(
        statement.on_conflict_do_update(index_elements=keys, set_=added), dialect, names
    )


def upsert(table: Table, dialect: Dialect, names: Sequence[str], newer: Any) -> Statement:
    """Insert rows; one whose key is there already replaces it only where `newer` holds.

    `newer` gets the incoming columns and the stored ones, and returns a condition.
    """
    statement = _insert(table, dialect)
    incoming, stored = statement.excluded, table.c
    keys = list(table.primary_key.columns)
    replaced = {name: incoming[name] for name in names if name not in table.primary_key.columns}
    return Statement(
        statement.on_conflict_do_update(
            index_elements=keys, set_=replaced, where=newer(incoming, stored)
        ),
        dialect,
        names,
    )
