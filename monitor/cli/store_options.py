"""What commands share that read the store or add to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from monitor.cli.bars import progress
from monitor.cli.exits import exit_on
from monitor.config.settings import Settings
from storage.store import CollectorStore, StorageError
from storage.values.archive_place import NO_ARCHIVE, ArchivePlace

T = TypeVar("T")


@asynccontextmanager
async def opened(
    database: str, archive: ArchivePlace = NO_ARCHIVE, *, create: bool = False
) -> AsyncIterator[CollectorStore]:
    """The store at that URL, open, with what is in its archive. StorageError when there is none and
    `create` is false."""
    # Imports SQLAlchemy, which help and a mistyped command do without.
    from storage.open_store import open_store

    store = open_store(database, archive, create=create)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@exit_on(StorageError)
def with_store(
    settings: Settings,
    work: Callable[[CollectorStore], Awaitable[T]],
    *,
    create: bool = False,
    doing: str = "reading the database",
) -> T:
    """The result of `work` on the store of these settings; exits with 1 on a StorageError. `doing`
    is what people read when it takes long."""

    async def run() -> T:
        async with opened(settings.database, settings.archive, create=create) as store:
            return await work(store)

    with progress(doing):
        return asyncio.run(run())
