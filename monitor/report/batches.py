"""The batches in which the measurements of a report came, with the keys that signed them.

Each is enclosed exactly as it was sent, and only if it holds: the signature by the vantage's key is
valid, and every measurement of its cycles that the report encloses is in it. A check of the report
therefore finds either that, or a change.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from monitor.wire.proof import EvidenceError, digest, fault_of, measurements_in, unpacked
from probes.measurement import Measurement
from storage.store import CollectorStore
from storage.values.fleet import Enrolment, Quarantine, ReceivedBatch
from storage.values.log import LogPlace, batch_digest, enrolment_digest

BATCHES, KEYS = "data/batches.jsonl", "data/keys.jsonl"
MOST_PACKED = 256 * 2**20
"""Bytes of all bodies of one report, as they were sent."""
MOST_UNPACKED = 4 * 2**30
"""Bytes of the same as they are read, one after the other."""
MOST_HELD = 500_000
"""Measurements of the platform, cycles and batches, together."""
MOST_COMPARED = 200_000
"""Enclosed measurements that are compared with what was signed; later ones are only counted."""
_AT_ONCE = 20
"""Cycles whose batches are in memory at a time."""

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `BATCHES`."""

    batch: ReceivedBatch
    """The body in base64."""
    key_revoked_at: datetime | None = None
    """UTC; when the key that signed it was revoked, if it was by the time of the report."""
    quarantined: bool = False
    """Whether its vantage was in quarantine at any time."""
    place: LogPlace | None = None
    """Where the log of the report has it; None where it does not."""


