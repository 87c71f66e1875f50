"""A store whose old raw rows are in an archive, and listed with those of the database.

Whole days move, by the time of the table. While a day moves its rows are in both, and are listed
once. An archive that cannot be read is an error: no listing is silently shorter.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    func,
    insert,
    literal_column,
    select,
    tuple_,
)

from monitor.analysis.verdict import PlatformVerdict, Verdict
from probes.measurement import Measurement
from storage.archive.archived_tables import ARCHIVED, BY_NAME, Archived
from storage.archive.duckdb_session import add_rows, make_table, with_files
from storage.archive.engine import DuckDB
from storage.archive.manifest import ArchivedFile, Manifests
from storage.archive.merged import merged
from storage.archive.moving import Day, Workplace
from storage.archive.place import Place, PlaceError
from storage.sql import listing as listings
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.fleet_store import by_controls
from storage.sql.listing import PAGE_WEIGHT, VERDICTS_OF, Key, Listing, driver_rows, matching
from storage.sql.retention import Batch
from storage.sql.store import LISTINGS, SqlStore
from storage.sql.transactions import Session
from storage.store import StorageError
from storage.values import codecs
from storage.values.cursor import place_of
from storage.values.cycle import StoredCycle
from storage.values.fleet import ReceivedBatch
from storage.values.prunable import Prunable
from storage.values.row_kind import RowKind
from storage.values.selection import Selection
from storage.values.times import text_time, time_text

T = TypeVar("T")
V = TypeVar("V", bound=msgspec.Struct)
R = TypeVar("R")
_PLATFORMS = BY_NAME["platform_verdict"]
_AT_ONCE = 150_000
"""Archived rows that one query sorts."""
_FETCHED = 50
"""Values made at once; a block page can be half a megabyte."""
_GIVEN = 2000
"""Rows of the database on their way into the archive at once."""
_NEAR = timedelta(days=2)
"""How far the health of a cycle is from its end."""
_SAFE = re.compile(r"[A-Z]{2} \d{4}-\d\d-\d\d", re.ASCII)
_FIRST, _LAST = "0001-01-01", "9999-12-31"
_LATELY = timedelta(days=2)
"""What controls measured since is not sought in the archive: all present cycles need it."""


class ArchivedStore(SqlStore):
    """Implements `storage.store.CollectorStore`."""

    def __init__(self, backend: Backend, place: Callable[[], Place], **options: Any) -> None:
        """`place` makes the archive's place when the store opens; `options` as in
        `storage.sql.transactions.SqlDatabase`."""
        super().__init__(backend, **options)
        self._make_place = place
        self._archive: _Archive | None = None

    async def open(self) -> None:
        if self._archive is None:
            self._archive = await asyncio.to_thread(lambda: _Archive(self._make_place()))
        await super().open()

    async def close(self) -> None:
        archive, self._archive = self._archive, None
        if archive is not None:
            await asyncio.to_thread(archive.close)
        await super().close()

    def _open(self) -> Session:
        session = super()._open()
        try:
            with self._backend.errors(), session.read.connect() as connection:
                noted = connection.execute(select(schema.archive_use.c.since)).first() is not None
        except BaseException:
            session.close()
            raise
        archive = self._opened_archive()
        archive.noted = noted
        archive.manifests.used |= noted
        return session

    @property
    def used(self) -> bool:
        """Whether rows were ever moved to the archive, as far as is known."""
        return self._opened_archive().manifests.used

    @property
    def place(self) -> Place:
        """Where the archive is."""
        return self._opened_archive().place

    # --- listings ----------------------------------------------------------------------

    def cycles(self, selection: Selection) -> AsyncIterator[Sequence[StoredCycle]]:
        listing = listings.CYCLES
        where, start = matching(listing.time, selection)
        joined = [*where, listings.HEALTH_OF_CYCLE]

        def archived(after: Key | None, until: Key | None) -> AsyncIterator[Sequence[Any]]:
            query = listing.query(None, [*joined, *_up_to(listing, until)], start, after)
            return self._at_once(BY_NAME["vantage_health"], query, _around(selection, after, until))

        found = _interleaved(self._keyed(listing, joined, start), _ending(listing), archived)
        return _values(listing, found)

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        return self._both(listings.MEASUREMENTS, selection, super().measurements(selection))

    def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        return self._both(
            listings.PLATFORMS, selection, super().platforms(selection), _platform_place
        )

    def verdicts(self, selection: Selection) -> AsyncIterator[Sequence[Verdict]]:
        return self._both(listings.VERDICTS, selection, super().verdicts(selection))

    def received_cycles(self, country: str) -> AsyncIterator[Sequence[StoredCycle]]:
        where = [schema.cycle.c.country == country] if country else []
        where.append(listings.HEALTH_OF_CYCLE)
        wanted = Selection(country=country)
        return self._by_arrival(listings.RECEIVED_CYCLES, "vantage_health", where, wanted)

    def received_platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        where, start = matching(schema.platform_verdict.c.judged_at, selection)
        where += [listings.OF_CYCLE, *([] if start is None else [start])]
        return self._by_arrival(listings.RECEIVED_PLATFORMS, "platform_verdict", where, selection)

    def rows(
        self, kind: RowKind, columns: Sequence[str], selection: Selection, rejudging: str = ""
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        stored = super().rows(kind, columns, selection, rejudging)
        listing = LISTINGS.get((kind, False))
        if rejudging or listing is None:
            return stored
        order = [column.name for column in listing.order]
        names = list(dict.fromkeys([*columns, *order]))
        cells = [listing.table.c[name] for name in names]
        place = itemgetter(*map(names.index, order))
        archived = partial(self._by_day, listing, cells, _whole(selection), self._page)
        return _interleaved(stored, place, archived)

    async def received_batches(self, cycles: Sequence[str]) -> list[ReceivedBatch]:
        found = {_batch_key(one): one for one in await super().received_batches(cycles)}
        batch, sought = schema.batch.c, {*cycles}
        for wanted in await self._read(partial(_arrived, cycles=cycles)):
            # The cycles of a batch are in a small column of their own.
            query = select(batch.country, batch.vantage, batch.id, literal_column("cycles"))
            if wanted.country:
                query = query.where(batch.country == wanted.country)
            async for page in self._at_once(BY_NAME["batch"], query, wanted):
                for key in [
                    (row[0], row[1], row[2])
                    for row in page
                    if not sought.isdisjoint((row[3] or "").split())
                ]:
                    if key not in found:
                        async for one in self._batch(key, wanted):
                            found[key] = one
        return sorted(found.values(), key=lambda one: (one.received_at, one.vantage, one.id))

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        found = await super().control_measurements(since, until)
        if since > self._arrivals.stamp() - _LATELY:
            return found
        # A cycle may come later than its day moved, where the size of the database moves days.
        listing, known = listings.MEASUREMENTS, {one.id for one in found}
        query = listing.query(None, *by_controls(since, until))
        wanted = Selection(since=since, until=until)
        async for rows in self._at_once(BY_NAME["measurement"], query, wanted):
            found += [one for one in map(listing.decoded, rows) if one.id not in known]
        return sorted(found, key=lambda one: (one.started_at, one.country, one.id))

    # --- retention ---------------------------------------------------------------------

    async def prune(self, what: Prunable, before: datetime) -> AsyncIterator[int]:
        archived = ARCHIVED.get(what)
        if archived is None:
            async for rows in super().prune(what, before):
                yield rows
            return
        limit = f"{time_text(before)[:10]}T"
        # A lock of its own: two programs must not replace the same manifest.
        with contextlib.ExitStack() as stack:
            if not await asyncio.to_thread(stack.enter_context, self._backend.archiving()):
                raise StorageError(
                    f"another program moves rows of {self._backend.name} to the archive now"
                )
            with _errors():
                await asyncio.to_thread(self._opened_archive().manifests.check)
            await self._note_use()
            days = await self._read(partial(archived.days_before, before=limit))
            # It would be no path; no vantage can have such a country.
            safe = [one for one in days if _SAFE.fullmatch(f"{one[1]} {one[0]}")]
            if safe:
                workplace = await asyncio.to_thread(Workplace)
                try:
                    for day, country in safe:
                        moving = self._move(workplace, archived, country, day)
                        async with contextlib.aclosing(moving):
                            async for rows in moving:
                                yield rows
                finally:
                    await asyncio.to_thread(workplace.close)
        await self._in_writer(partial(self._tidy_partitions, what=what, before=limit))

    async def _note_use(self) -> None:
        """Note in the database that there are rows in the archive: who finds none there knows."""
        archive, table = self._opened_archive(), schema.archive_use
        if archive.noted or not archive.manifests.used:
            return

        def note(connection: Connection) -> None:
            if connection.execute(select(table.c.since)).first() is None:
                since = time_text(self._arrivals.stamp())
                connection.execute(insert(table).values(since=since))

        await self._write(note)
        archive.noted = True

    def _tidy_partitions(self, session: Session, what: Prunable, before: str) -> None:
        with self._backend.errors():
            self._backend.make_partitions_ahead(session.write)
            self._backend.drop_empty_partitions(session.write, what, before)

    async def _move(
        self, workplace: Workplace, archived: Archived, country: str, day: str
    ) -> AsyncGenerator[int, None]:
        """Move one day: delete what was read back from the archive, and nothing else."""
        archive, what = self._opened_archive(), Prunable(archived.name)
        read = partial(
            archived.day_rows, country=country, since=f"{day}T", until=f"{_next_day(day)}T"
        )
        moving = await asyncio.to_thread(Day, workplace, archived, country, day)
        keys = moving.keys()
        try:
            async for page in self._pages(read, limit=_GIVEN):
                await asyncio.to_thread(moving.add, page)
            at = time_text(self._arrivals.stamp())
            with _errors():
                await asyncio.to_thread(moving.store, archive.place, archive.manifests, at)
            archive.manifests.used = True
            await self._note_use()
            # Until no reader goes by an older list of files.
            await asyncio.sleep(archive.place.stale)
            batch = Batch()
            while rest := await asyncio.to_thread(next, keys, None):
                while rest:
                    some, rest = rest[: batch.size], rest[batch.size :]
                    batch.took(await self._in_writer(partial(self._delete, what=what, keys=some)))
                    yield len(some)
        finally:
            await asyncio.to_thread(keys.close)

    async def _read(self, work: Callable[[Connection], R]) -> R:
        archive = self._opened_archive()
        return await super()._read(lambda one: work(cast("Connection", _WithArchive(one, archive))))

    # --- reading -----------------------------------------------------------------------

    def _opened_archive(self) -> "_Archive":
        if self._archive is None:
            raise StorageError(f"database {self._backend.name} is not open")
        return self._archive

    def _both(
        self,
        listing: Listing[Any],
        selection: Selection,
        stored: AsyncIterator[Sequence[Any]],
        place: Callable[[Any], Any] = place_of,
    ) -> AsyncIterator[Sequence[Any]]:
        archived = partial(self._archived_values, listing, selection)
        return _interleaved(stored, place, archived, selection.batch)

    async def _archived_values(
        self, listing: Listing[Any], selection: Selection, after: Key | None, until: Key | None
    ) -> AsyncIterator[Sequence[Any]]:
        cells = [*(listing.table.c[name] for name in listing.codec.names), *listing.order]
        size = selection.batch or self._page
        found: list[Any] = []
        weight = 0
        fetched = min(size, _FETCHED)
        async for rows in self._by_day(listing, cells, selection, fetched, after, until):
            found += [listing.decoded(row) for row in rows]
            weight += sum(map(listing.weigh, found[-len(rows) :]))
            if len(found) >= size or weight > PAGE_WEIGHT:
                yield found
                found, weight = [], 0
        if found:
            yield found

    async def _by_day(
        self,
        listing: Listing[Any],
        cells: Sequence[ColumnElement[Any]],
        selection: Selection,
        size: int,
        after: Key | None,
        until: Key | None,
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """Rows of a table that is listed by its own time, behind one place up to another: some days
        at a time."""
        archive = self._opened_archive()
        where, start = matching(listing.time, selection)
        where += _up_to(listing, until)
        after = after or selection.after or None
        if after and selection.since is not None and after[0] < time_text(selection.since):
            after = None
        files = await archive.files(BY_NAME[listing.table.name], selection, after, until)
        most = selection.batch or None
        for some in _together(files):
            while True:
                query = listing.query(cells, where, start, after, most)
                count = 0
                last: Sequence[Any] = ()
                async for rows in archive.rows(BY_NAME[listing.table.name], some, query, size):
                    count += len(rows)
                    last = rows[-1]
                    yield rows
                if most is None or count < most:
                    break
                after = tuple(last[-len(listing.order) :])

    async def _by_arrival(
        self,
        listing: Listing[V],
        table: str,
        where: Sequence[ColumnElement[bool]],
        selection: Selection,
    ) -> AsyncIterator[Sequence[V]]:
        """Values in the order they were received, which is not that of the files. StorageError when
        a day moved meanwhile: some of its rows may have been missed in both places."""
        archive, archived = self._opened_archive(), BY_NAME[table]
        before = await archive.files(archived, selection)
        moved = self._at_once(archived, listing.query(None, where), selection)
        found = merged(self._keyed(listing, where), moved, _ending(listing))
        async for values in _values(listing, found):
            yield values
        if await archive.files(archived, selection) != before:
            raise StorageError("rows moved to the archive while they were read: try again")

    async def _at_once(
        self, archived: Archived, query: Select[Any], selection: Selection
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """Rows that are not listed by the time of their files."""
        archive = self._opened_archive()
        files = await archive.files(archived, selection)
        if files:
            async for rows in archive.rows(archived, files, query, self._page):
                yield rows

    def _keyed(
        self,
        listing: Listing[Any],
        where: Sequence[ColumnElement[bool]],
        start: ColumnElement[bool] | None = None,
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """Rows of the database that end in their place."""
        width = len(listing.order)

        def read(
            connection: Connection, *, after: Key | None, limit: int
        ) -> tuple[list[tuple[Any, ...]], Key | None]:
            rows = driver_rows(connection, listing.query(None, where, start, after, limit))
            return rows, tuple(rows[-1][-width:]) if len(rows) == limit else None

        return self._pages(read)

    async def _batch(
        self, key: tuple[str, str, str], selection: Selection
    ) -> AsyncIterator[ReceivedBatch]:
        batch = schema.batch.c
        where = [batch.country == key[0], batch.vantage == key[1], batch.id == key[2]]
        query = select(*(batch[name] for name in codecs.BATCH.names)).where(*where)
        wanted = Selection(since=selection.since, until=selection.until, country=key[0])
        async for rows in self._at_once(BY_NAME["batch"], query, wanted):
            for row in rows:
                yield codecs.BATCH.decode(row)


class _Archive:
    """An open archive."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.manifests = Manifests(place)
        self.noted = False
        """Whether the database knows that it is used."""
        self._duckdb = DuckDB()

    def close(self) -> None:
        self._duckdb.close()
        self.place.close()

    async def files(
        self,
        archived: Archived,
        selection: Selection,
        after: Key | None = None,
        until: Key | None = None,
    ) -> list[ArchivedFile]:
        """Files that may have selected rows, by day."""
        return await asyncio.to_thread(self.files_now, archived, selection, after, until)

    def files_now(
        self,
        archived: Archived,
        selection: Selection,
        after: Key | None = None,
        until: Key | None = None,
    ) -> list[ArchivedFile]:
        """The same, in a thread of the caller's."""
        first = _FIRST if selection.since is None else time_text(selection.since)[:10]
        first = max(first, str(after[0])[:10]) if after else first
        last = _LAST if selection.until is None else time_text(selection.until)[:10]
        last = min(last, str(until[0])[:10]) if until else last
        with _errors():
            return self.manifests.files(archived.name, selection.country, first, last)

    def rows_now(
        self,
        archived: Archived,
        files: Sequence[ArchivedFile],
        query: Select[Any],
        given: Sequence[Sequence[Any]],
    ) -> list[tuple[Any, ...]]:
        """All that the query finds in files and in other rows, in a thread of the caller's."""
        with _errors(), self._duckdb.cursor() as cursor:
            paths = [self.place.local(one.name, one.sha256) for one in files]
            make_table(cursor, archived, "TEMP TABLE rows_given")
            add_rows(cursor, archived, "rows_given", given)
            cursor.execute(*with_files(archived, paths, query, "rows_given"))
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    async def rows(
        self, archived: Archived, files: Sequence[ArchivedFile], query: Select[Any], size: int
    ) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        """What the query finds in files, `size` rows at a time."""
        with contextlib.ExitStack() as stack:

            def begin() -> Any:
                paths: list[Path] = [self.place.local(one.name, one.sha256) for one in files]
                cursor = stack.enter_context(self._duckdb.cursor())
                cursor.execute(*with_files(archived, paths, query))
                return cursor

            with _errors(), self._duckdb.errors():
                cursor = await asyncio.to_thread(begin)
                while rows := await asyncio.to_thread(cursor.fetchmany, size):
                    yield rows


