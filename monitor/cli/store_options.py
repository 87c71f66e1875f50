"""What commands share that read or add to what is stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from monitor.cli.options import fail
from monitor.config.settings import Settings
from storage.open_store import open_store
from storage.store import CollectorStore, StorageError

T = TypeVar("T")


@asynccontextmanager
async def stored(settings: Settings, *, create: bool = False) -> AsyncIterator[CollectorStore]:
    """The configured store, open; StorageError when there is none yet, unless it is to be made."""
    store = open_store(settings.database, create=create)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def with_store(
    settings: Settings, work: Callable[[CollectorStore], Awaitable[T]], *, create: bool = False
) -> T:
    """What `work` makes of the configured store; exits with 1 when the store cannot."""

    async def run() -> T:
        async with stored(settings, create=create) as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except StorageError as error:
        raise fail(str(error)) from error
