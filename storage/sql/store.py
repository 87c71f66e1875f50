"""The store in an SQL database: SQLite, or PostgreSQL, which several processes may share."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from monitor.analysis.coverage import Tally
from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.sql import listing as listings
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.cycle_rows import Writer
from storage.sql.fleet_store import SqlFleet
from storage.sql.listing import Listing, matching, overlapping
from storage.sql.listing_cells import cells
from storage.sql.listing_rollup import availability_page, availability_rows
from storage.sql.log_store import SqlLog
from storage.sql.rejudging_store import SqlRejudgings
from storage.sql.retention import SqlRetention
from storage.sql.review_store import SqlReviews
from storage.sql.source_store import SqlSources
from storage.sql.statements import upsert
from storage.sql.stored_names import stored_names
from storage.sql.tallies import tallies
from storage.sql.transactions import PageReader, Session
from storage.sql.withheld_store import SqlWithheld
from storage.values import codecs
from storage.values.checkpoint import Checkpoint
from storage.values.cycle import Cycle, StoredCycle
from storage.values.database_size import DatabaseSize
from storage.values.history_cell import HistoryCell
from storage.values.names import Names
from storage.values.outbox import Notice, NoticeState
from storage.values.rollup import Availability
from storage.values.row_kind import RowKind
from storage.values.selection import Selection
from storage.values.storable_text import storable
from storage.values.times import text_time, time_text
from storage.values.verified_before import VerifiedBefore

_ROWS = 2
"""Rows in a batch of `rows`, for each value in a batch of a listing: rows are lighter."""

_Saved = tuple[
    Cycle | None,
    tuple[Event, ...],
    tuple[EventLogEntry, ...],
    tuple[Checkpoint, ...],
    tuple[Notice, ...],
]
LISTINGS: dict[tuple[RowKind, bool], Listing[Any]] = {
    (RowKind.MEASUREMENTS, False): listings.MEASUREMENTS,
    (RowKind.VERDICTS, False): listings.VERDICTS,
    (RowKind.VERDICTS, True): listings.REJUDGED_VERDICTS,
}
"""By kind, and whether a recomputation is asked for."""


class SqlStore(SqlFleet, SqlReviews, SqlRejudgings, SqlLog, SqlSources, SqlWithheld, SqlRetention):
    """Implements `storage.store.CollectorStore`."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        """`options` as in `storage.sql.transactions.SqlDatabase`."""
        super().__init__(backend, **options)
        self._writer = Writer(backend)
        self._target_key = b""
        self._verified = upsert(schema.verified_before, backend, codecs.VERIFIED_BEFORE.names)
        self._earlier = upsert(schema.earlier_conclusion, backend, codecs.CHECKPOINT.names)

    # --- cycles, events and notices ----------------------------------------------------

    async def save(
        self,
        cycle: Cycle | None,
        events: Sequence[Event] = (),
        log: Sequence[EventLogEntry] = (),
        checkpoints: Sequence[Checkpoint] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        given = (cycle, tuple(events), tuple(log), tuple(checkpoints), tuple(notices))

        def save(session: Session) -> None:
            received = self._arrivals.stamp()

            def transact(saved: _Saved) -> None:
                self._transaction(
                    session,
                    lambda connection: self._writer.write(connection, received, *saved),
                    leader_only=True,
                )

            try:
                transact(given)
            except UnicodeEncodeError:
                transact(storable(given, _Saved))

        await self._in_writer(save)

    async def outbox(self, state: NoticeState | None = None, event: str = "") -> list[Notice]:
        columns = schema.outbox.c
        where = [columns.state == state.value] if state is not None else []
        where += [columns.event == event] if event else []
        return await self._all(listings.OUTBOX, where)

    async def update_notices(self, notices: Sequence[Notice]) -> None:
        valid = storable(tuple(notices), tuple[Notice, ...])
        await self._write(
            lambda connection: self._writer.update_notices(connection, valid), leader_only=True
        )

    def _open(self) -> Session:
        session = super()._open()
        try:
            with self._backend.errors(), session.read.connect() as connection:
                self._target_key = _target_key(connection)
        except BaseException:
            session.close()
            raise
        return session

    @property
    def target_key(self) -> bytes:
        return self._target_key

    async def keep_target_key(self, key: bytes, renamed: Mapping[tuple[str, str], str]) -> None:
        columns = schema.outbox.c

        def write(connection: Connection) -> bytes:
            if stored := _target_key(connection):
                return stored
            connection.execute(insert(schema.target_key).values(key=key.hex()))
            for (route, target), name in renamed.items():
                same = (columns.route == route, columns.target == target)
                connection.execute(update(schema.outbox).where(*same).values(target=name))
            return key

        self._target_key = await self._write(write, leader_only=True)

    async def keep_verified(self, known: VerifiedBefore) -> None:
        row = codecs.VERIFIED_BEFORE.encode(storable(known, VerifiedBefore))
        await self._write(lambda connection: self._verified.run(connection, [row]))

    async def verified_before(self) -> list[VerifiedBefore]:
        return await self._all(listings.VERIFIED_BEFORE)

    async def latest_platforms(self) -> list[PlatformVerdict]:
        return await self._all(listings.LATEST_PLATFORMS)

    async def latest_health(self) -> list[VantageHealth]:
        return await self._all(listings.LATEST_HEALTH)

    async def latest_verdicts(self) -> list[Verdict]:
        return await self._all(listings.LATEST_VERDICTS)

    async def recent_platforms(
        self, since: datetime, country: str = "", platform: str = ""
    ) -> list[PlatformVerdict]:
        selection = Selection(country=country, platform=platform, since=since)
        where, start = matching(schema.platform_verdict.c.judged_at, selection)
        return await self._all(listings.PLATFORMS, where, start)

    async def recent_health(self, since: datetime) -> list[VantageHealth]:
        return await self._all(listings.HEALTH, [schema.vantage_health.c.at >= time_text(since)])

    async def checkpoints(self) -> list[Checkpoint]:
        return await self._all(listings.CHECKPOINTS)

    async def keep_checkpoints(self, checkpoints: Sequence[Checkpoint], since: datetime) -> None:
        table = schema.earlier_conclusion
        valid = storable(tuple(checkpoints), tuple[Checkpoint, ...])
        keys = [(one.country, one.platform) for one in valid]
        old = delete(table).where(
            tuple_(table.c.country, table.c.platform).in_(keys), table.c.until < time_text(since)
        )

        def keep(connection: Connection) -> None:
            connection.execute(old)
            self._earlier.run(connection, map(codecs.CHECKPOINT.encode, valid))

        await self._write(keep, leader_only=True)

    async def earlier_checkpoint(
        self, country: str, platform: str, kind: str, before: datetime
    ) -> Checkpoint | None:
        kept = schema.earlier_conclusion.c
        where = [kept.country == country, kept.platform == platform, kept.kind == kind]
        found = await self._all(
            listings.EARLIER_CHECKPOINTS, [*where, kept.until < time_text(before)]
        )
        return found[-1] if found else None

    async def drop_checkpoints(self, country: str, platform: str, since: datetime) -> None:
        table = schema.earlier_conclusion
        of_timeline = (table.c.country == country, table.c.platform == platform)
        late = delete(table).where(*of_timeline, table.c.until >= time_text(since))
        await self._write(lambda connection: connection.execute(late), leader_only=True)

    async def active_events(self) -> list[Event]:
        return await self._all(listings.EVENTS, [listings.ACTIVE])

    # --- listings ----------------------------------------------------------------------

    def cycles(self, selection: Selection) -> AsyncIterator[Sequence[StoredCycle]]:
        return self._selected(listings.CYCLES, selection, listings.HEALTH_OF_CYCLE)

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        return self._selected(listings.MEASUREMENTS, selection)

    def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        return self._selected(listings.PLATFORMS, selection)

    def verdicts(self, selection: Selection) -> AsyncIterator[Sequence[Verdict]]:
        return self._selected(listings.VERDICTS, selection)

    def received_cycles(self, country: str) -> AsyncIterator[Sequence[StoredCycle]]:
        where = [schema.cycle.c.country == country] if country else []
        return self._pages(listings.RECEIVED_CYCLES.reader([*where, listings.HEALTH_OF_CYCLE]))

    def received_platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        where, start = matching(schema.platform_verdict.c.judged_at, selection)
        where += [listings.OF_CYCLE, *([] if start is None else [start])]
        return self._pages(listings.RECEIVED_PLATFORMS.reader(where))

    def events(self, selection: Selection) -> AsyncIterator[Sequence[Event]]:
        # Not by `since`: an event that was detected before it may go on after it.
        after = self._backend.place(selection.after) or None
        read = listings.EVENTS.reader(overlapping(selection))
        return self._pages(read, after, selection.batch)

    def availability(self, selection: Selection) -> AsyncIterator[Sequence[Availability]]:
        after = self._backend.place(selection.after) or None
        return self._pages(partial(availability_page, selection=selection), after, selection.batch)

    async def cells(self, selection: Selection, length: timedelta) -> list[HistoryCell]:
        return await self._read(partial(cells, selection=selection, length=length))

    async def tallies(self, selection: Selection) -> list[Tally]:
        return await self._read(partial(tallies, selection=selection))

    def rows(
        self, kind: RowKind, columns: Sequence[str], selection: Selection, rejudging: str = ""
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        read: PageReader[Sequence[Any]]
        if listing := LISTINGS.get((kind, bool(rejudging))):
            where, start = matching(listing.time, selection)
            if rejudging:
                where.append(listing.table.c.rejudging == rejudging)
            read = partial(listing.rows, columns=columns, where=where, start=start)
        elif rejudging:
            raise ValueError(f"{kind} is never recomputed")
        else:
            read = partial(availability_rows, columns=columns, selection=selection)
        return self._pages(read, limit=_ROWS * self._page)

    def event_log(self, event_id: str) -> AsyncIterator[Sequence[EventLogEntry]]:
        return self._pages(listings.EVENT_LOG.reader([schema.event_log.c.event == event_id]))

    async def last_log_lines(self, events: Collection[str]) -> list[EventLogEntry]:
        c = schema.event_log.c
        last = select(c.event, func.max(c.sequence)).where(c.event.in_([*events])).group_by(c.event)
        return await self._all(listings.EVENT_LOGS, [tuple_(c.event, c.sequence).in_(last)])

    async def names(self) -> Names:
        return await self._read(stored_names)

    async def size(self) -> DatabaseSize:
        return await self._read(self._backend.size)

    async def oldest_measurement(self) -> datetime | None:
        query = select(func.min(schema.measurement.c.started_at))
        oldest = await self._read(lambda connection: connection.execute(query).scalar())
        return None if oldest is None else text_time(oldest)


def _target_key(connection: Connection) -> bytes:
    """The stored one; empty where there is none."""
    stored = connection.execute(select(schema.target_key.c.key)).scalar()
    return bytes.fromhex(stored or "")