class _WithArchive:
    """A connection that counts archived verdicts too, each once."""

    def __init__(self, connection: Connection, archive: _Archive) -> None:
        self._connection = connection
        self._archive = archive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: Any, *more: Any) -> Any:
        """As a connection does. Of verdicts that may be archived, those that the database has are
        given to DuckDB: they are few, since only the ends of a time are counted one by one."""
        wanted: Selection | None = query.get_execution_options().get(VERDICTS_OF)
        if wanted is None:
            return self._connection.execute(query, *more)
        if not self._archive.files_now(_PLATFORMS, wanted):
            found = driver_rows(self._connection, query)
            # Asked again: what was deleted before this answer is in a file by now.
            if not self._archive.files_now(_PLATFORMS, wanted):
                return _Found(found)
        verdict = schema.platform_verdict
        where, start = matching(verdict.c.judged_at, wanted)
        stored = _PLATFORMS.stored().where(*where, *([] if start is None else [start]))
        given = driver_rows(self._connection, stored)
        files = self._archive.files_now(_PLATFORMS, wanted)
        return _Found(self._archive.rows_now(_PLATFORMS, files, query, given))


class _Found:
    """Rows, as the result of a connection gives them."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.cursor = self

    def __enter__(self) -> "_Found":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All of them."""
        return self._rows


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except PlaceError as error:
        raise StorageError(str(error)) from error


