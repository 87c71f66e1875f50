"""`storage.values.fleet.FleetStore` in an SQL database: all but the way to reach it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, literal_column, or_, select, tuple_

from probes.measurement import REFERENCE_PLATFORM, Measurement
from probes.vantage import VantageRole
from storage.sql import listing as reading
from storage.sql import schema
from storage.sql.group_commit import GroupCommit
from storage.sql.listing import Key, Listing
from storage.sql.received import AT_ENDPOINTS, BY_CONTROLS, Arrival, ArrivalRows, arrival_rows
from storage.sql.writing_fleet import FleetWriter
from storage.values.fleet import (
    Enrolment,
    Quarantine,
    ReceivedBatch,
    Reception,
    SeenCycle,
    WaitingCycle,
)
from storage.values.storable_text import storable
from storage.values.times import time_text

T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")
V = TypeVar("V")

_MOST = 5000
"""Measurements that are stored in one transaction."""
_AT_ONCE = 500
"""Rows in one page, ids in one question."""
_NEAR = timedelta(days=1)
"""How far from a cycle its looks can be: where rows lie by month, few months are searched."""

_looks = schema.measurement.c
# As a literal, or the index of controls' looks would not be seen to serve.
OF_CONTROLS = _looks.vantage_role == literal_column("'control'")


class SqlFleet(ABC):
    """Implements `storage.values.fleet.FleetStore` for those that implement what is abstract
    here."""

    def __init__(self) -> None:
        """Nothing is touched."""
        self._arriving: GroupCommit[Arrival, list[ArrivalRows], Reception] = GroupCommit(
            self._rows_of, self._store_rows, weigh=lambda arrival: arrival.weight, most=_MOST
        )

    @abstractmethod
    def _stamp(self) -> datetime:
        """The moment of an arrival, never given twice."""

    @abstractmethod
    def _fleet_writer(self) -> FleetWriter:
        """Its statements for this dialect."""

    @abstractmethod
    async def _write_with(self, ready: Callable[[], V], work: Callable[[Connection, V], R]) -> R:
        """What `work` makes, within a durable transaction, of what `ready` made before it began;
        both in a thread that may write."""

    @abstractmethod
    async def _read_with(self, work: Callable[[Connection], R]) -> R:
        """What `work` makes, in a thread that may read."""

    @abstractmethod
    async def _aside(self, work: Callable[[], R]) -> R:
        """What `work` makes, in a thread that touches no database."""

    async def enrol(self, enrolment: Enrolment) -> None:
        """Store it; the vantage's key before it is revoked at the same time."""
        await self._write_with(
            lambda: storable(enrolment, Enrolment),
            lambda connection, valid: self._fleet_writer().enrol(connection, valid),
        )

    async def revoke(self, vantage: str, at: datetime, reason: str) -> bool:
        """Let the vantage's key speak no more; False when it has none that may."""
        return await self._write_with(
            lambda: storable(reason, str),
            lambda connection, why: self._fleet_writer().revoke(connection, vantage, at, why),
        )

    async def enrolments(self) -> list[Enrolment]:
        """Every key there ever was, by vantage and time."""
        return await self._listed(reading.ENROLMENTS)

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        """Store a batch and all that follows from it, together with those that come with it."""
        return await self._arriving.put(Arrival(batch=batch, cycles=tuple(cycles)))

    async def add_control_measurements(self, looks: Sequence[Measurement]) -> None:
        """Store looks that controls made for a cycle which is handed in later, durably."""
        await self._arriving.put(Arrival(looks=tuple(looks)))

    async def waiting(self, limit: int, skip: Sequence[str] = ()) -> list[WaitingCycle]:
        """Cycles that nobody has judged, in the order they were received."""
        where = [schema.inbox.c.vantage.not_in(list(skip))] if skip else []
        found, _ = await self._read_with(
            lambda connection: reading.WAITING.page(connection, where, limit=limit)
        )
        return found

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        """All measurements that carry a waiting cycle's id, of its vantage and of controls."""
        of_vantage = and_(_looks.country == cycle.country, _looks.vantage == cycle.vantage)
        near = and_(
            _looks.started_at >= time_text(cycle.started_at - _NEAR),
            _looks.started_at <= time_text(cycle.finished_at + _NEAR),
        )
        where = [_looks.cycle == cycle.id, or_(of_vantage, OF_CONTROLS), near]
        return await self._listed(reading.MEASUREMENTS, where)

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        """Looks of controls at endpoints and references, by start."""
        where = [
            OF_CONTROLS,
            _looks.look.in_([look.value for look in BY_CONTROLS]),
            _looks.started_at < time_text(until),
        ]
        start = _looks.started_at >= time_text(since)
        return await self._listed(reading.MEASUREMENTS, where, start)

    async def latest_control_measurements(self, since: datetime) -> list[Measurement]:
        """The newest look of any control at each endpoint, by platform, role and endpoint."""
        latest = schema.latest_look.c
        where = [
            latest.vantage_role == VantageRole.CONTROL.value,
            latest.look.in_([look.value for look in AT_ENDPOINTS]),
            latest.platform != REFERENCE_PLATFORM,
            latest.started_at >= time_text(since),
            _looks.country == latest.country,
            _looks.started_at == latest.started_at,
            _looks.id == latest.measurement,
        ]
        found = await self._listed(reading.MEASUREMENTS, where)
        # They come by start, so the last one of each endpoint stays.
        newest = {(look.platform, look.role, look.endpoint): look for look in found}
        return [look for _, look in sorted(newest.items())]

    async def received_batches(self, cycles: Sequence[str]) -> list[ReceivedBatch]:
        """The batches in which these cycles came, by when they were received."""
        link, batch = schema.batch_cycle.c, schema.batch.c
        found: dict[tuple[str, str, str], ReceivedBatch] = {}
        for start in range(0, len(cycles), _AT_ONCE):
            keys = select(link.country, link.vantage, link.batch).where(
                link.cycle.in_(cycles[start : start + _AT_ONCE])
            )
            where = [tuple_(batch.country, batch.vantage, batch.id).in_(keys)]
            for one in await self._listed(reading.BATCHES, where):
                found[one.country, one.vantage, one.id] = one
        return sorted(found.values(), key=lambda one: (one.received_at, one.vantage, one.id))

    async def quarantine(self, quarantine: Quarantine) -> None:
        """Store a decision; it replaces the vantage's one before it."""
        await self._write_with(
            lambda: storable(quarantine, Quarantine),
            lambda connection, valid: self._fleet_writer().quarantine(connection, valid),
        )

    async def release(self, vantage: str) -> bool:
        """Take a vantage's quarantine back; False when there is none."""
        return await self._write_with(
            lambda: vantage,
            lambda connection, of: self._fleet_writer().release(connection, of),
        )

    async def quarantines(self) -> list[Quarantine]:
        """Those that stand, by vantage."""
        return await self._listed(reading.QUARANTINES)

    async def _listed(
        self,
        listing: Listing[T],
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
    ) -> list[T]:
        found: list[T] = []
        after: Key | None = None
        while True:
            page, after = await self._read_with(
                partial(listing.page, where=where, start=start, after=after, limit=_AT_ONCE)
            )
            found += page
            if after is None:
                return found

    async def _rows_of(self, arrivals: Sequence[Arrival]) -> list[ArrivalRows]:
        return await self._aside(lambda: self._made(arrivals))

    def _made(self, arrivals: Sequence[Arrival]) -> list[ArrivalRows]:
        try:
            return [arrival_rows(one, time_text(self._stamp())) for one in arrivals]
        except UnicodeEncodeError:
            valid = storable(tuple(arrivals), tuple[Arrival, ...])
            return [arrival_rows(one, time_text(self._stamp())) for one in valid]

    async def _store_rows(
        self, rows: list[ArrivalRows], waits_for_disk: Callable[[], None]
    ) -> Sequence[Reception]:
        loop = asyncio.get_running_loop()

        def receive(connection: Connection, arrived: list[ArrivalRows]) -> list[Reception]:
            receptions = self._fleet_writer().receive(connection, arrived)
            loop.call_soon_threadsafe(waits_for_disk)
            return receptions

        return await self._write_with(lambda: rows, receive)
