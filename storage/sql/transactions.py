"""How an SQL database is opened, read and written: its connections, and the threads that use them.

One thread writes, in the order of the calls, so that a cycle never waits for a lock that this
process holds; a few others read. The event loop only waits for them.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine
from sqlalchemy.exc import DBAPIError

from storage.sql.backend import Backend
from storage.sql.listing import Key, Listing, matching
from storage.sql.migrate import migrate
from storage.store import NotLeadingError, StorageError
from storage.values.selection import Selection
from storage.values.times import Arrivals, time_text

T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")
V_co = TypeVar("V_co", covariant=True)

_READERS = 4
_TRIES = 6
"""Of a transaction that conflicts with other writers."""


class PageReader(Protocol[V_co]):
    """Reads one page of a listing."""

    def __call__(
        self, connection: Connection, *, after: Key | None, limit: int
    ) -> tuple[Sequence[V_co], Key | None]:
        """At most `limit` values after a place, and the place where the page ended, None at the end
        of the listing."""


class SqlDatabase:
    """An open database: what every part of an SQL store is built on."""

    def __init__(
        self, backend: Backend, *, clock: Callable[[], datetime], page: int, create: bool
    ) -> None:
        """Nothing is touched before `open`.

        `clock` stamps what arrives; `page` is the most rows in a batch; without `create` a missing
        database is an error instead of a new one.
        """
        self._backend = backend
        self._arrivals = Arrivals(clock)
        self._page = page
        self._create = create
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self._leading: bool | None = None
        """None when this store never asked."""

    async def open(self) -> None:
        async with self._opening:
            if self._session is None:
                opening = asyncio.create_task(asyncio.to_thread(self._open))
                try:
                    self._session = await asyncio.shield(opening)
                except asyncio.CancelledError:
                    # The thread cannot be stopped; keep what it opens, so that `close` finds it.
                    self._session = await opening
                    raise

    def _open(self) -> "Session":
        self._backend.prepare(create=self._create)
        session = Session(self._backend)
        try:
            with self._backend.errors():
                migrate(session.read, session.write, self._backend.name, create=self._create)
                self._backend.make_partitions_ahead(session.write)
        except BaseException:
            session.close()
            raise
        return session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await asyncio.to_thread(session.close)
            self._leading = None

    async def lead(self) -> bool:
        def take(connection: Connection) -> bool:
            # A lost lead is reported once before another is taken: another process may have led
            # in between.
            lost = self._leading and not self._backend.leads(connection)
            return not lost and self._backend.lead(connection)

        def ask(session: "Session") -> bool:
            try:
                self._leading = self._transaction(session, take)
            except StorageError:
                self._leading = False
                raise
            return self._leading

        return await self._in_writer(ask)

    @property
    def leading(self) -> bool:
        return bool(self._leading)

    # --- threads and transactions ------------------------------------------------------

    def _opened(self) -> "Session":
        if self._session is None:
            raise StorageError(f"database {self._backend.name} is not open")
        return self._session

    async def _in_writer(self, work: Callable[["Session"], R]) -> R:
        """Run `work` in the thread that writes."""
        session = self._opened()
        return await _run(session.writers, work, session)

    async def _in_reader(self, work: Callable[["Session"], R]) -> R:
        """Run `work` in a thread that reads."""
        session = self._opened()
        return await _run(session.readers, self._translated, work, session)

    async def _in_maker(self, work: Callable[[], R]) -> R:
        """Run `work` in a thread that uses no database."""
        return await _run(self._opened().makers, work)

    async def _read(self, work: Callable[[Connection], R]) -> R:
        """Run `work` with a connection that cannot write."""

        def read(session: Session) -> R:
            with session.read.connect() as connection:
                return work(connection)

        return await self._in_reader(read)

    async def _write(self, work: Callable[[Connection], R], *, leader_only: bool = False) -> R:
        """Run `work` in one durable transaction; see `_transaction`."""
        return await self._in_writer(
            lambda session: self._transaction(session, work, leader_only=leader_only)
        )

    def _translated(self, work: Callable[["Session"], R], session: "Session") -> R:
        with self._backend.errors():
            return work(session)

    def _transaction(
        self, session: "Session", work: Callable[[Connection], R], *, leader_only: bool = False
    ) -> R:
        """Run `work` in one transaction, and again if it conflicts with other writers.

        With `leader_only` NotLeadingError, and nothing written, when another process leads.
        """
        with self._backend.errors():
            for attempt in range(1, _TRIES):
                try:
                    return self._once(session, work, leader_only=leader_only)
                except DBAPIError as error:
                    if not self._backend.may_pass(error):
                        raise
                    time.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 # no secret
            return self._once(session, work, leader_only=leader_only)

    def _once(self, session: "Session", work: Callable[[Connection], R], *, leader_only: bool) -> R:
        with session.write.begin() as connection:
            # This very connection holds the lead: if it is lost, so is the transaction.
            if leader_only and self._leading is not None:
                self._leading = self._backend.leads(connection)
                if not self._leading:
                    raise NotLeadingError(
                        f"another process leads, nothing was written to {self._backend.name}"
                    )
            return work(connection)

    # --- listings ----------------------------------------------------------------------

    async def _pages(
        self, read: PageReader[R], after: Key | None = None, limit: int = 0
    ) -> AsyncIterator[Sequence[R]]:
        """Pages one after another, each read in a transaction of its own."""
        limit = limit or self._page
        while True:
            page, after = await self._read(partial(read, after=after, limit=limit))
            if page:
                yield page
            if after is None:
                return

    def _selected(
        self, listing: Listing[T], selection: Selection, *also: ColumnElement[bool]
    ) -> AsyncIterator[Sequence[T]]:
        """The selected values that meet the conditions `also`."""
        where, start = matching(listing.time, selection)
        return self._continued(listing.reader([*where, *also], start), selection)

    def _continued(self, read: PageReader[R], selection: Selection) -> AsyncIterator[Sequence[R]]:
        """Pages of a listing that a reader may continue at a place."""
        after: Key | None = self._backend.place(selection.after) or None
        if after and selection.since is not None and after[0] < time_text(selection.since):
            after = None
        return self._pages(read, after, selection.batch)

    async def _all(
        self,
        listing: Listing[T],
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
    ) -> list[T]:
        return [value async for page in self._pages(listing.reader(where, start)) for value in page]


class Session:
    """Connections of an open database and the threads that use them."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.read: Engine = backend.read_engine(_READERS)
        self.write: Engine = backend.write_engine()
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self.writers = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self.makers = ThreadPoolExecutor(1, thread_name_prefix="store-make")

    def close(self) -> None:
        """Wait for the threads, then close every connection."""
        self.makers.shutdown()
        self.writers.shutdown()
        self.readers.shutdown()
        self.read.dispose()
        self.write.dispose()
        self._backend.release()


async def _run(threads: ThreadPoolExecutor, work: Callable[..., R], *arguments: Any) -> R:
    return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
