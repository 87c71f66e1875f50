"""How what agents send is written, by any number of collectors at the same time.

All writers take rows in the same order, table by table and key by key, so that no two wait for each
other. The batch comes first: another collector that receives the same batch at the same moment
waits for its row.

A cycle is stored whole, once. One that waits or was judged already gets no further measurements:
otherwise anyone who knows its id could add to the evidence.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, tuple_

from storage.sql import received, schema
from storage.sql.backend import Backend
from storage.sql.log_store import LogWaiting
from storage.sql.received import ArrivalRows, CycleRows, MeasurementRows
from storage.sql.rows import MEASUREMENT
from storage.sql.statements import Statement, add_to, insert_new, upsert
from storage.store import StorageError
from storage.values.fleet import Reception

Key = tuple[str, ...]
"""Cells of a primary key."""
_AT_ONCE = 500
"""Keys in one query."""


def _newer_measurement(incoming: Any, stored: Any) -> Any:
    return or_(
        tuple_(incoming.started_at, incoming.measurement)
        > tuple_(stored.started_at, stored.measurement),
        # From a clock that was ahead, as in `storage.sql.cycle_rows`.
        stored.started_at > incoming.received_at,
    )


class ReceivedWriter:
    """The statements that store what comes from agents, compiled for one database."""

    def __init__(self, backend: Backend) -> None:
        self._logged = LogWaiting(backend)
        self._batch = insert_new(schema.batch, backend, received.BATCH)
        self._link = insert_new(schema.batch_cycle, backend, received.BATCH_CYCLE)
        self._inbox = insert_new(schema.inbox, backend, received.INBOX)
        self._measurement = insert_new(schema.measurement, backend, MEASUREMENT)
        self._latest = upsert(schema.latest_look, backend, received.LATEST, _newer_measurement)
        self._hour = add_to(schema.look_hour, backend, received.HOUR, received.COUNTS)

    def receive(self, connection: Connection, arrived: Sequence[ArrivalRows]) -> list[Reception]:
        """Write them all; the caller holds the transaction. A reception for each, in order."""
        receptions = self._write_batches(connection, arrived)
        fresh = [n for n, reception in enumerate(receptions) if reception is None]
        owners = self._write_cycles(connection, [(n, arrived[n]) for n in fresh])
        new = self._write_measurements(connection, {one.key: one for _, one in reversed(owners)})
        counts = dict.fromkeys(fresh, 0)
        for owner in {one.key: n for n, one in reversed(owners) if one.key in new}.values():
            counts[owner] += 1
        return [
            Reception(known=False, measurements=counts[n]) if reception is None else reception
            for n, reception in enumerate(receptions)
        ]

    def _write_batches(
        self, connection: Connection, arrived: Sequence[ArrivalRows]
    ) -> list[Reception | None]:
        """What became of those that were stored already; None for the others."""
        first: dict[Key, int] = {}
        for n, one in enumerate(arrived):
            if one.batch is not None:
                first.setdefault(one.key, n)
        rows = {key: arrived[n].batch for key, n in sorted(first.items())}
        new = self._insert(connection, self._batch, rows)
        digests = [arrived[first[key]].digest for key in new]
        self._logged.add(connection, [one for one in digests if one])
        stored = self._bodies(connection, [key for key in first if key not in new])
        stored |= {key: arrived[first[key]].sha256 for key in new}
        receptions: list[Reception | None] = []
        for n, one in enumerate(arrived):
            if one.batch is None or (one.key in new and first[one.key] == n):
                receptions.append(None)
            else:
                same = stored.get(one.key) == one.sha256
                receptions.append(Reception(known=same, conflict=not same))
        return receptions

    def _bodies(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, str]:
        """SHA-256 of the bodies of stored batches."""
        table = schema.batch
        columns = list(table.primary_key.columns)
        return {
            tuple(key): sha256
            for part in _parts(keys)
            for *key, sha256 in connection.execute(
                select(*columns, table.c.body_sha256).where(tuple_(*columns).in_(part))
            )
        }

    def _insert(
        self, connection: Connection, statement: Statement, rows: Mapping[Key, Any]
    ) -> set[Key]:
        """Write the rows, which are in the order of their keys; returns the new keys."""
        rest = dict(rows)
        columns = list(statement.table.primary_key.columns)
        while rest:
            with connection.begin_nested() as attempt:
                if statement.run(connection, rest.values()) == len(rest):
                    break
                # Some were stored already; a database that writes many at once does not say which.
                attempt.rollback()
            before = len(rest)
            for part in _parts(rest):
                known = select(*columns).where(tuple_(*columns).in_(part))
                for key in connection.execute(known):
                    rest.pop(tuple(key), None)
            if len(rest) == before:
                # An id may hold U+0000, which is stored in PostgreSQL as another character.
                raise StorageError(
                    f"rows of {statement.table} cannot be distinguished from stored ones"
                )
        return set(rest)

    def _write_cycles(
        self, connection: Connection, arrived: Sequence[tuple[int, ArrivalRows]]
    ) -> list[tuple[int, MeasurementRows]]:
        """Store new cycles as waiting; returns the measurements to store, and whose they are."""
        cycles = [(n, cycle) for n, arrival in arrived for cycle in arrival.cycles]
        known = self._known_cycles(connection, [cycle for _, cycle in cycles])
        new: dict[tuple[str, str], tuple[int, CycleRows]] = {}
        for n, cycle in cycles:
            if cycle.key not in known:
                new.setdefault(cycle.key, (n, cycle))
        self._link.run(connection, sorted({cycle.link for _, cycle in cycles}))
        rows = [cycle.inbox for _, (_, cycle) in sorted(new.items())]
        if self._inbox.run(connection, rows) < len(rows):
            # Another collector received some of them at the same moment, and was first.
            for key in self._waiting_from_elsewhere(connection, new):
                new.pop(key, None)
        alone = [(n, one) for n, arrival in arrived for one in arrival.measurements]
        return alone + [(n, one) for n, cycle in new.values() for one in cycle.measurements]

    def _waiting_from_elsewhere(
        self, connection: Connection, new: dict[tuple[str, str], tuple[int, CycleRows]]
    ) -> list[tuple[str, str]]:
        table = schema.inbox.c
        links = {cycle.link for _, cycle in new.values()}
        return [
            (country, id_)
            for keys in _parts(new)
            for country, vantage, batch, id_ in connection.execute(
                select(table.country, table.vantage, table.batch, table.id).where(
                    tuple_(table.country, table.id).in_(keys)
                )
            )
            if (country, vantage, batch, id_) not in links
        ]

    def _known_cycles(
        self, connection: Connection, cycles: Sequence[CycleRows]
    ) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for keys in _parts({cycle.key for cycle in cycles}):
            for table in (schema.inbox, schema.cycle):
                columns = (table.c.country, table.c.id)
                rows = connection.execute(select(*columns).where(tuple_(*columns).in_(keys)))
                found |= {(country, id_) for country, id_ in rows}
        return found

    def _write_measurements(
        self, connection: Connection, measurements: Mapping[Key, MeasurementRows]
    ) -> set[Key]:
        """Write measurements and what follows from them; returns the keys of the new ones."""
        rows = {key: measurements[key].row for key in sorted(measurements)}
        new = self._insert(connection, self._measurement, rows)
        added = [one for key, one in measurements.items() if key in new]
        self._latest.run(connection, received.newest(added))
        self._hour.run(connection, received.summed(added))
        return new


def _parts(keys: Iterable[tuple[str, ...]]) -> list[list[tuple[str, ...]]]:
    ordered = sorted(keys)
    return [ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE)]
