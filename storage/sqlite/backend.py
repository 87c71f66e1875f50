"""Connections to one SQLite file, set up the way a monitor needs them.

Write-ahead log with `synchronous=FULL`: a cycle reported stored survives a power cut, and
readers never wait for the writer. SQLAlchemy, not the driver, begins transactions, so that a
schema change is one transaction like any other.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from storage.sql.backend import Backend
from storage.sql.migrate import migrate
from storage.sqlite.errors import storage_errors
from storage.store import InUseError, Recording, StorageError, WrongDatabaseError
from storage.values.database_size import DatabaseSize
from storage.values.private_file import is_no_database, make_database_private
from storage.values.process_lock import holder, locked, write_holder

LEAD = ".lead"
"""Ends the name of the empty file next to a database on which the leader holds a lock."""
ARCHIVING = ".archiving"
"""Ends the name of the same for who moves rows to the archive."""
RECORDING = ".recording"
"""Ends the name of the same for who records, which names the process of `run`."""
BUSY_TIMEOUT = 10.0
"""Seconds to wait for another program's lock."""
_PAGE_SIZE = 8192
"""Bytes. A measurement takes about one kilobyte; a smaller page leaves more of itself unused."""
_CACHE = 16 * 1024
"""KiB of the file that the writer keeps in memory: the ends of its indexes, which each row touches.
With the default of 2 MiB it reads them again and again."""


class SqliteBackend(Backend):
    """A store in an SQLite file."""

    dialect = make_url("sqlite://").get_dialect()()

    def __init__(
        self, file: str, busy_timeout: float = BUSY_TIMEOUT, recording: Recording | None = None
    ) -> None:
        """`busy_timeout` is how many seconds to wait for another program's lock. Who gives
        `recording` holds the file for it from `prepare` to `release`."""
        self.name = file
        self._busy_timeout = busy_timeout
        self._recording = recording
        self._claim: int | None = None
        self._lead: int | None = None

    def prepare(self, *, create: bool) -> None:
        folder = Path(self.name).absolute().parent
        if not folder.is_dir():
            raise WrongDatabaseError(
                f"database {self.name} cannot be created, there is no folder {folder}: create "
                "it, or set `database` to another file"
            )
        if not create and not Path(self.name).exists():
            raise WrongDatabaseError(
                f"database {self.name} does not exist yet: `shutwatch run` makes it, or "
                "`shutwatch collector` for agents; check `database` and the folder you are in"
            )
        if is_no_database(Path(self.name)):
            return  # opening it says so
        make_database_private(Path(self.name))
        if self._recording is not None and self._claim is None:
            self._claim = self._claimed(alone=self._recording is Recording.ALONE)

    def _beside(self, end: str) -> str:
        """The name of the file beside the database that ends so: one, by whatever name the database
        was reached."""
        return os.path.realpath(self.name) + end

    def _claimed(self, *, alone: bool) -> int:
        """The lock of who records here."""
        lock = self._beside(RECORDING)
        descriptor = _locked(lock, shared=not alone)
        if descriptor is None:
            by = holder(lock)
            who = "another shutwatch" if by else "a collector"
            named = f" (process {by.process} since {by.since:%Y-%m-%d %H:%M} UTC)" if by else ""
            raise InUseError(
                f"{who} records in database {self.name}{named}: stop it, or set `database` to "
                "another file"
            )
        if alone:
            write_holder(descriptor)
        else:
            os.ftruncate(descriptor, 0)
        return descriptor

    def read_engine(self, size: int) -> Engine:
        return self._engine(size, "BEGIN", write=False)

    def write_engine(self) -> Engine:
        # Its transactions take the write lock at once.
        return self._engine(1, "BEGIN IMMEDIATE", write=True)

    def errors(self) -> AbstractContextManager[None]:
        return storage_errors(self.name)

    def may_pass(self, error: DBAPIError) -> bool:
        # The writer holds the only lock there is.
        del error
        return False

    def insert(self, into: Table) -> Any:
        return sqlite.insert(into)

    def lead(self, connection: Connection) -> bool:
        # A lock on a file next to the database, for as long as this process lives.
        del connection
        if self._lead is None:
            self._lead = _locked(self._beside(LEAD))
        return self._lead is not None

    def leads(self, connection: Connection) -> bool:
        # No other process can take the lock away.
        del connection
        return self._lead is not None

    def release(self) -> None:
        held, self._lead, self._claim = (self._lead, self._claim), None, None
        for descriptor in held:
            if descriptor is not None:
                os.close(descriptor)

    def size(self, connection: Connection) -> DatabaseSize:
        def pragma(name: str) -> int:
            return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

        pages, unused = pragma("page_count"), pragma("freelist_count")
        # Asked last: before the first page is read it is that of new files.
        size = pragma("page_size")
        room = self._room()
        free = None if room is None else room + unused * size
        return DatabaseSize(used=(pages - unused) * size, free=free)

    def _room(self) -> int | None:
        """Bytes that this user may still write where the file is, or a link leads; None where that
        is not known."""
        try:
            return shutil.disk_usage(Path(os.path.realpath(self.name)).parent).free
        except OSError:
            return None

    @contextmanager
    def archiving(self) -> Iterator[bool]:
        with self.errors():
            lock = _locked(self._beside(ARCHIVING))
        try:
            yield lock is not None
        finally:
            if lock is not None:
                os.close(lock)

    def _engine(self, size: int, begin: str, *, write: bool) -> Engine:
        engine = create_engine(
            self._url(),
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            connect_args={"timeout": self._busy_timeout, "isolation_level": None},
        )

        def set_up(connection: sqlite3.Connection, _record: Any) -> None:
            try:
                if write:
                    connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
                    self._set_journal(connection)
                    connection.execute(f"PRAGMA cache_size = -{_CACHE}")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute(f"PRAGMA query_only = {'OFF' if write else 'ON'}")
            except BaseException:
                connection.close()
                raise

        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine, "connect", set_up)
        event.listen(engine, "begin", start)
        return engine

    def _url(self) -> URL:
        return URL.create("sqlite", database=self.name)

    def _set_journal(self, connection: sqlite3.Connection) -> None:
        """Switch the file to a write-ahead log, once in its life."""
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageError(
                f"database {self.name} is on a file system without the locks a write-ahead log "
                "needs (network disks lack them): set `database` to a file on a local disk"
            )


def migrate_file(file: str) -> None:
    """Upgrade an SQLite file that no other program uses. StorageError as from `migrate`, or from
    SQLite."""
    backend = SqliteBackend(file)
    read, write = backend.read_engine(1), backend.write_engine()
    try:
        with backend.errors():
            migrate(read, write, file)
    finally:
        read.dispose()
        write.dispose()


def _locked(file: str, *, shared: bool = False) -> int | None:
    try:
        return locked(file, shared=shared)
    except OSError as error:
        raise StorageError(
            f"{file} cannot be made or opened ({error.strerror}): let this user write to the "
            "database and in its folder"
        ) from error
