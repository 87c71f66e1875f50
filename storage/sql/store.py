"""The store in an SQL database: SQLite, or PostgreSQL, which several processes may share.

One thread writes, in the order of the calls, so that a cycle never waits for a lock held by
ourselves; a few others read. The event loop only ever waits for them. What differs between the
databases is in `storage.sql.backend`.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine
from sqlalchemy.exc import DBAPIError

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.export.cells import Group, Listed, Page
from storage.export.reading_ahead import read_ahead
from storage.export.reading_rows import AvailabilityRows, Pages, Stretch, TimedRows
from storage.sql import listing as reading
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.backends import backend_of
from storage.sql.fleet_store import SqlFleet
from storage.sql.listing import Key, Listing
from storage.sql.listing_rollup import availability_page
from storage.sql.migrate import holds_tables, migrate
from storage.sql.retention import SOUGHT, Batch, delete_rows, old_keys
from storage.sql.writing import Writer
from storage.sql.writing_fleet import FleetWriter
from storage.sql.writing_outbox import OutboxWriter
from storage.sql.writing_rejudged import RejudgedWriter
from storage.sql.writing_reviews import ReviewWriter
from storage.store import (
    Conclusion,
    Cycle,
    NotLeadingError,
    Selection,
    StorageError,
    StoredCycle,
)
from storage.values.cursor import place_of
from storage.values.outbox import Notice, NoticeState
from storage.values.prunable import Prunable
from storage.values.rejudging import Rejudging
from storage.values.reviews import Annotation, Review
from storage.values.rollup import Availability
from storage.values.storable_text import storable
from storage.values.times import Arrivals, time_text, utc_now

T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")
V = TypeVar("V")

_READERS = 4
_TRIES = 6
"""Of a transaction that other writers were in the way of."""
_DROPS = 60
"""Times to try to drop a partition that others use, about a second apart."""
_ALL = Selection()


class SqlStore(SqlFleet):
    """Implements `storage.values.fleet.CollectorStore`. All methods raise StorageError."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        busy_timeout: float = 10.0,
        page: int = 500,
        create: bool = True,
    ) -> None:
        """Nothing is touched before `open`. StorageError for a URL of no such database.

        `url` is as in `sqlite:///shutwatch.db` or `postgresql://user:password@host/database`;
        `clock` stamps what arrives; `busy_timeout` is how many seconds to wait for another
        program's lock; `page` how many rows a batch has at most; without `create` a missing
        database is an error instead of a new one.
        """
        super().__init__()
        self._backend = backend_of(url, busy_timeout)
        self._arrivals = Arrivals(clock)
        self._page = page
        self._create = create
        self._session: _Session | None = None
        self._opening = asyncio.Lock()
        self._leading: bool | None = None
        """None when nobody asked."""

    async def open(self) -> None:
        """Open, migrating the schema to this version first."""
        async with self._opening:
            if self._session is None:
                opening = asyncio.create_task(asyncio.to_thread(self._open))
                try:
                    self._session = await asyncio.shield(opening)
                except asyncio.CancelledError:
                    # The thread cannot be stopped; keep what it opens, so that `close` finds it.
                    self._session = await opening
                    raise

    async def close(self) -> None:
        """Finish what is under way and let go of the database. Closing twice is fine."""
        session, self._session = self._session, None
        if session is not None:
            await asyncio.to_thread(session.close)
            self._leading = None

    async def lead(self) -> bool:
        """Try to be the one process that judges; whether it is now this one."""
        session = self._opened()
        return await session.run(session.writers, self._lead, session)

    @property
    def leading(self) -> bool:
        """Whether this store led when it last asked or wrote."""
        return bool(self._leading)

    async def save(
        self,
        cycle: Cycle,
        events: Sequence[Event] = (),
        log: Sequence[EventLogEntry] = (),
        conclusions: Sequence[Conclusion] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        """Store a whole cycle and its effects in one durable transaction.

        A caller that is cancelled while waiting cannot know whether it was stored: it is
        stored whole or not at all, and saving it again is safe.
        """
        session = self._opened()
        written = (cycle, tuple(events), tuple(log), tuple(conclusions), tuple(notices))
        await session.run(session.writers, self._write, session, *written)

    async def outbox(self, state: NoticeState | None = None, event: str = "") -> list[Notice]:
        """Notices by when they were made."""
        columns = schema.outbox.c
        where = [columns.state == state.value] if state is not None else []
        where += [columns.event == event] if event else []
        return await self._all(reading.OUTBOX, where)

    async def update_notices(self, notices: Sequence[Notice]) -> None:
        """Put these in the place of their earlier forms, in one durable transaction."""
        session = self._opened()
        valid = storable(tuple(notices), tuple[Notice, ...])
        await session.run(session.writers, self._update_notices, session, valid)

    async def latest_platforms(self) -> list[PlatformVerdict]:
        """The newest platform verdict of every vantage and platform."""
        return await self._all(reading.LATEST_PLATFORMS)

    async def latest_health(self) -> list[VantageHealth]:
        """The newest health of every vantage."""
        return await self._all(reading.LATEST_HEALTH)

    async def latest_verdicts(self) -> list[Verdict]:
        """The newest verdict of every vantage and endpoint."""
        return await self._all(reading.LATEST_VERDICTS)

    async def recent_platforms(self, since: datetime) -> list[PlatformVerdict]:
        """Platform verdicts judged at or after `since`, oldest first."""
        judged_at = schema.platform_verdict.c.judged_at
        return await self._all(reading.PLATFORMS, [judged_at >= time_text(since)])

    async def recent_health(self, since: datetime) -> list[VantageHealth]:
        """Health of vantages at or after `since`, oldest first."""
        return await self._all(reading.HEALTH, [schema.vantage_health.c.at >= time_text(since)])

    async def conclusions(self) -> list[Conclusion]:
        """What was concluded of everything when it was last saved."""
        return await self._all(reading.CONCLUSIONS)

    async def active_events(self) -> list[Event]:
        """Events that have neither ended nor been dismissed, by detection time."""
        return await self._all(reading.EVENTS, [reading.ACTIVE])

    def cycles(self, selection: Selection) -> AsyncIterator[Sequence[StoredCycle]]:
        """Stored cycles by the time they finished, in batches."""
        table = schema.cycle
        where, start = reading.matching(table, table.c.finished_at, selection)
        return self._pages(reading.CYCLES, [*where, reading.HEALTH_OF_CYCLE], start)

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        """Stored measurements by start time, in batches."""
        table = schema.measurement
        where, start = reading.matching(table, table.c.started_at, selection)
        return self._pages(reading.MEASUREMENTS, where, start, selection)

    def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Stored platform verdicts by judging time, in batches."""
        table = schema.platform_verdict
        return self._pages(
            reading.PLATFORMS, *reading.matching(table, table.c.judged_at, selection)
        )

    def verdicts(self, selection: Selection) -> AsyncIterator[Sequence[Verdict]]:
        """Stored verdicts by judging time, in batches."""
        table = schema.verdict
        where, start = reading.matching(table, table.c.judged_at, selection)
        return self._pages(reading.VERDICTS, where, start, selection)

    def received_cycles(self, country: str) -> AsyncIterator[Sequence[StoredCycle]]:
        """All stored cycles of a country in the order they were received, in batches."""
        where = [] if not country else [schema.cycle.c.country == country]
        return self._pages(reading.RECEIVED_CYCLES, [*where, reading.HEALTH_OF_CYCLE])

    def received_platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Platform verdicts in the order their cycles were received, in batches."""
        table = schema.platform_verdict
        where, start = reading.matching(table, table.c.judged_at, selection)
        where += [reading.OF_CYCLE, *([] if start is None else [start])]
        return self._pages(reading.RECEIVED_PLATFORMS, where)

    def events(self, selection: Selection) -> AsyncIterator[Sequence[Event]]:
        """Events by detection time, in batches; `since` and `until` select by overlap."""
        return self._pages(reading.EVENTS, reading.overlapping(selection), wanted=selection)

    async def availability(self, selection: Selection) -> AsyncIterator[Sequence[Availability]]:
        """How much of each hour or day a platform could be reached, in batches."""
        limit = selection.batch or self._page
        after = self._backend.place(selection.after)
        while True:
            session = self._opened()
            page = await session.run(
                session.readers, self._read_availability, session, selection, after, limit
            )
            if page:
                yield page
                after = place_of(page[-1])
            if len(page) < limit:
                return

    async def rows(
        self, kind: Listed, groups: Sequence[Group], selection: Selection, rejudging: str = ""
    ) -> AsyncIterator[Page]:
        """The stored rows behind a listing, in batches; some databases read ahead meanwhile."""
        pages: Pages = (
            AvailabilityRows(groups, selection)
            if kind is Listed.AVAILABILITY
            else TimedRows(kind, groups, selection, rejudging)
        )
        if not self._backend.reads_ahead:
            while not pages.over:
                session = self._opened()
                page = await session.run(session.readers, self._read_next, session, pages)
                if page:
                    yield page
            return

        async def find() -> Stretch | None:
            if pages.over:
                return None
            session = self._opened()
            return await session.run(session.readers, self._next, session, pages)

        async def read(stretch: Stretch) -> Page | None:
            session = self._opened()
            return await session.run(session.readers, self._read_rows, session, stretch)

        async with aclosing(read_ahead(find, read, self._backend.reads_ahead)) as ahead:
            async for page in ahead:
                if page:
                    yield page

    def event_log(self, event_id: str) -> AsyncIterator[Sequence[EventLogEntry]]:
        """The history of one event, oldest first."""
        return self._pages(reading.EVENT_LOG, [schema.event_log.c.event == event_id])

    async def add_review(self, review: Review) -> None:
        """Store a person's mark on an event, for ever."""
        session = self._opened()
        await session.run(session.writers, self._add_review, session, storable(review, Review))

    async def reviews(self, event_id: str = "") -> list[Review]:
        """The reviews of one event, or of all, by the time they were given."""
        return await self._all(
            reading.REVIEWS, [schema.review.c.event == event_id] if event_id else []
        )

    async def add_annotations(self, annotations: Sequence[Annotation]) -> int:
        """Store them in one durable transaction; returns how many were not there before."""
        session = self._opened()
        valid = storable(tuple(annotations), tuple[Annotation, ...])
        return await session.run(session.writers, self._add_annotations, session, valid)

    async def remove_annotations(self, ids: Collection[str]) -> int:
        """Forget the annotations of these ids; returns how many there were."""
        session = self._opened()
        return await session.run(session.writers, self._remove_annotations, session, tuple(ids))

    async def annotations(
        self,
        country: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        platform: str = "",
    ) -> list[Annotation]:
        """Annotations by when they begin, of a place and time."""
        wanted = Selection(since=since, until=until, country=country, platform=platform)
        return await self._all(reading.ANNOTATIONS, reading.around(wanted))

    async def prune(self, what: Prunable, before: datetime) -> AsyncIterator[int]:
        """Delete rows of one table that are older than `before`: whole partitions of them where
        there are such, else a few at a time."""
        async for rows in self._drop_partitions(what, time_text(before)):
            yield rows
        batch = Batch()
        while True:
            session = self._opened()
            keys = await session.run(
                session.readers, self._read_old_keys, session, what, time_text(before)
            )
            rest = keys
            while rest:
                session = self._opened()
                some, rest = rest[: batch.size], rest[batch.size :]
                batch.took(
                    await session.run(session.writers, self._delete_rows, session, what, some)
                )
                yield len(some)
            if len(keys) < SOUGHT:
                return

    async def _drop_partitions(self, what: Prunable, before: str) -> AsyncIterator[int]:
        session = self._opened()
        await session.run(session.writers, self._make_room, session)
        tries = 0
        while True:
            session = self._opened()
            old = await session.run(session.readers, self._old_partition, session, what, before)
            if old is None:
                return
            partition, rows = old
            session = self._opened()
            if await session.run(session.writers, self._drop_partition, session, what, partition):
                tries = 0
                if rows:
                    yield rows
                continue
            tries += 1
            if tries == _DROPS:
                raise StorageError(
                    f"database {self._backend.name} could not be rid of the old rows of {what}: "
                    "something reads them all the time; it is tried again next time"
                )
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 # no secret

    async def save_rejudged(
        self,
        rejudging: Rejudging,
        verdicts: Sequence[Verdict] = (),
        platforms: Sequence[PlatformVerdict] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """Store a part of a recomputation in one durable transaction."""
        session = self._opened()
        # What was stored once is valid text, and recomputing adds none.
        written = (rejudging, tuple(verdicts), tuple(platforms), tuple(events))
        await session.run(session.writers, self._write_rejudged, session, *written)

    async def rejudgings(self) -> list[Rejudging]:
        """Every recomputation, oldest first."""
        return await self._all(reading.REJUDGINGS)

    def rejudged_verdicts(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Verdict]]:
        """Verdicts of one recomputation by judging time, in batches."""
        table = schema.rejudged_verdict
        where, start = reading.matching(table, table.c.judged_at, selection)
        where.append(table.c.rejudging == rejudging)
        return self._pages(reading.REJUDGED_VERDICTS, where, start)

    def rejudged_platforms(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """Platform verdicts of one recomputation by judging time, in batches."""
        table = schema.rejudged_platform
        where, start = reading.matching(table, table.c.judged_at, selection)
        where.append(table.c.rejudging == rejudging)
        return self._pages(reading.REJUDGED_PLATFORMS, where, start)

    def rejudged_events(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Event]]:
        """Events of one recomputation by detection time, in batches."""
        table = schema.rejudged_event
        where = [*reading.overlapping(selection, table), table.c.rejudging == rejudging]
        return self._pages(reading.REJUDGED_EVENTS, where)

    def _open(self) -> "_Session":
        self._backend.prepare(create=self._create)
        session = _Session(self._backend)
        try:
            with self._backend.errors():
                if not self._create and not holds_tables(session.read):
                    raise StorageError(
                        f"database {self._backend.name} holds nothing yet: `shutwatch run` makes "
                        "its tables; check `database`"
                    )
                migrate(session.read, session.write, self._backend.name)
                self._backend.make_room(session.write)
        except BaseException:
            session.close()
            raise
        return session

    def _opened(self) -> "_Session":
        if self._session is None:
            raise StorageError(f"database {self._backend.name} is not open")
        return self._session

    def _write(
        self,
        session: "_Session",
        cycle: Cycle,
        events: Sequence[Event],
        log: Sequence[EventLogEntry],
        conclusions: Sequence[Conclusion],
        notices: Sequence[Notice],
    ) -> None:
        try:
            self._transact(session, cycle, events, log, conclusions, notices)
        except UnicodeEncodeError:
            self._transact(
                session,
                storable(cycle, Cycle),
                storable(events, tuple[Event, ...]),
                storable(log, tuple[EventLogEntry, ...]),
                storable(conclusions, tuple[Conclusion, ...]),
                storable(notices, tuple[Notice, ...]),
            )

    def _transact(
        self,
        session: "_Session",
        cycle: Cycle,
        events: Sequence[Event],
        log: Sequence[EventLogEntry],
        conclusions: Sequence[Conclusion],
        notices: Sequence[Notice],
    ) -> None:
        received = self._arrivals.stamp()

        def write(connection: Connection) -> None:
            session.writer.write(connection, cycle, events, log, conclusions, received)
            session.outbox_writer.add(connection, notices)

        self._transaction(session, write, fenced=True)

    def _transaction(
        self, session: "_Session", write: Callable[[Connection], R], *, fenced: bool = False
    ) -> R:
        """What `write` does, in one transaction; once more if other writers were in its way.

        NotLeadingError, and nothing written, when it is `fenced` and somebody else leads.
        """
        with self._backend.errors():
            for attempt in range(1, _TRIES):
                try:
                    return self._once(session, write, fenced=fenced)
                except DBAPIError as error:
                    if not self._backend.passes(error):
                        raise
                    time.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 # no secret
            return self._once(session, write, fenced=fenced)

    def _once(self, session: "_Session", write: Callable[[Connection], R], *, fenced: bool) -> R:
        with session.write.begin() as connection:
            # The lead is held by this very connection: if it goes, so does the transaction.
            if fenced and self._leading is not None:
                self._leading = self._backend.leads(connection)
                if not self._leading:
                    raise NotLeadingError(
                        f"another process leads, nothing was written to {self._backend.name}"
                    )
            return write(connection)

    def _lead(self, session: "_Session") -> bool:
        def take(connection: Connection) -> bool:
            # A lead that was lost is told once, before another is taken: somebody else may have
            # led in between.
            lost = self._leading and not self._backend.leads(connection)
            return not lost and self._backend.lead(connection)

        try:
            self._leading = self._transaction(session, take)
        except StorageError:
            self._leading = False
            raise
        return self._leading

    def _update_notices(self, session: "_Session", notices: Sequence[Notice]) -> None:
        self._transaction(
            session,
            lambda connection: session.outbox_writer.update(connection, notices),
            fenced=True,
        )

    def _write_rejudged(
        self,
        session: "_Session",
        rejudging: Rejudging,
        verdicts: Sequence[Verdict],
        platforms: Sequence[PlatformVerdict],
        events: Sequence[Event],
    ) -> None:
        write = session.rejudged_writer.write
        self._transaction(
            session,
            lambda connection: write(connection, rejudging, verdicts, platforms, events),
        )

    def _add_review(self, session: "_Session", review: Review) -> None:
        self._transaction(
            session, lambda connection: session.human_writer.add_review(connection, review)
        )

    def _add_annotations(self, session: "_Session", annotations: Sequence[Annotation]) -> int:
        add = session.human_writer.add_annotations
        return self._transaction(session, lambda connection: add(connection, annotations))

    def _remove_annotations(self, session: "_Session", ids: Collection[str]) -> int:
        remove = session.human_writer.remove_annotations
        return self._transaction(session, lambda connection: remove(connection, ids))

    def _read_availability(
        self, session: "_Session", selection: Selection, after: tuple[str, ...], limit: int
    ) -> list[Availability]:
        with self._backend.errors(), session.read.connect() as connection:
            return availability_page(connection, selection, after, limit)

    def _make_room(self, session: "_Session") -> None:
        with self._backend.errors():
            self._backend.make_room(session.write)

    def _old_partition(
        self, session: "_Session", what: Prunable, before: str
    ) -> tuple[str, int] | None:
        with self._backend.errors():
            return self._backend.old_partition(session.read, what, before)

    def _drop_partition(self, session: "_Session", what: Prunable, partition: str) -> bool:
        with self._backend.errors():
            return self._backend.drop_partition(session.write, what, partition)

    def _read_next(self, session: "_Session", pages: Pages) -> Page | None:
        with self._backend.errors(), session.read.connect() as connection:
            return pages.next(connection, self._page * self._backend.rows_at_once)(connection)

    def _next(self, session: "_Session", pages: Pages) -> Stretch:
        with self._backend.errors(), session.read.connect() as connection:
            return pages.next(connection, self._page * self._backend.rows_at_once)

    def _read_rows(self, session: "_Session", stretch: Stretch) -> Page | None:
        with self._backend.errors(), session.read.connect() as connection:
            return stretch(connection)

    def _read_old_keys(
        self, session: "_Session", what: Prunable, before: str
    ) -> list[tuple[Any, ...]]:
        with self._backend.errors(), session.read.connect() as connection:
            return old_keys(connection, what, before)

    def _delete_rows(
        self, session: "_Session", what: Prunable, keys: Sequence[tuple[Any, ...]]
    ) -> float:
        begun = time.monotonic()
        self._transaction(session, lambda connection: delete_rows(connection, what, keys))
        return time.monotonic() - begun

    def _stamp(self) -> datetime:
        return self._arrivals.stamp()

    def _fleet_writer(self) -> FleetWriter:
        return self._opened().fleet_writer

    async def _write_with(self, ready: Callable[[], V], work: Callable[[Connection, V], R]) -> R:
        session = self._opened()

        def write() -> R:
            made = ready()
            return self._transaction(session, lambda connection: work(connection, made))

        return await session.run(session.writers, write)

    async def _aside(self, work: Callable[[], R]) -> R:
        session = self._opened()
        return await session.run(session.makers, work)

    async def _read_with(self, work: Callable[[Connection], R]) -> R:
        session = self._opened()

        def read() -> R:
            with self._backend.errors(), session.read.connect() as connection:
                return work(connection)

        return await session.run(session.readers, read)

    async def _all(self, listing: Listing[T], where: Sequence[ColumnElement[bool]] = ()) -> list[T]:
        return [value async for page in self._pages(listing, where) for value in page]

    async def _pages(
        self,
        listing: Listing[T],
        where: Sequence[ColumnElement[bool]],
        start: ColumnElement[bool] | None = None,
        wanted: Selection = _ALL,
    ) -> AsyncIterator[Sequence[T]]:
        after: Key | None = self._backend.place(wanted.after) or None
        if after and wanted.since is not None and after[0] < time_text(wanted.since):
            after = None
        limit = wanted.batch or self._page
        while True:
            session = self._opened()
            page, after = await session.run(
                session.readers, self._read, session, listing, where, start, after, limit
            )
            if page:
                yield page
            if after is None:
                return

    def _read(
        self,
        session: "_Session",
        listing: Listing[T],
        where: Sequence[ColumnElement[bool]],
        start: ColumnElement[bool] | None,
        after: Key | None,
        limit: int,
    ) -> tuple[list[T], Key | None]:
        with self._backend.errors(), session.read.connect() as connection:
            return listing.page(connection, where, start, after, limit)


class _Session:
    """What is held while the store is open: connections and the threads that use them."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.read: Engine = backend.read_engine(_READERS)
        self.write: Engine = backend.write_engine()
        self.writer = Writer(self.write.dialect)
        self.fleet_writer = FleetWriter(self.write.dialect)
        self.human_writer = ReviewWriter(self.write.dialect)
        self.outbox_writer = OutboxWriter(self.write.dialect)
        self.rejudged_writer = RejudgedWriter(self.write.dialect)
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self.writers = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self.makers = ThreadPoolExecutor(1, thread_name_prefix="store-make")

    async def run(self, threads: ThreadPoolExecutor, work: Callable[..., R], *arguments: Any) -> R:
        """`work` in one of `threads`."""
        return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)

    def close(self) -> None:
        """Wait for the threads, then close every connection."""
        self.makers.shutdown()
        self.writers.shutdown()
        self.readers.shutdown()
        self.read.dispose()
        self.write.dispose()
        self._backend.let_go()
