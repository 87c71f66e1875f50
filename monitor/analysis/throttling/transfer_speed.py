"""The rate of one transfer, or that it stalled.

Rates are bits per second from the first mark at or after SKIP bytes, so that neither the wait for
the first byte nor the first flight of packets counts. Where too little came for that in so long,
what did come gives a rate all the same, from the first mark on: the line is no faster than that.
"""

import math
from collections.abc import Mapping

import msgspec

from probes.failure_strings import TIMEOUTS
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
"""Seconds in which any number of bytes gives a rate."""
BEGUN = 1024
"""Bytes that must have come before a transfer can be said to have stopped."""
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
    carried: int
    """Bytes that the connection carried from the server, its handshake included."""
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
        return self.seconds <= 2 * self._opening

    @property
    def only_distance(self) -> bool:
        """Whether nothing but the round trip held it up."""
        return self.seconds <= self._opening

    @property
    def _opening(self) -> float:
        """Seconds in which a TCP window opens wide enough for these bytes."""
        return self.round_trip * (math.log2(self.counted / FIRST_FLIGHT + 1) + 1)


def speed_of(seen: TransferObservation, round_trip: float = 0.0) -> TransferSpeed:
    """The speed of one transfer. Never raises."""
    speed = TransferSpeed(
        carried=seen.bytes_before + seen.bytes_read,
        stalled=seen.failure in TIMEOUTS and seen.bytes_read >= BEGUN,
        rate=None,
        held_up=seen.held_up,
    )
    if seen.failure is not None or not seen.marks:
        silence = max(0.0, seen.duration - (seen.marks[-1][0] if seen.marks else 0.0))
        return msgspec.structs.replace(speed, silence=silence)
    end, total = seen.marks[-1]
    later = next(((t, n) for t, n in seen.marks if n >= SKIP), seen.marks[-1])
    for (start, before), enough in ((later, ENOUGH), (seen.marks[0], math.inf)):
        counted, seconds = total - before, end - start
        if counted >= enough or (counted > 0 and seconds >= ENOUGH_SECONDS):
            return msgspec.structs.replace(
                speed,
                rate=8 * counted / max(seconds, 1e-6),
                counted=counted,
                seconds=seconds,
                round_trip=round_trip,
            )
    return speed


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
    return other.carried >= point + FURTHER
