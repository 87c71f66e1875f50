"""What is remembered of agents, in plain Python: the part of `storage.memory.store` for
collectors."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from probes.measurement import REFERENCE_PLATFORM, Measurement, Purpose
from probes.vantage import VantageRole
from storage.sql.received import (
    AT_ENDPOINTS,
    BY_CONTROLS,
    OF_LATEST,
    Arrival,
    counts,
    waiting_cycle,
)
from storage.store import StorageError, StoredCycle
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
    """Implements `storage.values.fleet.FleetStore` beside the measurements and cycles of a
    store."""

    _arrivals: Arrivals
    _measurements: dict[tuple[datetime, str, str], Measurement]
    """By start, country and id."""
    _cycles: dict[tuple[str, str], StoredCycle]
    """By country and id."""

    def __init__(self) -> None:
        """Nobody is enrolled."""
        self._enrolments: dict[str, Enrolment] = {}
        self._quarantines: dict[str, Quarantine] = {}
        self._batch_bodies: dict[tuple[str, str, str], ReceivedBatch] = {}
        self._batch_cycles: dict[tuple[str, str, str], set[str]] = {}
        self._inbox: dict[tuple[str, str], tuple[tuple[Any, ...], WaitingCycle]] = {}
        """With its place in the order of arrival."""
        self._latest_looks: dict[tuple[str, ...], Measurement] = {}
        self._look_hours: dict[tuple[Any, ...], list[int]] = {}

    @abstractmethod
    async def _turn(self) -> None:
        """Let others run; StorageError when the store is not open."""

    async def enrol(self, enrolment: Enrolment) -> None:
        """Store it; the vantage's key before it is revoked at the same time."""
        await self._turn()
        enrolment = storable(enrolment, Enrolment)
        if enrolment.fingerprint in self._enrolments:
            raise StorageError(key_is_taken(enrolment))
        self._revoke(enrolment.vantage, enrolment.enrolled_at, REPLACED)
        self._enrolments[enrolment.fingerprint] = enrolment

    async def revoke(self, vantage: str, at: datetime, reason: str) -> bool:
        """Let the vantage's key speak no more; False when it has none that may."""
        await self._turn()
        return self._revoke(vantage, at, storable(reason, str))

    async def enrolments(self) -> list[Enrolment]:
        """Every key there ever was, by vantage and time."""
        await self._turn()
        return sorted(
            self._enrolments.values(), key=lambda one: (one.vantage, one.enrolled_at, one.key)
        )

    async def receive(self, batch: ReceivedBatch, cycles: Sequence[SeenCycle]) -> Reception:
        """Store a batch and all that follows from it."""
        await self._turn()
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
            new += self._add_looks(cycle.measurements, batch.received_at)
        return Reception(known=False, measurements=new)

    async def add_control_measurements(self, looks: Sequence[Measurement]) -> None:
        """Store looks that controls made for a cycle which is handed in later."""
        await self._turn()
        self._add_looks(storable(tuple(looks), tuple[Measurement, ...]), self._arrivals.stamp())

    async def waiting(self, limit: int, skip: Sequence[str] = ()) -> list[WaitingCycle]:
        """Cycles that nobody has judged, in the order they were received."""
        await self._turn()
        found = [cycle for _, cycle in sorted(self._inbox.values(), key=lambda one: one[0])]
        return [cycle for cycle in found if cycle.vantage not in skip][:limit]

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        """All measurements that carry a waiting cycle's id, of its vantage and of controls."""
        await self._turn()
        whose = (cycle.country, cycle.vantage)
        return [
            look
            for _, look in sorted(self._measurements.items())
            if look.cycle == cycle.id
            and (_by_control(look) or (look.country, look.vantage) == whose)
        ]

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        """Looks of controls at endpoints and references, by start."""
        await self._turn()
        return [
            look
            for _, look in sorted(self._measurements.items())
            if _by_control(look) and look.look in BY_CONTROLS and since <= look.started_at < until
        ]

    async def latest_control_measurements(self, since: datetime) -> list[Measurement]:
        """The newest look of any control at each endpoint, by platform, role and endpoint."""
        await self._turn()
        newest: dict[tuple[str, ...], Measurement] = {}
        for look in sorted(self._latest_looks.values(), key=_start):
            stored = (look.started_at, look.country, look.id) in self._measurements
            if (
                _by_control(look)
                and look.look in AT_ENDPOINTS
                and look.platform != REFERENCE_PLATFORM
                and look.started_at >= since
                and stored
            ):
                newest[look.platform, look.role, look.endpoint] = look
        return [look for _, look in sorted(newest.items())]

    async def received_batches(self, cycles: Sequence[str]) -> list[ReceivedBatch]:
        """The batches in which these cycles came, by when they were received."""
        await self._turn()
        return sorted(
            (
                batch
                for key, batch in self._batch_bodies.items()
                if not self._batch_cycles[key].isdisjoint(cycles)
            ),
            key=lambda one: (one.received_at, one.vantage, one.id),
        )

    async def quarantine(self, quarantine: Quarantine) -> None:
        """Store a decision; it replaces the vantage's one before it."""
        await self._turn()
        self._quarantines[quarantine.vantage] = storable(quarantine, Quarantine)

    async def release(self, vantage: str) -> bool:
        """Take a vantage's quarantine back; False when there is none."""
        await self._turn()
        return self._quarantines.pop(vantage, None) is not None

    async def quarantines(self) -> list[Quarantine]:
        """Those that stand, by vantage."""
        await self._turn()
        return [one for _, one in sorted(self._quarantines.items())]

    def _revoke(self, vantage: str, at: datetime, reason: str) -> bool:
        for key, one in self._enrolments.items():
            if one.vantage == vantage and one.revoked_at is None:
                self._enrolments[key] = replace(one, revoked_at=at, reason=reason)
                return True
        return False

    def _add_looks(self, looks: Iterable[Measurement], received_at: datetime) -> int:
        """How many of them were new."""
        new = 0
        for look in looks:
            key = (look.started_at, look.country, look.id)
            if key not in self._measurements:
                self._measurements[key] = look
                self._follow(look, received_at)
                new += 1
        return new

    def _follow(self, look: Measurement, received_at: datetime) -> None:
        if look.look in OF_LATEST:
            place = (look.country, look.vantage, look.platform, look.role, look.endpoint)
            kept = self._latest_looks.get(place)
            if kept is None or _start(look) > _start(kept) or kept.started_at > received_at:
                self._latest_looks[place] = look
        if look.look is Purpose.SCHEDULED:
            hour = f"{time_text(look.started_at)[:13]}:00:00.000000Z"
            key = (look.country, look.platform, hour, look.asn, look.network)
            total = self._look_hours.setdefault(key, [0, 0, 0])
            for n, more in enumerate(counts(look)):
                total[n] += more


def _by_control(look: Measurement) -> bool:
    return look.vantage_role == VantageRole.CONTROL


def _start(look: Measurement) -> tuple[datetime, str, str]:
    return (look.started_at, look.country, look.id)
