"""Stores in memory for tests: they open fast, and keep their rows when they are closed."""

import sqlite3
import weakref
from collections.abc import Callable
from datetime import datetime
from functools import cache
from threading import Lock

from storage.sql.migrate import migrate
from storage.sql.store import SqlStore
from storage.sql.transactions import Session
from storage.sqlite.memory import MemoryBackend
from storage.url import MEMORY
from storage.values.steady_clock import utc_now
from tests.worlds.store_without_threads import AtOnce

_COPYING = Lock()


class _KeptBackend(MemoryBackend):
    """Begins with the tables of a template, which takes less time than to make them. Its database
    lives as long as this object."""

    _kept: sqlite3.Connection | None = None

    def prepare(self, *, create: bool) -> None:
        super().prepare(create=create)
        if self._kept is None:
            self._kept = sqlite3.connect(
                f"{self._database}?vfs=memdb", uri=True, check_same_thread=False
            )
            weakref.finalize(self, self._kept.close)
            with _COPYING:
                _template().backup(self._kept)


class MemoryStore(SqlStore):
    """An SQL store in memory. A test need not close it."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        page: int = 500,
        threads: bool = False,
    ) -> None:
        """With `threads` it works beside the event loop, as stores out there do; else at once."""
        super().__init__(_KeptBackend(), clock=clock, page=page, create=True)
        self._threads = threads

    def _open(self) -> Session:
        # The template has the tables of this version, so there is nothing to migrate.
        self._backend.prepare(create=True)
        session = Session(self._backend)
        weakref.finalize(self, _release, session)
        if not self._threads:
            session.readers = session.writers = session.makers = AtOnce()
        return session


def _release(session: Session) -> None:
    # The threads end with the session. To end them here takes a lock that whoever makes garbage
    # collection run may hold.
    session.read.dispose()
    session.write.dispose()


@cache
def _template() -> sqlite3.Connection:
    """A database with the tables of this version and no rows."""
    session = Session(MemoryBackend())
    migrate(session.read, session.write, MEMORY)
    made = sqlite3.connect(":memory:", check_same_thread=False)
    with session.write.connect() as connection:
        database = connection.connection.driver_connection
        assert isinstance(database, sqlite3.Connection)
        database.backup(made)
    session.close()
    return made