class KeyLine(Enrolment, frozen=True, kw_only=True):
    """A line of `KEYS`: a key without the reason of its revocation."""

    place: LogPlace | None = None
    """As in `Line`."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """How many enclosed measurements are signed by the vantage that made them."""

    enclosed: bool = False
    """Whether the batches are part of the report."""
    compared: int = 0
    """Enclosed measurements that were compared."""
    not_compared: int = 0
    """Later enclosed measurements, which were not compared."""
    signed: int = 0
    """Compared measurements that are in a signed batch exactly as they are enclosed."""
    differing: int = 0
    """Compared measurements whose cycle came in a batch that holds something else."""
    batches: int = 0
    """Valid batches."""
    vantages: int = 0
    """Vantages that signed these batches."""
    keys: int = 0
    """Keys that signed these batches."""
    revoked: int = 0
    """Batches whose key was revoked since."""
    quarantined: int = 0
    """Batches of vantages in quarantine."""
    fingerprints: tuple[str, ...] = ()
    """Of the keys that signed these batches, in order."""
    logged: int = 0
    """Enclosed batches that are in the log of the report."""
    dated: int = 0
    """Those of them that somebody whom the reader trusts says were there by some time."""
    dated_by: datetime | None = None
    """The latest of these times, UTC."""
    broken: int = 0
    """Batches that are not valid."""
    not_enclosed: int = 0
    """Valid batches that are not enclosed, because the report would be too large."""


class Room:
    """How much still fits into one report."""

    def __init__(self) -> None:
        self.packed, self.unpacked, self.held = MOST_PACKED, MOST_UNPACKED, MOST_HELD

    def take(self, packed: int, unpacked_: int, held: int) -> bool:
        """Reserve room for bytes, packed and unpacked, and for measurements; returns whether there
        was enough."""
        self.packed -= packed
        self.unpacked -= unpacked_
        self.held -= held
        return min(self.packed, self.unpacked, self.held) >= 0


class Enclosed:
    """The measurements that are enclosed, by the cycle they were made in."""

    def __init__(self) -> None:
        self.by_cycle: dict[tuple[str, str], dict[str, bytes]] = {}
        """Vantage and cycle → id → digest."""
        self.count = 0
        self.not_compared = 0

    def add(self, measurement: Measurement) -> None:
        """Add a measurement as it is stored."""
        if self.count >= MOST_COMPARED:
            self.not_compared += 1
            return
        self.count += 1
        ids = self.by_cycle.setdefault((measurement.vantage, measurement.cycle), {})
        ids[measurement.id] = digest(measurement)


async def enclose(
    store: CollectorStore, measurements: Enclosed, platform: str, folder: Path | None, log_size: int
) -> Signed:
    """Find the batches of these measurements, and write them to files in `folder`, unless that is
    None, with their places among the first `log_size` entries of the log. StorageError, OSError."""
    signatures = _Signatures(
        measurements,
        platform,
        await store.enrolments(),
        await store.quarantines(),
        folder is not None,
    )
    cycles = iter(dict.fromkeys(cycle for _, cycle in measurements.by_cycle if cycle))
    with ExitStack() as files:
        out = files.enter_context((folder / BATCHES).open("wb")) if folder else None
        while some := list(islice(cycles, _AT_ONCE)):
            batches = await store.received_batches(some)
            places = await store.log_places(list(map(batch_digest, batches)), log_size)
            await asyncio.to_thread(signatures.add, batches, places, out)
    if folder:
        keys = signatures.used()
        places = await store.log_places(list(map(enrolment_digest, keys)), log_size)
        lines = (
            KeyLine(**msgspec.structs.asdict(key), place=places.get(enrolment_digest(key)))
            for key in keys
        )
        (folder / KEYS).write_bytes(b"".join(_encode(line) + b"\n" for line in lines))
    return signatures.result()


class _Signatures:
    """Compares batch after batch with the measurements."""

    def __init__(
        self,
        measurements: Enclosed,
        platform: str,
        keys: Iterable[Enrolment],
        quarantines: Iterable[Quarantine],
        enclosed: bool,
    ) -> None:
        self._enclosed_measurements = measurements
        self._platform = platform
        self._keys = {key.fingerprint: key for key in keys}
        self._quarantined = {one.vantage for one in quarantines}
        self._enclosed = enclosed
        self._room = Room()
        self._full = False
        self._seen: set[tuple[str, str, str]] = set()
        self._signed: set[str] = set()
        self._differing: set[str] = set()
        self._used: dict[str, Enrolment] = {}
        self._signed_so_far = Signed(
            enclosed=enclosed, compared=measurements.count, not_compared=measurements.not_compared
        )

    def add(
        self,
        batches: Sequence[ReceivedBatch],
        places: Mapping[str, LogPlace],
        out: BinaryIO | None,
    ) -> None:
        for batch in batches:
            place = (batch.country, batch.vantage, batch.id)
            if place not in self._seen and batch.fingerprint:
                self._seen.add(place)
                self._add(batch, places.get(batch_digest(batch)), out)

    def _add(self, batch: ReceivedBatch, place: LogPlace | None, out: BinaryIO | None) -> None:
        key = self._keys.get(batch.fingerprint)
        if fault_of(batch, key) or key is None:
            self._count(broken=1)
            return
        try:
            body = unpacked(batch)
            held, agreeing, differing = self._compared(batch, body)
        except EvidenceError:
            self._count(broken=1)
            return
        self._differing |= differing
        if differing or not agreeing:
            return
        if self._enclosed:
            room = not self._full and self._room.take(len(batch.body), len(body), held)
            self._full = not room
            if not room:
                self._count(not_enclosed=1)
                return
        self._signed |= agreeing
        self._used[key.fingerprint] = msgspec.structs.replace(key, reason="")
        quarantined = batch.vantage in self._quarantined
        logged = place is not None
        revoked = key.revoked_at is not None
        self._count(batches=1, revoked=revoked, quarantined=quarantined, logged=logged)
        if out is not None:
            line = Line(
                batch=batch, key_revoked_at=key.revoked_at, quarantined=quarantined, place=place
            )
            out.write(_encode(line) + b"\n")

    def _compared(self, batch: ReceivedBatch, body: bytes) -> tuple[int, set[str], set[str]]:
        """How much of `MOST_HELD` it takes, the ids of enclosed measurements that it holds as they
        are, and the ids of those of its cycles that it does not."""
        held = 1
        agreeing: set[str] = set()
        differing: set[str] = set()
        for cycle, measurements in measurements_in(body, batch.vantage, self._platform):
            held += 1 + len(measurements)
            wanted = self._enclosed_measurements.by_cycle.get((batch.vantage, cycle), {})
            there = {one.id: digest(one) for one in measurements} if wanted else {}
            for id_, expected in wanted.items():
                (agreeing if there.get(id_) == expected else differing).add(id_)
        return held, agreeing, differing

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self._signed_so_far, name) + count for name, count in more.items()}
        self._signed_so_far = msgspec.structs.replace(self._signed_so_far, **changed)

    def used(self) -> list[Enrolment]:
        """The keys that signed what is enclosed."""
        return [key for _, key in sorted(self._used.items())]

    def result(self) -> Signed:
        return msgspec.structs.replace(
            self._signed_so_far,
            signed=len(self._signed),
            differing=len(self._differing - self._signed),
            keys=len(self._used),
            fingerprints=tuple(sorted(self._used)),
            vantages=len({key.vantage for key in self._used.values()}),
        )
