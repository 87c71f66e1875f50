"""From the `database` setting to a store."""

from storage.memory.store import MemoryStore
from storage.sql.store import SqlStore
from storage.values.fleet import CollectorStore

MEMORY_URL = "memory:"
"""Forgets everything when the process ends."""


def open_store(url: str, *, create: bool = True) -> CollectorStore:
    """The store that `url` names; its `open` is still to be awaited.

    `url` is `memory:`, an SQLite URL such as `sqlite:///shutwatch.db`, or a PostgreSQL URL such as
    `postgresql://user:password@host/database`. Without `create`, a missing database is an error
    when opened. StorageError for any other URL, saying what would do.
    """
    if url == MEMORY_URL:
        return MemoryStore()
    return SqlStore(url, create=create)
