"""An SQLite database in memory alone, which is lost with the store."""

import sqlite3
from uuid import uuid4

from sqlalchemy import URL, Connection

from storage.sqlite.backend import SqliteBackend

MEMORY_URL = "memory:"


class MemoryBackend(SqliteBackend):
    """A store in memory. Closing it loses its rows."""

    def __init__(self) -> None:
        super().__init__(MEMORY_URL)
        # Connections of one process share a database of this VFS by its name. SQLite's shared
        # cache would not do: there a reader fails while another connection writes.
        self._database = f"file:/{uuid4().hex}"

    def prepare(self, *, create: bool) -> None:
        del create

    def lead(self, connection: Connection) -> bool:
        del connection
        return True

    def leads(self, connection: Connection) -> bool:
        del connection
        return True

    def _url(self) -> URL:
        return URL.create("sqlite", database=self._database, query={"vfs": "memdb", "uri": "true"})

    def _set_journal(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = MEMORY")
