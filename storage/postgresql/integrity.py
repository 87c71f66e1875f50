"""Checks of a PostgreSQL database, as far as queries can tell.

For its files PostgreSQL has its own tools: `pg_amcheck`, and checksums.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice

from sqlalchemy import Connection, select, text

from storage.postgresql.backend import PostgresqlBackend
from storage.postgresql.partitions import TIMES, months_ahead
from storage.sql import schema
from storage.sql.integrity import (
    HEAD_ROWS,
    LOG_GAPS,
    LOG_ROWS,
    LOGGED,
    Fault,
    batch_problems,
    log_problems,
)
from storage.sql.migrate import version_of
from storage.values.codecs import BATCH, ENROLMENT

_MOST_PROBLEMS = 20
_AT_ONCE = 20
_BROKEN_INDEXES = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid LIMIT 20"
_UNCHECKED = (
    "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
)
_GUARDED = "SELECT count(*) FROM pg_trigger WHERE tgname = :name AND tgenabled <> 'D'"
_MONTHS = "SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass(:name)"


def check_postgresql(url: str, fault: Fault | None = None) -> list[str]:
    """The problems found, a sentence each. The database is only read, and may be in use.

    With `fault` the signature of every batch is checked, too: the first few that are not valid are
    named. StorageError when it cannot be opened.
    """
    backend = PostgresqlBackend(url)
    engine = backend.read_engine(1)
    try:
        with backend.errors(), engine.connect() as connection:
            found, newest = version_of(connection)
            if found is None:
                return ["it is no database of shutwatch: it has no tables of it"]
            if found != newest:
                return [f"its tables are of version {found}, not {newest}: `shutwatch db upgrade`"]
            problems = [*_problems(connection), *islice(_log(connection), _MOST_PROBLEMS)]
            return [*problems, *(_batches(connection, fault) if fault else [])]
    finally:
        engine.dispose()


def _batches(connection: Connection, fault: Fault) -> list[str]:
    keys = connection.execute(select(*(schema.enrolment.c[name] for name in ENROLMENT.names)))
    # A few rows at a time: each may be megabytes.
    piecemeal = connection.execution_options(stream_results=True, max_row_buffer=_AT_ONCE)
    with piecemeal.execute(select(*(schema.batch.c[name] for name in BATCH.names))) as batches:
        logged = partial(_is_logged, connection)
        return list(islice(batch_problems(keys.all(), batches, fault, logged), _MOST_PROBLEMS))


def _is_logged(connection: Connection, digest: str) -> bool:
    question = text(LOGGED.format(digest=":digest"))
    return connection.execute(question, {"digest": digest}).first() is not None


def _log(connection: Connection) -> Iterator[str]:
    heads = connection.exec_driver_sql(HEAD_ROWS).all()
    piecemeal = connection.execution_options(stream_results=True)
    with piecemeal.exec_driver_sql(LOG_ROWS) as rows:
        yield from log_problems(rows, heads)


def _problems(connection: Connection) -> Iterator[str]:
    for event in connection.exec_driver_sql(LOG_GAPS).scalars():
        yield f"the log of event {event} has a gap"
    for index in connection.exec_driver_sql(_BROKEN_INDEXES).scalars():
        yield f"index {index} is not valid: REINDEX INDEX {index}"
    for table in connection.exec_driver_sql(_UNCHECKED).scalars():
        yield f"not every row of {table} was checked to belong to a row that is there"
    for table in ("event_log", "review", "audit", "log_entry"):
        for verb in ("update", "delete", "truncate"):
            name = f"{table}_refuses_{verb}"
            if not connection.execute(text(_GUARDED), {"name": name}).scalar():
                yield f"{table} no longer refuses {verb.upper()}: trigger {name} is gone or off"
    for table in TIMES:
        name = f"{table}_{months_ahead()[0].replace('-', '_')}"
        if not connection.execute(text(_MONTHS), {"name": name}).scalar():
            yield f"there is no partition {name} for this month: start shutwatch, which makes it"
