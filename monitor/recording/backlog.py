"""Cycles that the store could not take yet."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from monitor.logs import logger
from storage.store import StorageError

log = logger(__name__)

MOST = 100
"""Cycles kept while the store fails. Beyond that the oldest are given up, and the log says so."""

T = TypeVar("T")


class Backlog(Generic[T]):
    """Stores cycles in the order they come, and keeps those that cannot be stored."""

    def __init__(
        self,
        store: Callable[[T], Awaitable[None]],
        id_of: Callable[[T], str],
        failed: Callable[[str], None],
        merge: Callable[[T, T], T] = lambda _, following: following,
    ) -> None:
        """`store` makes one durable, or raises StorageError; `id_of` is its id for the log;
        `failed` counts what the store failed at. `merge` makes one of a cycle
        that is given up and the next, and is stored in place of the next."""
        self._store = store
        self._id_of = id_of
        self._failed = failed
        self._merge = merge
        self._waiting: deque[T] = deque()
        self._lock = asyncio.Lock()

    def __iter__(self) -> Iterator[T]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    async def add(self, *cycles: T) -> StorageError | None:
        """Store these, after those that wait; the error, if not all of it is durable now."""
        self._waiting.extend(cycles)
        async with self._lock:
            while self._waiting:
                try:
                    await self._store(self._waiting[0])
                except StorageError as error:
                    self._failed("save")
                    cycle = self._id_of(self._waiting[0])
                    log.error("cycle not stored", cycle=cycle, error=str(error))
                    self._give_up_oldest()
                    return error
                self._waiting.popleft()
        return None

    def _give_up_oldest(self) -> None:
        while len(self._waiting) > MOST:
            given_up = self._waiting.popleft()
            self._waiting[0] = self._merge(given_up, self._waiting[0])
            log.error("cycle given up, the store keeps failing", cycle=self._id_of(given_up))
