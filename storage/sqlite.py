"""Connections to one SQLite file, set up the way a monitor needs them.

Write-ahead log with `synchronous=FULL`: a cycle reported stored survives a power cut, and
readers never wait for the writer. SQLAlchemy, not the driver, begins transactions, so that a
schema change is one transaction like any other.
"""

import sqlite3
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from storage.store import StorageError

_WANTED = (
    "use sqlite:/// and a path, such as sqlite:///shutwatch.db or sqlite:////var/lib/shutwatch.db"
)
_PAGE_SIZE = 8192
"""Bytes. A measurement takes about one kilobyte; a smaller page leaves more of itself unused."""


def file_of(url: str) -> str:
    """The file an SQLite URL names. StorageError for any other URL.

    The URL itself is not repeated in errors, since it may hold a password.
    """
    try:
        parts = make_url(url)
    except ArgumentError:
        raise StorageError(f"the database URL cannot be read: {_WANTED}") from None
    if parts.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StorageError(f"no {parts.drivername} database can be used yet: {_WANTED}")
    if parts.query or parts.host:
        raise StorageError(f"the database URL has parts that mean nothing here: {_WANTED}")
    if not parts.database or parts.database == ":memory:":
        raise StorageError(f"the database URL names no file: {_WANTED}, or memory: to forget")
    return parts.database


def write_engine(file: str, busy_timeout: float) -> Engine:
    """One connection, whose transactions take the write lock at once.

    Waits up to `busy_timeout` seconds for another program's lock.
    """
    return _engine(file, busy_timeout, size=1, begin="BEGIN IMMEDIATE", write=True)


def read_engine(file: str, busy_timeout: float, size: int) -> Engine:
    """Up to `size` connections that cannot write."""
    return _engine(file, busy_timeout, size=size, begin="BEGIN", write=False)


def _engine(file: str, busy_timeout: float, *, size: int, begin: str, write: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=file),
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        connect_args={"timeout": busy_timeout, "isolation_level": None},
    )

    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        try:
            if write:
                connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
                _use_write_ahead_log(connection, file)
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


def _use_write_ahead_log(connection: sqlite3.Connection, file: str) -> None:
    """Switch the file over, once in its life."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageError(
            f"database {file} is on a file system without the locks a write-ahead log needs "
            "(network disks lack them): set `database` to a file on a local disk"
        )
