"""The part of the store in memory that implements `storage.store.FleetStore`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from probes.measurement import REFERENCE_PLATFORM, Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import StorageError
from storage.values.arrival import (
    AT_ENDPOINTS,
    BY_CONTROLS,
    OF_LATEST,
    Arrival,
    counts,
    waiting_cycle,
)
from storage.values.cycle import StoredCycle
from storage.values.fleet import (
    REPLACED,
    Enrolment,
    Quarantine,
    ReceivedBatch,
    Reception,
    SeenCycle,
    WaitingCycle,
    key_is_taken,
)
from storage.values.storable_text import storable
from storage.values.times import Arrivals, time_text


class MemoryFleet(ABC):
    """Agents, their batches and quarantines."""

    _arrivals: Arrivals
    _measurements: dict[tuple[datetime, str, str], Measurement]
    """By start, country and id."""
    _cycles: dict[tuple[str, str], StoredCycle]
    """By country and id."""

    def __init__(self) -> None:
        self._enrolments: dict[str, Enrolment] = {}
        self._quarantines: dict[str, Quarantine] = {}
        self._batch_bodies: dict[tuple[str, str, str], ReceivedBatch] = {}
        self._batch_cycles: dict[tuple[str, str, str], set[str]] = {}
        self._inbox: dict[tuple[str, str], tuple[tuple[Any, ...], WaitingCycle]] = {}
        """With its place in the order received."""
        self._latest_measurements: dict[tuple[str, ...], Measurement] = {}
        self._hourly_counts: dict[tuple[Any, ...], list[int]] = {}

    @abstractmethod
    async def _wait(self) -> None:
        """Let other tasks run, as every other store does here: a store that never waits would hide
        races. StorageError when it is not open."""

    async def enrol(self, enrolment: Enrolment) -> None:
        await self._wait()
        enrolment = storable(enrolment, Enrolment)
        if enrolment.fingerprint in self._enrolments:
            raise StorageError(key_is_taken(enrolment))
        self._revoke(enrolment.vantage, enrolment.enrolled_at, REPLACED)
        self._enrolments[enrolment.fingerprint] = enrolment

    async def revoke(self, vantage: str, at: datetime, reason: str) -> bool:
        await self._wait()
        return self._revoke(vantage, at, storable(reason, str))

    async def enrolments(self) -> list[Enrolment]:
        await self._wait()
        return sorted(
            self._enrolments.values(), key=lambda one: (one.vantage, one.enrolled_at, one.key)
        )

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        await self._wait()
        arrival = storable(Arrival(batch=batch, cycles=tuple(cycles)), Arrival)
        batch = arrival.batch or batch
        key = (batch.country, batch.vantage, batch.id)
        stored = self._batch_bodies.get(key)
        if stored is not None:
            same = stored.body_sha256 == batch.body_sha256
            return Reception(known=same, conflict=not same)
        self._batch_bodies[key] = batch
        self._batch_cycles[key] = {cycle.id for cycle in arrival.cycles}
        new = 0
        for position, cycle in enumerate(arrival.cycles):
            place = (cycle.country, cycle.id)
            if place in self._inbox or place in self._cycles:
                continue
            order = (batch.received_at, *key, position)
            self._inbox[place] = (order, waiting_cycle(batch, cycle))
            new += self._add_measurements(cycle.measurements, batch.received_at)
        return Reception(known=False, measurements=new)

    async def add_control_measurements(self, measurements: Sequence[Measurement]) -> None:
        await self._wait()
        valid = storable(tuple(measurements), tuple[Measurement, ...])
        self._add_measurements(valid, self._arrivals.stamp())

    async def waiting(self, limit: int, skip: Sequence[str] = ()) -> list[WaitingCycle]:
        await self._wait()
        found = [cycle for _, cycle in sorted(self._inbox.values(), key=lambda one: one[0])]
        return [cycle for cycle in found if cycle.vantage not in skip][:limit]

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        await self._wait()
        whose = (cycle.country, cycle.vantage)
        return [
            measurement
            for _, measurement in sorted(self._measurements.items())
            if measurement.cycle == cycle.id
            and (_by_control(measurement) or (measurement.country, measurement.vantage) == whose)
        ]

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        await self._wait()
        return [
            measurement
            for _, measurement in sorted(self._measurements.items())
            if _by_control(measurement)
            and measurement.look in BY_CONTROLS
            and since <= measurement.started_at < until
        ]

    async def latest_control_measurements(self, since: datetime) -> list[Measurement]:
        await self._wait()
        newest: dict[tuple[str, ...], Measurement] = {}
        for measurement in sorted(self._latest_measurements.values(), key=measurement_key):
            stored = measurement_key(measurement) in self._measurements
            if (
                _by_control(measurement)
                and measurement.look in AT_ENDPOINTS
                and measurement.platform != REFERENCE_PLATFORM
                and measurement.started_at >= since
                and stored
            ):
                newest[measurement.platform, measurement.role, measurement.endpoint] = measurement
        return [measurement for _, measurement in sorted(newest.items())]

    async def received_batches(self, cycles: Sequence[str]) -> list[ReceivedBatch]:
        await self._wait()
        return sorted(
            (
                batch
                for key, batch in self._batch_bodies.items()
                if not self._batch_cycles[key].isdisjoint(cycles)
            ),
            key=lambda one: (one.received_at, one.vantage, one.id),
        )

    async def quarantine(self, quarantine: Quarantine) -> None:
        await self._wait()
        self._quarantines[quarantine.vantage] = storable(quarantine, Quarantine)

    async def release(self, vantage: str) -> bool:
        await self._wait()
        return self._quarantines.pop(vantage, None) is not None

    async def quarantines(self) -> list[Quarantine]:
        await self._wait()
        return [one for _, one in sorted(self._quarantines.items())]

    def _revoke(self, vantage: str, at: datetime, reason: str) -> bool:
        for key, one in self._enrolments.items():
            if one.vantage == vantage and one.revoked_at is None:
                self._enrolments[key] = replace(one, revoked_at=at, reason=reason)
                return True
        return False

    def _add_measurements(self, measurements: Iterable[Measurement], received_at: datetime) -> int:
        """Returns how many were new."""
        new = 0
        for measurement in measurements:
            key = measurement_key(measurement)
            if key not in self._measurements:
                self._measurements[key] = measurement
                self._update_current(measurement, received_at)
                new += 1
        return new

    def _update_current(self, measurement: Measurement, received_at: datetime) -> None:
        if measurement.look in OF_LATEST:
            place = (
                measurement.country,
                measurement.vantage,
                measurement.platform,
                measurement.role,
                measurement.endpoint,
            )
            kept = self._latest_measurements.get(place)
            if (
                kept is None
                or measurement_key(measurement) > measurement_key(kept)
                or kept.started_at > received_at
            ):
                self._latest_measurements[place] = measurement
        if measurement.look is Purpose.SCHEDULED:
            hour = f"{time_text(measurement.started_at)[:13]}:00:00.000000Z"
            key = (
                measurement.country,
                measurement.platform,
                hour,
                measurement.asn,
                measurement.network,
            )
            total = self._hourly_counts.setdefault(key, [0, 0, 0])
            for n, more in enumerate(counts(measurement)):
                total[n] += more


def _by_control(measurement: Measurement) -> bool:
    return measurement.vantage_role == VantageRole.CONTROL


def measurement_key(measurement: Measurement) -> tuple[datetime, str, str]:
    """Start, country and id."""
    return (measurement.started_at, measurement.country, measurement.id)
