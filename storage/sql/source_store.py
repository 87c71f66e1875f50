"""The part of an SQL store that keeps what others measured, in tables of its own."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.listing import Listing
from storage.sql.statements import insert_new, upsert
from storage.sql.transactions import SqlDatabase
from storage.values import codecs
from storage.values.sourced import (
    SourcedCount,
    SourcedEvent,
    SourcedRow,
    SourceState,
    StoredSource,
)
from storage.values.storable_text import storable
from storage.values.times import text_time, time_text

ROWS = Listing(schema.sourced_row, codecs.SOURCED_ROW, "measured_at", "country", "source", "uid")
EVENTS = Listing(schema.sourced_event, codecs.SOURCED_EVENT, "first_seen_at", "country", "id")
STATES = Listing(schema.source_state, codecs.SOURCE_STATE, "source")
_SURE = 0.5


class SqlSources(SqlDatabase):
    """Rows, events and states of sources."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._new_rows = insert_new(schema.sourced_row, backend, codecs.SOURCED_ROW.names)
        self._rows = upsert(schema.sourced_row, backend, codecs.SOURCED_ROW.names)
        self._events = upsert(schema.sourced_event, backend, codecs.SOURCED_EVENT.names)
        self._states = upsert(schema.source_state, backend, codecs.SOURCE_STATE.names)

    async def add_sourced(self, rows: Sequence[SourcedRow], source: str, state: SourceState) -> int:
        valid = storable(tuple(rows), tuple[SourcedRow, ...])
        kept = codecs.SOURCE_STATE.encode(StoredSource(source=source, state=state))

        def add(connection: Connection) -> int:
            new = self._new_rows.run(connection, map(codecs.SOURCED_ROW.encode, valid))
            self._states.run(connection, [kept])
            return new

        return await self._write(add, leader_only=True)

    async def replace_sourced(
        self, rows: Sequence[SourcedRow], source: str, state: SourceState
    ) -> None:
        valid = storable(tuple(rows), tuple[SourcedRow, ...])
        kept = codecs.SOURCE_STATE.encode(StoredSource(source=source, state=state))

        def replace(connection: Connection) -> None:
            self._rows.run(connection, map(codecs.SOURCED_ROW.encode, valid))
            self._states.run(connection, [kept])

        await self._write(replace, leader_only=True)

    async def save_sourced_events(self, events: Sequence[SourcedEvent]) -> None:
        valid = storable(tuple(events), tuple[SourcedEvent, ...])
        await self._write(
            lambda connection: self._events.run(
                connection, map(codecs.SOURCED_EVENT.encode, valid)
            ),
            leader_only=True,
        )

    async def source_states(self) -> dict[str, SourceState]:
        return {one.source: one.state for one in await self._all(STATES)}

    def sourced_rows(self, source: str, since: datetime) -> AsyncIterator[Sequence[SourcedRow]]:
        columns = schema.sourced_row.c
        return self._pages(
            ROWS.reader([columns.source == source], columns.measured_at >= time_text(since))
        )

    async def sourced_events(
        self, source: str = "", *, since: datetime | None = None
    ) -> list[SourcedEvent]:
        columns = schema.sourced_event.c
        where = [columns.source == source] if source else []
        found = await self._all(EVENTS, where)
        return [
            one for one in found if since is None or one.active or one.event.updated_at >= since
        ]

    async def sourced_counts(
        self, country: str, platform: str, spans: Sequence[tuple[datetime, datetime]]
    ) -> list[SourcedCount]:
        if not spans:
            return []
        row = schema.sourced_row.c
        texts = [(time_text(since), time_text(until)) for since, until in spans]
        at = row.measured_at
        keys = (row.source, row.platform, row.asn)
        query = (
            select(
                *keys,
                func.count(),
                func.sum(case((row.failed > _SURE, 1), else_=0)),
                func.max(row.measured_at),
            )
            .where(
                row.country == country,
                # All of them together keep to the index, however many there are.
                at >= min(since for since, _ in texts),
                at < max(until for _, until in texts),
                or_(*(and_(at >= since, at < until) for since, until in texts)),
                row.left_out == "",
                *([row.platform == platform] if platform else []),
            )
            .group_by(*keys)
            .order_by(*keys)
        )

        def read(connection: Connection) -> list[SourcedCount]:
            return [
                SourcedCount(
                    source=source,
                    platform=name,
                    asn=asn,
                    total=total,
                    failed=int(failed),
                    newest_at=text_time(newest),
                )
                for source, name, asn, total, failed, newest in connection.execute(query)
            ]

        return await self._read(read)
