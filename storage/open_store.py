"""From the `database` setting to a store: the only module that knows every kind of database."""

from collections.abc import Callable
from datetime import datetime

from storage.sql.backend import Backend
from storage.sql.store import SqlStore
from storage.sqlite.backend import BUSY_TIMEOUT, SqliteBackend, file_of
from storage.sqlite.memory import MemoryBackend
from storage.store import CollectorStore
from storage.url import MEMORY
from storage.values.times import utc_now


def open_store(url: str, *, create: bool = True) -> CollectorStore:
    """The store that `url` names; the caller awaits its `open`.

    `url` is `memory:`, an SQLite URL such as `sqlite:///shutwatch.db`, or a PostgreSQL URL such as
    `postgresql://user:password@host/database`. Without `create`, a missing database is an error
    when opened. StorageError for any other URL, with advice.
    """
    return sql_store(url, create=create)


def sql_store(
    url: str,
    *,
    clock: Callable[[], datetime] = utc_now,
    busy_timeout: float = BUSY_TIMEOUT,
    page: int = 500,
    create: bool = True,
) -> SqlStore:
    """The store in the SQL database that `url` names. StorageError for a URL of no such database.

    `busy_timeout` is how many seconds to wait for another program's lock; for the other options
    see `storage.sql.database.SqlDatabase`.
    """
    return SqlStore(_backend_of(url, busy_timeout), clock=clock, page=page, create=create)


def _backend_of(url: str, busy_timeout: float) -> Backend:
    if url == MEMORY:
        return MemoryBackend()
    if url.startswith(("postgresql:", "postgresql+")):
        # Only whoever uses PostgreSQL has memory to spare for its driver.
        from storage.postgresql.backend import PostgresqlBackend, postgresql_url

        return PostgresqlBackend(postgresql_url(url), busy_timeout)
    return SqliteBackend(file_of(url), busy_timeout)
