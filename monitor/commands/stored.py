"""What commands share that read or add to what is stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from monitor.commands.options import fail
from monitor.settings import Settings
from storage.open_store import open_store
from storage.store import StorageError, Store

T = TypeVar("T")


@asynccontextmanager
async def stored(settings: Settings) -> AsyncIterator[Store]:
    """The configured store, open; StorageError when there is none yet."""
    store = open_store(settings.database, create=False)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def with_store(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` makes of the configured store; exits with 1 when the store cannot."""

    async def run() -> T:
        async with stored(settings) as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except StorageError as error:
        raise fail(str(error)) from error
