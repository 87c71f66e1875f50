"""From the `database` setting to a store: the only module that knows every kind of database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from storage import url as database_url
from storage.archive.folder_place import FolderPlace
from storage.archive.place import Place
from storage.sql.backend import Backend
from storage.sql.listing import ENROLMENTS, INVITATIONS
from storage.sql.migrate import examined, newest_version
from storage.sql.readable import read_some
from storage.sql.store import SqlStore
from storage.sqlite.backend import BUSY_TIMEOUT, SqliteBackend
from storage.sqlite.memory import MemoryBackend
from storage.store import CollectorStore, Recording, StorageError
from storage.values.archive_place import NO_ARCHIVE, ArchivePlace
from storage.values.fleet import Enrolment, Invitation
from storage.values.steady_clock import utc_now


def open_store(
    url: str,
    archive: ArchivePlace = NO_ARCHIVE,
    *,
    create: bool = True,
    recording: Recording | None = None,
) -> CollectorStore:
    """The store that `url` names; the caller awaits its `open`.

    `url` is `memory:`, an SQLite URL such as `sqlite:///shutwatch.db`, or a PostgreSQL URL such as
    `postgresql://user:password@host/database`. Where `archive` is a place, old rows move there and
    are listed from there. Without `create`, a missing database is an error when opened.
    For how long it is open, `recording` keeps others from recording there. StorageError for any
    other URL, with advice.
    """
    return sql_store(url, archive, create=create, recording=recording)


def sql_store(
    url: str,
    archive: ArchivePlace = NO_ARCHIVE,
    *,
    clock: Callable[[], datetime] = utc_now,
    busy_timeout: float = BUSY_TIMEOUT,
    page: int = 500,
    create: bool = True,
    recording: Recording | None = None,
) -> SqlStore:
    """The store in the SQL database that `url` names. StorageError for a URL of no such database.

    `busy_timeout` is how many seconds to wait for another program's lock; for the other options
    see `storage.sql.transactions.SqlDatabase`.
    """
    backend = _backend_of(url, busy_timeout, recording)
    if not archive.shown:
        return SqlStore(backend, clock=clock, page=page, create=create)
    # Only those who have an archive have memory to spare for what reads it.
    from storage.archive.archived_store import ArchivedStore

    return ArchivedStore(backend, lambda: place_of(archive), clock=clock, page=page, create=create)


def table_versions(url: str) -> tuple[str | None, str]:
    """The version of the tables in the database that `url` names, None when there are none yet, and
    that of this release. Changes nothing, and makes no file. StorageError when the database cannot
    be used: damaged, unreachable, of a newer release or of another program."""
    backend = _backend_of(url, BUSY_TIMEOUT)
    file = database_url.file_of(url)
    if url == database_url.MEMORY or (file and not Path(file).exists()):
        return None, newest_version()
    with _reading(backend) as connection:
        return examined(connection, backend.name)


def try_reading(url: str) -> bool:
    """Read what a start reads in the database that `url` names, whose tables are of this release;
    returns whether all was read, as of a small one. Changes nothing. StorageError when something is
    missing or damaged."""
    backend = _backend_of(url, BUSY_TIMEOUT)
    with _reading(backend) as connection:
        return read_some(connection, backend.name, backend.size(connection).used)


def agents_in(url: str) -> tuple[list[Enrolment], list[Invitation]]:
    """Every key and every invitation in the database that `url` names. Changes nothing.
    StorageError as of `table_versions`, and where the tables are not of this release."""
    found, newest = table_versions(url)
    if found != newest:
        raise StorageError(f"the tables are of version {found}, and this program's of {newest}")
    with _reading(_backend_of(url, BUSY_TIMEOUT)) as connection:
        return ENROLMENTS.page(connection)[0], INVITATIONS.page(connection)[0]


@contextmanager
def _reading(backend: Backend) -> Iterator[Connection]:
    """A connection that cannot write."""
    engine = backend.read_engine(1)
    try:
        with backend.errors(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def place_of(archive: ArchivePlace) -> Place:
    """The folder or bucket of an archive. StorageError when it cannot be used."""
    if archive.folder:
        return FolderPlace(Path(archive.folder))
    from storage.archive.bucket_place import bucket_place  # imports the library for buckets

    return bucket_place(archive)


def _backend_of(url: str, busy_timeout: float, recording: Recording | None = None) -> Backend:
    try:
        database_url.checked(url)
    except ValueError as error:
        raise StorageError(f"the database URL cannot be used, it should be: {error}") from None
    if url == database_url.MEMORY:
        return MemoryBackend()
    if database_url.is_postgresql(url):
        # Only those who use PostgreSQL have memory to spare for its driver.
        from storage.postgresql.backend import PostgresqlBackend

        return PostgresqlBackend(url, busy_timeout, recording)
    return SqliteBackend(database_url.file_of(url), busy_timeout, recording)
