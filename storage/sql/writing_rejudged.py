"""How a recomputation is written: into tables of its own, first results stay as they are."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, true

from monitor.analysis.events.event import Event
from monitor.analysis.verdict import PlatformVerdict, Verdict
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.statements import insert_new, upsert
from storage.values import codecs
from storage.values.rejudging import Rejudging


class RejudgedWriter:
    """The statements that store recomputations, compiled for one database."""

    def __init__(self, backend: Backend) -> None:
        whose = ("rejudging",)
        self._rejudging = upsert(
            schema.rejudging, backend, codecs.REJUDGING.names, lambda *_: true()
        )
        self._verdict = insert_new(
            schema.rejudged_verdict, backend, (*whose, *codecs.VERDICT.names)
        )
        self._platform = insert_new(
            schema.rejudged_platform, backend, (*whose, *codecs.PLATFORM.names)
        )
        self._event = insert_new(schema.rejudged_event, backend, (*whose, *codecs.EVENT.names))

    def write(
        self,
        connection: Connection,
        rejudging: Rejudging,
        verdicts: Sequence[Verdict],
        platforms: Sequence[PlatformVerdict],
        events: Sequence[Event],
    ) -> None:
        """Write everything; the caller holds the transaction."""
        self._rejudging.run(connection, [codecs.REJUDGING.encode(rejudging)])
        of = rejudging.id
        self._verdict.run(connection, _rows(of, map(codecs.VERDICT.encode, verdicts)))
        self._platform.run(connection, _rows(of, map(codecs.PLATFORM.encode, platforms)))
        self._event.run(connection, _rows(of, map(codecs.EVENT.encode, events)))


def _rows(rejudging: str, rows: Iterable[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    return ((rejudging, *row) for row in rows)
