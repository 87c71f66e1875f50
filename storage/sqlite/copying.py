"""Copies a whole SQLite database, as it is at one moment, into PostgreSQL.

Rows are copied in the order of their keys, a few thousand in a transaction, and counted at the end.
An interrupted copy can be started again: of tables that only grow, the rows after the last one
copied follow; the others, which are small, are written again as a whole. A comment on a table of
the target names the file it is a copy of; a target that holds anything else is refused.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    func,
    select,
    tuple_,
)
from sqlalchemy.schema import SetTableComment

from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.migrate import migrate, version_of
from storage.sql.statements import Statement, insert_new, upsert
from storage.sqlite.backend import SqliteBackend
from storage.sqlite.backup import BackupError, DamagedError

_GROWING = frozenset(
    {
        *("cycle", "measurement", "verdict", "platform_verdict", "vantage_health"),
        *("event_log", "review", "audit", "log_entry", "rejudged_verdict", "rejudged_platform"),
    }
)
"""Tables in which no row ever changes."""
_ROWS, _BYTES = 2000, 8_000_000
"""Most rows and bytes in one transaction."""
_MARK = schema.cycle
"""The table whose comment names the source."""

Progress = Callable[[str, int, int], None]
"""Gets the table being copied, how many rows are done, and how many all tables have."""


class CopiedAll(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied, counted on both sides."""

    rows: int
    measurements: int
    events: int


def copy(file: str, target: Backend, progress: Progress | None = None) -> CopiedAll:
    """Copy the SQLite database `file`, as it is at this moment, into PostgreSQL.

    BackupError when one of them cannot be used, before anything is written; DamagedError when the
    counts differ at the end; also StorageError. It may be called again at any time.
    """
    source = SqliteBackend(file)
    source.prepare(create=False)
    read, write, check = source.read_engine(1), target.write_engine(), target.read_engine(1)
    try:
        with source.errors(), target.errors(), read.connect() as from_:
            _same_version(from_, file)
            migrate(check, write, target.name)
            wanted = {table.name: _count(from_, table) for table in _tables()}
            with check.connect() as there:
                _refuse_others(there, file, target.name, wanted)
            _mark(write, file)
            _copy_all(from_, write, target, wanted, progress)
            return _compared(check, target.name, wanted)
    finally:
        for engine in (read, write, check):
            engine.dispose()


def _tables() -> Sequence[Table]:
    """In an order in which every row is copied after those it refers to."""
    return schema.metadata.sorted_tables


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _same_version(source: Connection, file: str) -> None:
    found, newest = version_of(source)
    if found != newest:
        raise BackupError(
            f"{file} has tables of version {found or 'none'}, this shutwatch those of {newest}: "
            "bring it up to date first, with `shutwatch db upgrade`"
        )


def _refuse_others(target: Connection, file: str, name: str, wanted: dict[str, int]) -> None:
    of = target.exec_driver_sql(f"SELECT obj_description('{_MARK.name}'::regclass)").scalar()
    for table in _tables():
        there = _count(target, table)
        if there and of != _comment(file):
            raise BackupError(
                f"database {name} holds something else already (table {table.name}): name an "
                "empty one; nothing was changed"
            )
        if there > wanted[table.name]:
            raise BackupError(
                f"database {name} has rows in table {table.name} that {file} has not: it was used "
                "since it was copied; name an empty one; nothing was changed"
            )


def _comment(file: str) -> str:
    return f"copied by shutwatch from {Path(file).resolve()}"


def _mark(write: Engine, file: str) -> None:
    marked = _MARK.to_metadata(MetaData())
    marked.comment = _comment(file)
    with write.begin() as connection:
        connection.execute(SetTableComment(marked))


def _copy_all(
    source: Connection,
    write: Engine,
    target: Backend,
    wanted: dict[str, int],
    progress: Progress | None,
) -> None:
    total, before = sum(wanted.values()), 0
    for table in _tables():
        rows = wanted[table.name]

        def report(
            done: int, *, name: str = table.name, at: int = before, most: int = rows
        ) -> None:
            if progress is not None:
                progress(name, at + min(done, most), total)

        statement = _statement(table, target)
        after, there = _resumed(write, table) if table.name in _GROWING else (None, 0)
        _copy_table(source, write, statement, after, there, report)
        if there and _resumed(write, table)[1] < rows:
            # Some rows that were added to the file since have keys before the last one copied.
            _copy_table(source, write, statement, None, 0, report)
        before += rows
    if progress is not None:
        progress("", total, total)
    with write.begin() as connection:
        # So that the first queries are as fast as later ones.
        connection.exec_driver_sql("ANALYZE")


def _copy_table(
    source: Connection,
    write: Engine,
    statement: Statement,
    after: tuple[Any, ...] | None,
    done: int,
    report: Callable[[int], None],
) -> None:
    """Copy all rows after the key `after`; `done` is how many were copied before."""
    for rows in _batches(source, statement.table, after):
        with write.begin() as connection:
            statement.run(connection, rows)
        done += len(rows)
        report(done)


def _statement(table: Table, target: Backend) -> Statement:
    names = [column.name for column in table.columns]
    if table.name in _GROWING or len(names) == len(table.primary_key.columns):
        return insert_new(table, target, names)
    return upsert(table, target, names)


def _resumed(write: Engine, table: Table) -> tuple[tuple[Any, ...] | None, int]:
    """The key of the last row copied, None when there is none, and how many rows there are."""
    keys = list(table.primary_key.columns)
    newest = select(*keys).order_by(*(key.desc() for key in keys)).limit(1)
    with write.begin() as connection:
        last = connection.execute(newest).first()
        return (tuple(last) if last is not None else None), _count(connection, table)


def _batches(
    source: Connection, table: Table, after: tuple[Any, ...] | None
) -> Iterator[list[Sequence[Any]]]:
    keys = list(table.primary_key.columns)
    query = select(table).order_by(*keys)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    heavy = [n for n, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    rows: list[Sequence[Any]] = []
    weight = 0
    with source.execution_options(yield_per=_ROWS).execute(query) as found:
        for row in found:
            rows.append(tuple(row))
            weight += sum(len(row[place]) for place in heavy)
            if len(rows) == _ROWS or weight > _BYTES:
                yield rows
                rows, weight = [], 0
    if rows:
        yield rows


def _compared(check: Engine, name: str, wanted: dict[str, int]) -> CopiedAll:
    with check.connect() as connection:
        there = {table.name: _count(connection, table) for table in _tables()}
    for table, rows in wanted.items():
        if there[table] != rows:
            raise DamagedError(
                f"database {name} has {there[table]:,} rows in table {table} and should have "
                f"{rows:,}: make it empty, and copy again"
            )
    return CopiedAll(
        rows=sum(there.values()), measurements=there["measurement"], events=there["event"]
    )