async def _values(
    listing: Listing[V], found: AsyncIterator[Sequence[Any]]
) -> AsyncIterator[Sequence[V]]:
    async for rows in found:
        yield [listing.decoded(row) for row in rows]


def _ending(listing: Listing[Any]) -> Callable[[Sequence[Any]], Key]:
    """The place in which rows of a listing end."""
    return lambda row: tuple(row[-len(listing.order) :])


def _up_to(listing: Listing[Any], place: Key | None) -> list[ColumnElement[bool]]:
    return [] if place is None else [tuple_(*listing.order) <= tuple_(*place)]


async def _interleaved(
    stored: AsyncIterator[Sequence[T]],
    place: Callable[[T], Key],
    archived: Callable[[Key | None, Key | None], AsyncIterator[Sequence[T]]],
    size: int = 0,
) -> AsyncIterator[Sequence[T]]:
    """Both listings as one. `archived` lists what is behind one place, up to another.

    Which files there are is asked after each page of the database was read: a row that was deleted
    before is in a file that was named before. So a row that moves meanwhile is never missed.
    """
    after: Key | None = None
    async for page in stored:
        until = place(page[-1])
        async for some in merged(_alone(page), archived(after, until), place, size):
            yield some
        after = until
    async for some in archived(after, None):
        yield some


