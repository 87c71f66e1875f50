"""The part of an SQL store that keeps recomputations, in tables of their own."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Connection

from monitor.analysis.events.event import Event
from monitor.analysis.verdict import PlatformVerdict, Verdict
from storage.sql import listing as listings
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.listing import overlapping
from storage.sql.statements import insert_new, upsert
from storage.sql.transactions import SqlDatabase
from storage.values import codecs
from storage.values.rejudging import Rejudging
from storage.values.selection import Selection


class SqlRejudgings(SqlDatabase):
    """Recomputations."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._rejudging = upsert(schema.rejudging, backend, codecs.REJUDGING.names)
        self._rejudged = [
            (codec, insert_new(table, backend, ("rejudging", *codec.names)))
            for codec, table in (
                (codecs.VERDICT, schema.rejudged_verdict),
                (codecs.PLATFORM, schema.rejudged_platform),
                (codecs.EVENT, schema.rejudged_event),
            )
        ]

    async def save_rejudged(
        self,
        rejudging: Rejudging,
        verdicts: Sequence[Verdict] = (),
        platforms: Sequence[PlatformVerdict] = (),
        events: Sequence[Event] = (),
    ) -> None:
        # What was stored once is valid text, and recomputing adds none.
        parts: tuple[tuple[Any, ...], ...] = (tuple(verdicts), tuple(platforms), tuple(events))

        def write(connection: Connection) -> None:
            self._rejudging.run(connection, [codecs.REJUDGING.encode(rejudging)])
            for (codec, statement), values in zip(self._rejudged, parts, strict=True):
                rows = ((rejudging.id, *codec.encode(value)) for value in values)
                statement.run(connection, rows)

        await self._write(write)

    async def rejudgings(self) -> list[Rejudging]:
        return await self._all(listings.REJUDGINGS)

    def rejudged_verdicts(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Verdict]]:
        of_it = schema.rejudged_verdict.c.rejudging == rejudging
        return self._selected(listings.REJUDGED_VERDICTS, selection, of_it)

    def rejudged_platforms(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[PlatformVerdict]]:
        of_it = schema.rejudged_platform.c.rejudging == rejudging
        return self._selected(listings.REJUDGED_PLATFORMS, selection, of_it)

    def rejudged_events(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Event]]:
        table = schema.rejudged_event
        where = [*overlapping(selection, table), table.c.rejudging == rejudging]
        return self._pages(listings.REJUDGED_EVENTS.reader(where))
