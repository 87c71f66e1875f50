"""How old rows are deleted: a few at a time, so that no writer waits for long.

A reader finds the rows, which blocks no writer. They are deleted by their keys in transactions of
some 25 ms each. SQLite uses the space for new rows; the file does not shrink.

Never deleted are events, their log, reviews and annotations, what was judged last, daily counts,
enrolments, quarantines and cycles that wait to be judged. The newest look at an endpoint grows old
like all others: agents choose the endpoints, so these rows would become more for ever. Cycles are
kept as long as the hourly counts: they show that a cycle which arrives again was counted already.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Table, and_, bindparam, delete, select

from storage.sql import schema
from storage.sql.transactions import Session, SqlDatabase
from storage.store import StorageError
from storage.values.prunable import Prunable
from storage.values.times import time_text

TIMES = {
    Prunable.VERDICT: schema.verdict.c.judged_at,
    Prunable.PLATFORM_VERDICT: schema.platform_verdict.c.judged_at,
    Prunable.MEASUREMENT: schema.measurement.c.started_at,
    Prunable.VANTAGE_HEALTH: schema.vantage_health.c.at,
    Prunable.BATCH: schema.batch.c.received_at,
    Prunable.LATEST_LOOK: schema.latest_look.c.started_at,
    Prunable.REJUDGING: schema.rejudging.c.at,
    Prunable.CYCLE: schema.cycle.c.finished_at,
    Prunable.AVAILABILITY_HOUR: schema.availability_hour.c.starts_at,
    Prunable.LOOK_HOUR: schema.look_hour.c.starts_at,
    Prunable.SOURCED_ROW: schema.sourced_row.c.measured_at,
}
"""The time that makes a row old."""
PARTS = {
    Prunable.REJUDGED_VERDICT: schema.rejudged_verdict.c.rejudging,
    Prunable.REJUDGED_PLATFORM: schema.rejudged_platform.c.rejudging,
    Prunable.REJUDGED_EVENT: schema.rejudged_event.c.rejudging,
}
"""Parts of recomputations. They are as old as the recomputation, whatever time they cover."""

SOUGHT = 5000
"""Keys of old rows found in one query."""
_FEWEST, _MOST = 10, 2000
"""Rows in one transaction."""
_SECONDS = 0.025
"""Seconds one transaction should take."""
_DROPS = 60
"""Times to try to drop a partition that other programs use, about a second apart."""


class Batch(msgspec.Struct):
    """How many rows go into the next transaction, adapted to the time the last one took."""

    size: int = 200

    def took(self, seconds: float) -> None:
        """Adapt to a transaction that took so long."""
        if seconds > 2 * _SECONDS:
            self.size = max(_FEWEST, self.size // 2)
        elif seconds < _SECONDS / 2:
            self.size = min(_MOST, self.size * 3 // 2)


def _table(what: Prunable) -> Table:
    return schema.metadata.tables[what]


def _key(what: Prunable) -> list[Column[Any]]:
    """What names a row as it is. A newer look may be in its row by the time it is deleted."""
    key = list(_table(what).primary_key.columns)
    return [*key, TIMES[what]] if what is Prunable.LATEST_LOOK else key


def old_keys(connection: Connection, what: Prunable, before: str) -> list[tuple[Any, ...]]:
    """Keys of rows older than `before` (as `time_text` gives it), at most SOUGHT."""
    if what in PARTS:
        recomputed = select(schema.rejudging.c.id).where(schema.rejudging.c.at < before)
        where: ColumnElement[bool] = PARTS[what].in_(recomputed)
    else:
        where = TIMES[what] < before
    if what is Prunable.VANTAGE_HEALTH:
        # The rows of one country are indexed by time, those of all together are not.
        countries = select(schema.latest_health.c.country).distinct()
        where = and_(where, schema.vantage_health.c.country.in_(countries))
    query = select(*_key(what)).where(where).limit(SOUGHT)
    return [tuple(row) for row in connection.execute(query)]


def delete_rows(connection: Connection, what: Prunable, keys: Sequence[tuple[Any, ...]]) -> None:
    """Delete the rows of these keys; the caller holds the transaction."""
    columns = _key(what)
    statement = delete(_table(what)).where(
        *(column == bindparam(f"of_{column.name}") for column in columns)
    )
    names = [f"of_{column.name}" for column in columns]
    connection.execute(statement, [dict(zip(names, key, strict=True)) for key in keys])


class SqlRetention(SqlDatabase):
    """The part of a store that deletes old rows."""

    async def prune(self, what: Prunable, before: datetime) -> AsyncIterator[int]:
        limit = time_text(before)
        async for rows in self._drop_partitions(what, limit):
            yield rows
        batch = Batch()
        while True:
            keys = await self._read(lambda connection: old_keys(connection, what, limit))
            rest = keys
            while rest:
                some, rest = rest[: batch.size], rest[batch.size :]
                batch.took(await self._in_writer(partial(self._delete, what=what, keys=some)))
                yield len(some)
            if len(keys) < SOUGHT:
                return

    def _delete(self, session: Session, what: Prunable, keys: Sequence[tuple[Any, ...]]) -> float:
        """Returns the seconds it took."""
        begun = time.monotonic()
        self._transaction(session, lambda connection: delete_rows(connection, what, keys))
        return time.monotonic() - begun

    async def _drop_partitions(self, what: Prunable, before: str) -> AsyncIterator[int]:
        backend = self._backend

        def make_ahead(session: Session) -> None:
            with backend.errors():
                backend.make_partitions_ahead(session.write)

        def drop(session: Session, partition: str) -> bool:
            with backend.errors():
                return backend.drop_partition(session.write, what, partition)

        await self._in_writer(make_ahead)
        tries = 0
        while True:
            old = await self._in_reader(
                lambda session: backend.old_partition(session.read, what, before)
            )
            if old is None:
                return
            partition, rows = old
            if await self._in_writer(partial(drop, partition=partition)):
                tries = 0
                if rows:
                    yield rows
                continue
            tries += 1
            if tries == _DROPS:
                raise StorageError(
                    f"database {backend.name} could not drop the old rows of {what}: another "
                    "program reads them all the time; shutwatch tries again next time"
                )
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 # no secret
