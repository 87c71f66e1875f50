"""How many bytes each vantage has used, as far as what was seen tells.

An estimate, on the high side: what looks read and the certificates they were shown, and for the
rest what handshakes, questions and retransmissions take on the wire, link headers included. A test
holds it against the counters of a network interface. Kept per day in UTC, and anew with each
process, which may take up what the store remembers of today.
"""

import functools
import math
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date

from monitor.budget.budget import NOTHING, Allotment, Spent, purse_of
from probes.failure import TIMEOUTS
from probes.measurement import (
    AppObservation,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Measurement,
    Observation,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    TransferObservation,
)

_QUERY, _REPLY = 100, 220
_PACKET = 80
"""Headers of one packet, and all of one that carries nothing."""
_CONNECTION = 5 * _PACKET
"""Opening and closing, both ways."""
_SERVER_HELLO = 2_900
"""What a server's side of a handshake takes beside its certificates, tickets and acknowledgements
included, with the key share of a post-quantum group."""
_USUAL_CHAIN = 4_000
"""Where the certificates' length was not noted, as in older measurements."""
_DOH = 10_000
"""One question over a connection of its own, whose handshake is not on record."""
_QUIC, _QUIC_SILENT = 12_500, 13_000
"""One question over HTTP/3, answered, or sent again for as long as a look waits."""
_REQUEST, _HEAD = 700, 1_500
_IN_FLIGHT, _IN_FLIGHT_FAST = 17_000, 34_000
"""What was under way when the rest of an answer was no longer wanted: a server's first flight, and
that of one that has gathered speed."""
_OVERHEAD = 1.07
"""Headers and acknowledgements, on top of what an answer carries."""
_SYN_AGAIN, _DATA_AGAIN = 1.0, 0.2
"""Seconds until something is sent again for the first time; each further pause is twice as long."""


def bytes_of(measurement: Measurement) -> int:
    """Bytes on the wire, both ways, that a measurement took, about."""
    return round(sum(map(_bytes_of, measurement.observations)))


def fetch_bytes(size: int) -> int:
    """Bytes on the wire, both ways, to fetch so much of an object over a connection of its own."""
    opened = _CONNECTION + hello_bytes() + _SERVER_HELLO + _USUAL_CHAIN
    return round(opened + _REQUEST + _HEAD + _OVERHEAD * (size + _IN_FLIGHT_FAST))


def request_bytes() -> int:
    """Bytes on the wire, both ways, of one https request that is answered in a few words, where
    both address families are tried."""
    opened = _CONNECTION + hello_bytes() + 2 * _PACKET + _SERVER_HELLO + _USUAL_CHAIN
    return 2 * (_QUERY + _REPLY + opened) + _REQUEST + _HEAD


def routine_bytes(vantage: str, looks: Iterable[Measurement]) -> int:
    """Bytes of those of `looks` that a vantage makes in every cycle."""
    return sum(
        bytes_of(look)
        for look in looks
        if look.vantage == vantage and purse_of(look.look) is Allotment.LOOKS
    )


@functools.cache
def hello_bytes() -> int:
    """Length of this machine's ClientHello: with post-quantum groups it is thrice the old one."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(
        incoming, outgoing, server_hostname="www.example.com"
    )
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.pending
    raise AssertionError("a handshake cannot end before it began")


def _bytes_of(observation: Observation) -> float:
    silent = observation.failure in TIMEOUTS
    match observation:
        case DnsObservation(transport="doh"):
            return _DOH
        case DnsObservation():
            stream = 0 if observation.transport == "udp" else _CONNECTION
            return stream + _QUERY * observation.tries + _REPLY * len(observation.answers)
        case TcpObservation():
            return _PACKET * _sent(observation.duration, _SYN_AGAIN) if silent else _CONNECTION
        case TlsObservation():
            hello = hello_bytes() + 2 * _PACKET
            if silent:
                return hello * (1 + _sent(observation.duration, _DATA_AGAIN))
            if observation.failure is not None and not observation.chain_bytes:
                return hello + 2 * _PACKET
            return hello + _SERVER_HELLO + (observation.chain_bytes or _USUAL_CHAIN)
        case QuicObservation():
            return _QUIC_SILENT if silent else _QUIC
        case HttpObservation():
            head = _HEAD if observation.status else 0
            rest = _IN_FLIGHT if observation.body_truncated else 0
            return _REQUEST + head + _OVERHEAD * (observation.body_length + rest)
        case TransferObservation():
            rest = _IN_FLIGHT_FAST if observation.bytes_read >= observation.bytes_wanted else 0
            return _REQUEST + _HEAD + _OVERHEAD * (observation.bytes_read + rest)
        case AppObservation() | EgressObservation():
            return 2 * _CONNECTION
        case _:
            return _CONNECTION


def _sent(seconds: float, first: float) -> int:
    """How often something was sent in so many seconds of silence, pauses doubling each time."""
    return 1 + int(math.log2(seconds / first + 1))


class Traffic:
    """Bytes per vantage and day, and those that looks under way are expected to take."""

    def __init__(self) -> None:
        self._days: dict[str, tuple[date, Spent]] = {}
        self._held: dict[str, Spent] = {}

    def add(self, measurement: Measurement, purse: Allotment | None = None) -> int:
        """Count a measurement on the day it started; what it took.

        `purse` is what it was for, where that is not what its kind says.
        """
        count = bytes_of(measurement)
        paid_from = purse or purse_of(measurement.look)
        self.pay(measurement.vantage, measurement.started_at.date(), paid_from, count)
        return count

    def pay(self, vantage: str, day: date, purse: Allotment, count: int) -> None:
        """Count so many bytes on a day."""
        known, spent = self._days.get(vantage, (day, NOTHING))
        if day >= known:  # one may begin before midnight and be done after it
            before = spent if day == known else NOTHING
            self._days[vantage] = (day, before.plus(purse, count))

    def spent(self, vantage: str, day: date) -> Spent:
        """Bytes of one vantage on one day, nothing for days gone by, and what is held."""
        known, spent = self._days.get(vantage, (day, NOTHING))
        return self._held.get(vantage, NOTHING).and_(spent if known == day else NOTHING)

    @contextmanager
    def holding(self, vantage: str, purse: Allotment, count: int) -> Iterator[None]:
        """Keep `count` bytes for a look while it is under way."""
        self._held[vantage] = self._held.get(vantage, NOTHING).plus(purse, count)
        try:
            yield
        finally:
            self._held[vantage] = self._held[vantage].plus(purse, -count)
