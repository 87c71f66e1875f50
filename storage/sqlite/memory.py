"""An SQLite database in memory alone, which is lost with the store."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import URL, Connection

from storage import url
from storage.sqlite.backend import SqliteBackend
from storage.store import StorageError

_SHARED_SINCE = (3, 36)
"""The version of SQLite since which connections share a database of the VFS `memdb`."""


class MemoryBackend(SqliteBackend):
    """A store in memory. Closing it loses its rows."""

    def __init__(self) -> None:
        super().__init__(url.MEMORY)
        # Connections share a database of this VFS by its name. SQLite's shared cache would not
        # do: there a reader fails while another connection writes.
        self._database = f"file:/{uuid4().hex}"

    def prepare(self, *, create: bool) -> None:
        del create
        if sqlite3.sqlite_version_info < _SHARED_SINCE:
            raise StorageError(
                f"SQLite {sqlite3.sqlite_version} cannot keep a database in memory alone, 3.36 "
                "can: set `database` to a file"
            )

    def lead(self, connection: Connection) -> bool:
        del connection
        return True

    def leads(self, connection: Connection) -> bool:
        del connection
        return True

    @contextmanager
    def archiving(self) -> Iterator[bool]:
        yield True

    def _room(self) -> int | None:
        return None

    def _url(self) -> URL:
        return URL.create("sqlite", database=self._database, query={"vfs": "memdb", "uri": "true"})

    def _set_journal(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = MEMORY")