async def _alone(page: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    yield page


def _together(files: Sequence[ArchivedFile]) -> Iterator[list[ArchivedFile]]:
    """Files of whole days, in order, as many as one query sorts well."""
    some: list[ArchivedFile] = []
    for one in files:
        full = sum(each.rows for each in some) + one.rows > _AT_ONCE
        if some and full and one.day != some[-1].day:
            yield some
            some = []
        some.append(one)
    if some:
        yield some


def _whole(selection: Selection) -> Selection:
    return msgspec.structs.replace(selection, after=(), batch=0)


def _around(selection: Selection, after: Key | None, until: Key | None) -> Selection:
    """The days in which the health of these cycles may be."""
    since = selection.since if after is None else text_time(after[0])
    end = selection.until if until is None else text_time(until[0])
    return Selection(
        since=since and since - _NEAR, until=end and end + _NEAR, country=selection.country
    )


def _arrived(connection: Connection, cycles: Sequence[str]) -> list[Selection]:
    """When and in which countries the batches of these cycles came: after a cycle ended and before
    it was judged. Anywhere, when a cycle is not known."""
    cycle, found, known = schema.cycle.c, [], 0
    countries = select(schema.latest_health.c.country).distinct()
    query = (
        select(
            cycle.country, func.min(cycle.finished_at), func.max(cycle.received_at), func.count()
        )
        .where(cycle.country.in_(countries), cycle.id.in_(cycles))
        .group_by(cycle.country)
    )
    for country, first, last, count in driver_rows(connection, query):
        since, until = text_time(first) - _NEAR, text_time(last) + _NEAR
        found.append(Selection(country=country, since=since, until=until))
        known += count
    return found if known >= len({*cycles}) else [Selection()]


def _platform_place(one: PlatformVerdict) -> tuple[str, ...]:
    return (time_text(one.judged_at), one.country, one.cycle, one.vantage, one.platform)


def _batch_key(one: ReceivedBatch) -> tuple[str, str, str]:
    return one.country, one.vantage, one.id


def _next_day(day: str) -> str:
    return str(datetime.fromisoformat(day).date() + timedelta(days=1))
