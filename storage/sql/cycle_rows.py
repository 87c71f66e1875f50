"""How a cycle is written: which rows, in which tables, and what may replace what.

Rows are only added to history. A cycle that is stored already adds nothing. A measurement of two
cycles (one control measurement can serve several vantages) is stored once.

`latest_…` rows are replaced by those of a cycle that *started* later. One exception: if the stored
row is of a cycle that started after the incoming one was received, its clock was ahead, and it is
replaced as well.

An event is replaced by a form of it updated later. With a new cycle an equal time is enough, since
one judgement may change an event more than once.

`storage.sql.store.SqlStore.save` holds the transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, tuple_

from monitor.analysis.events.event import Event, EventLogEntry
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.rows import MEASUREMENT, measurement_row
from storage.sql.statements import insert_new, upsert
from storage.sql.writing_rollup import RollupWriter
from storage.values import codecs
from storage.values.checkpoint import Checkpoint
from storage.values.cycle import Cycle
from storage.values.outbox import Notice
from storage.values.times import time_text

_LATEST = ("cycle_started_at", "received_at")
_CYCLE = (
    *("country", "id", "vantage", "started_at", "finished_at", "received_at"),
    *("measurement_count", "verdict_count", "platform_count", "hurried"),
)


def _newer_cycle(incoming: Any, stored: Any) -> Any:
    return or_(
        tuple_(incoming.cycle_started_at, incoming.cycle)
        > tuple_(stored.cycle_started_at, stored.cycle),
        stored.cycle_started_at > incoming.received_at,
    )


class Writer:
    """The statements that store cycles, compiled for one database."""

    def __init__(self, backend: Backend) -> None:
        verdict, platform = codecs.VERDICT.names, codecs.PLATFORM.names
        health = (*codecs.HEALTH.names, "cycle")
        event, log = codecs.EVENT.names, (*codecs.EVENT_LOG.names, "country")
        self._rollup = RollupWriter(backend)
        self._cycle = insert_new(schema.cycle, backend, _CYCLE)
        self._measurement = insert_new(schema.measurement, backend, MEASUREMENT)
        self._verdict = insert_new(schema.verdict, backend, verdict)
        self._platform = insert_new(schema.platform_verdict, backend, platform)
        self._health = insert_new(schema.vantage_health, backend, health)
        self._latest_verdict = upsert(
            schema.latest_verdict, backend, (*verdict, *_LATEST), _newer_cycle
        )
        self._latest_platform = upsert(
            schema.latest_platform, backend, (*platform, *_LATEST), _newer_cycle
        )
        self._latest_health = upsert(
            schema.latest_health, backend, (*health, *_LATEST), _newer_cycle
        )
        self._event = upsert(
            schema.event_table,
            backend,
            event,
            lambda incoming, stored: incoming.updated_at >= stored.updated_at,
        )
        self._event_of_known_cycle = upsert(
            schema.event_table,
            backend,
            event,
            lambda incoming, stored: incoming.updated_at > stored.updated_at,
        )
        self._judged = delete(schema.inbox).where(
            schema.inbox.c.country == bindparam("of_country"),
            schema.inbox.c.id == bindparam("of_id"),
        )
        self._log = insert_new(schema.event_log, backend, log)
        self._conclusion = upsert(schema.conclusion, backend, codecs.CHECKPOINT.names)
        self._new_notice = insert_new(schema.outbox, backend, codecs.NOTICE.names)
        self._notice = upsert(schema.outbox, backend, codecs.NOTICE.names)

    def write(
        self,
        connection: Connection,
        received_at: datetime,
        cycle: Cycle | None,
        events: Sequence[Event],
        log: Sequence[EventLogEntry],
        checkpoints: Sequence[Checkpoint],
        notices: Sequence[Notice],
    ) -> None:
        """Write everything; the caller holds the transaction."""
        new = cycle is None or self._write_new(connection, cycle, time_text(received_at))
        # The last snapshot in the log stands for an event that is not given.
        current = {entry.event: entry.snapshot for entry in sorted(log, key=lambda e: e.sequence)}
        current |= {event.id: event for event in events}
        statement = self._event if new else self._event_of_known_cycle
        statement.run(connection, map(codecs.EVENT.encode, current.values()))
        self._log.run(
            connection,
            ((*codecs.EVENT_LOG.encode(entry), entry.snapshot.country) for entry in log),
        )
        self._conclusion.run(connection, map(codecs.CHECKPOINT.encode, checkpoints))
        self._new_notice.run(connection, map(codecs.NOTICE.encode, notices))

    def _write_new(self, connection: Connection, cycle: Cycle, received: str) -> bool:
        """Write a cycle unless it is there; whether it is new."""
        new = self._cycle.run(connection, [_cycle_row(cycle, received)]) > 0
        if new:
            self._write_cycle(connection, cycle, received)
        # Also a known cycle: it may have been received again while it was judged.
        connection.execute(self._judged, {"of_country": cycle.country, "of_id": cycle.id})
        return new

    def update_notices(self, connection: Connection, notices: Sequence[Notice]) -> None:
        """Replace the stored forms of these; the caller holds the transaction."""
        self._notice.run(connection, map(codecs.NOTICE.encode, notices))

    def _write_cycle(self, connection: Connection, cycle: Cycle, received: str) -> None:
        latest = (time_text(cycle.started_at), received)
        verdicts = [codecs.VERDICT.encode(verdict) for verdict in cycle.verdicts]
        platforms = [codecs.PLATFORM.encode(platform) for platform in cycle.platforms]
        health = [*codecs.HEALTH.encode(cycle.health), cycle.id]
        self._measurement.run(
            connection, (measurement_row(one, received) for one in cycle.measurements)
        )
        self._verdict.run(connection, verdicts)
        self._platform.run(connection, platforms)
        self._health.run(connection, [health])
        self._latest_verdict.run(connection, ((*row, *latest) for row in verdicts))
        self._latest_platform.run(connection, ((*row, *latest) for row in platforms))
        self._latest_health.run(connection, [(*health, *latest)])
        if not cycle.hurried:
            self._rollup.write(connection, cycle.platforms)


def _cycle_row(cycle: Cycle, received: str) -> tuple[Any, ...]:
    return (
        cycle.country,
        cycle.id,
        cycle.vantage,
        time_text(cycle.started_at),
        time_text(cycle.finished_at),
        received,
        len(cycle.measurements),
        len(cycle.verdicts),
        len(cycle.platforms),
        cycle.hurried,
    )
