"""The rate of one transfer, or that it stalled.

Rates are bits per second from the first mark at or after SKIP bytes, so that neither the wait for
the first byte nor the first flight of packets counts.
"""

import math
from collections.abc import Mapping

import msgspec

from probes.failure import TIMEOUTS
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    Measurement,
    TcpObservation,
    TlsObservation,
    TransferObservation,
)

SKIP = 8 * 1024
"""Bytes not counted at the start."""
ENOUGH = 16 * 1024
"""Bytes after SKIP that give a rate; fewer do after ENOUGH_SECONDS."""
ENOUGH_SECONDS = 2.0
FURTHER = 4 * 1024
"""Bytes that another transfer must get beyond the point where the target stalled."""
FIRST_FLIGHT = 14_600
"""Bytes a server sends before the first acknowledgement: ten segments."""
VARIANTS: Mapping[str, str] = {
    TRANSFER_TARGET: "target",
    TRANSFER_INNOCUOUS: "innocuous",
    TRANSFER_REFERENCE: "reference",
}
"""Reason of a transfer → its variant."""


class TransferSpeed(msgspec.Struct, frozen=True, kw_only=True):
    bytes_read: int
    stalled: bool
    """No more data came, without an error."""
    rate: float | None
    """Bits per second; None when too little came, and after a stall."""
    counted: int = 0
    """Bytes on which the rate was measured."""
    seconds: float = 0.0
    round_trip: float = 0.0
    """Seconds that connecting took; 0 when unknown."""
    silence: float = 0.0
    """Seconds without data at the end."""
    held_up: float | None = None
    """Seconds for which the machine was delayed; None when not measured."""

    @property
    def distance_explains(self) -> bool:
        """Whether the round trip alone explains the rate: a TCP window that opens does that."""
        trips = math.log2(self.counted / FIRST_FLIGHT + 1) + 1
        return self.seconds <= 2 * self.round_trip * trips


def speed_of(seen: TransferObservation, round_trip: float = 0.0) -> TransferSpeed:
    """The speed of one transfer. Never raises."""
    stalled = seen.failure is not None and seen.failure in TIMEOUTS
    start = next(((t, n) for t, n in seen.marks if n >= SKIP), None)
    if seen.failure is not None or start is None:
        return TransferSpeed(
            bytes_read=seen.bytes_read,
            stalled=stalled,
            rate=None,
            silence=max(0.0, seen.duration - (seen.marks[-1][0] if seen.marks else 0.0)),
            held_up=seen.held_up,
        )
    end, total = seen.marks[-1]
    counted, seconds = total - start[1], end - start[0]
    enough = counted >= ENOUGH or (counted > 0 and seconds >= ENOUGH_SECONDS)
    return TransferSpeed(
        bytes_read=seen.bytes_read,
        stalled=False,
        rate=8 * counted / max(seconds, 1e-6) if enough else None,
        counted=counted,
        seconds=seconds,
        round_trip=round_trip,
        held_up=seen.held_up,
    )


def speeds(measurement: Measurement, distance: float = math.inf) -> dict[str, TransferSpeed]:
    """Variant (target, innocuous, reference) → its transfer, of those that began.

    `distance` is the shortest recent time to connect to the target's host, in seconds.
    """
    return {
        VARIANTS[seen.reason]: speed_of(seen, min(distance, _round_trip(measurement, seen.reason)))
        for seen in measurement.observations
        if isinstance(seen, TransferObservation) and seen.reason in VARIANTS
    }


def _round_trip(measurement: Measurement, reason: str) -> float:
    """The connect time, or the handshake's where a proxy hides it, which is at least one round
    trip.

    The shortest time to that host in the round counts: a full queue left by an earlier transfer is
    no distance.
    """
    same = {reason} if reason == TRANSFER_REFERENCE else {TRANSFER_TARGET, TRANSFER_INNOCUOUS}
    worked = [o for o in measurement.observations if o.reason in same and o.failure is None]
    for kind in (TcpObservation, TlsObservation):
        times = [o.duration for o in worked if isinstance(o, kind)]
        if times:
            return min(times)
    return 0.0


def gets_past(other: TransferSpeed, point: int) -> bool:
    """Whether a transfer got clearly beyond the byte at which another one stalled."""
    return other.bytes_read >= point + FURTHER
