"""How many bytes each vantage has used, as far as what was seen tells.

An estimate, on the high side: what a look read and, for each handshake, query and connection, what
those usually take. Kept per day in UTC, and anew with each process.
"""

from datetime import date

from probes.measurement import (
    DnsObservation,
    HttpObservation,
    Measurement,
    Observation,
    QuicObservation,
    TlsObservation,
    TransferObservation,
)

_HANDSHAKE = 7_000
"""Both ways: a ClientHello of two segments, a chain of certificates, and acknowledgements."""
_QUERY = 300
_CONNECTION = 300
_HEAD = 2_000
"""Request, status line and headers."""
_OVERHEAD = 1.06
"""Headers of packets and acknowledgements, on top of what they carry."""


def bytes_of(measurement: Measurement) -> int:
    """Bytes on the wire, both ways, that a measurement took, about."""
    return round(_OVERHEAD * sum(map(_bytes_of, measurement.observations)))


def _bytes_of(observation: Observation) -> int:
    match observation:
        case DnsObservation():
            return _QUERY * observation.tries
        case TlsObservation() | QuicObservation():
            return _HANDSHAKE
        case HttpObservation():
            return _HEAD + observation.body_length
        case TransferObservation():
            return _HEAD + observation.bytes_read
        case _:
            return _CONNECTION


class Traffic:
    """Bytes per vantage and day."""

    def __init__(self) -> None:
        self._days: dict[str, tuple[date, int]] = {}

    def add(self, measurement: Measurement) -> None:
        """Count a measurement on the day it started."""
        day = measurement.started_at.date()
        known, spent = self._days.get(measurement.vantage, (day, 0))
        if day < known:
            return  # begun before midnight, done after it
        before = spent if day == known else 0
        self._days[measurement.vantage] = (day, before + bytes_of(measurement))

    def spent(self, vantage: str, day: date) -> int:
        """Bytes of one vantage on one day, 0 for days gone by."""
        known, spent = self._days.get(vantage, (day, 0))
        return spent if known == day else 0
