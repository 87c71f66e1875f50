"""From the `database` setting to a store: the only module that knows every kind of database."""

from collections.abc import Callable
from datetime import datetime

from storage import url as database_url
from storage.sql.backend import Backend
from storage.sql.store import SqlStore
from storage.sqlite.backend import BUSY_TIMEOUT, SqliteBackend
from storage.sqlite.memory import MemoryBackend
from storage.store import CollectorStore, StorageError
from storage.values.steady_clock import utc_now


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
    see `storage.sql.transactions.SqlDatabase`.
    """
    return SqlStore(_backend_of(url, busy_timeout), clock=clock, page=page, create=create)


def _backend_of(url: str, busy_timeout: float) -> Backend:
    try:
        database_url.checked(url)
    except ValueError as error:
        raise StorageError(f"the database URL cannot be used, it should be: {error}") from None
    if url == database_url.MEMORY:
        return MemoryBackend()
    if database_url.is_postgresql(url):
        # Only those who use PostgreSQL have memory to spare for its driver.
        from storage.postgresql.backend import PostgresqlBackend

        return PostgresqlBackend(url, busy_timeout)
    return SqliteBackend(database_url.file_of(url), busy_timeout)
