"""How many bytes a measurement used, estimated from what it recorded.

The estimate is on the high side: it counts bodies and certificates as they were read, and for the
rest what handshakes, queries and retransmissions take on the wire, link headers included. A test
compares it with the counters of a network interface.
"""

import functools
import math
import ssl

from probes.failure_strings import TIMEOUTS
from probes.measure.follow_up_reasons import Reason
from probes.measure.traceroute import COMPARED, MOST_ROUTERS
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
_SERVER_HELLO, _KEY_SHARE = 1_800, 1_100
"""What a server's side of a handshake takes without its certificates, tickets and acknowledgements
included; and the key share of a post-quantum group, which servers send to those who offer one."""
_LONG_HELLO = 1_000
"""A ClientHello longer than this offers a post-quantum group (OpenSSL 3.5 and later)."""
_USUAL_CHAIN = 4_000
"""Where the length of the certificates is not recorded, as in older measurements."""
_DOH, _DOH_NEXT = 10_000, 2_000
"""A query that opens a connection, whose handshake is not recorded; and the next one over it."""
_QUIC, _INITIAL = 12_500, 1_260
"""One request over HTTP/3; and one Initial, which QUIC fills up to this length."""
_REQUEST, _HEAD = 700, 1_500
_IN_FLIGHT, _IN_FLIGHT_FAST = 17_000, 34_000
"""Bytes under way when the rest of an answer was no longer wanted: a server's first flight, and
that of one that has gathered speed."""
_OVERHEAD = 1.07
"""Headers and acknowledgements, on top of what an answer carries."""
_WAY = 3 * _PACKET * MOST_ROUTERS * (1 + COMPARED)
"""How far packets come on the way to one address and to others: each request is answered by a
router, sent again in silence, or makes a connection. One observation stands for all of them."""
_SYN_AGAIN, _DATA_AGAIN = 1.0, 0.2
"""Seconds until something is sent again for the first time; each further pause is twice as long."""


def bytes_of(measurement: Measurement) -> int:
    """Bytes on the wire, both ways, that a measurement took, about."""
    return round(sum(map(_bytes_of, measurement.observations)))


def fetch_bytes(size: int) -> int:
    """Bytes on the wire, both ways, to fetch so much of an object over a connection of its own."""
    opened = _CONNECTION + hello_bytes() + _server_hello() + _USUAL_CHAIN
    return round(opened + _REQUEST + _HEAD + _OVERHEAD * (size + _IN_FLIGHT_FAST))


def request_bytes() -> int:
    """Bytes on the wire, both ways, of one https request that is answered in a few words, where
    both address families are tried."""
    opened = _CONNECTION + hello_bytes() + 2 * _PACKET + _server_hello() + _USUAL_CHAIN
    return 2 * (_QUERY + _REPLY + opened) + _REQUEST + _HEAD


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


def _server_hello() -> int:
    return _SERVER_HELLO + (_KEY_SHARE if hello_bytes() > _LONG_HELLO else 0)


def _bytes_of(observation: Observation) -> float:
    silent = observation.failure in TIMEOUTS
    match observation:
        case DnsObservation(transport="doh", rtype=rtype, answers=answers):
            return _DOH_NEXT if rtype == "AAAA" and answers else _DOH
        case DnsObservation():
            stream = 0 if observation.transport == "udp" else _CONNECTION
            replies = _REPLY * len(observation.answers) + _OVERHEAD * observation.bytes_besides
            return stream + _QUERY * observation.tries + replies
        case TcpObservation(reason=Reason.WAY):
            return _WAY
        case TcpObservation():
            return _PACKET * _sent(observation.duration, _SYN_AGAIN) if silent else _CONNECTION
        case TlsObservation():
            hello = hello_bytes() + 2 * _PACKET
            if silent:
                return hello * (1 + _sent(observation.duration, _DATA_AGAIN))
            if observation.failure is not None and not observation.chain_bytes:
                return hello + 2 * _PACKET
            return hello + _server_hello() + (observation.chain_bytes or _USUAL_CHAIN)
        case QuicObservation():
            return _INITIAL * _sent(observation.duration, _DATA_AGAIN) if silent else _QUIC
        case HttpObservation():
            head = _HEAD if observation.status else 0
            rest = _IN_FLIGHT if observation.body_truncated else 0
            rest = max(rest, observation.bytes_besides)
            return _REQUEST + head + _OVERHEAD * (observation.body_length + rest)
        case TransferObservation():
            rest = _IN_FLIGHT_FAST if observation.bytes_read >= observation.bytes_wanted else 0
            return _REQUEST + _HEAD + _OVERHEAD * (observation.bytes_read + rest)
        case AppObservation() | EgressObservation():
            return 2 * _CONNECTION
        case _:
            return _CONNECTION


def _sent(seconds: float, first: float) -> int:
    """How often something was sent in so many seconds of silence; each pause is twice as long."""
    return 1 + int(math.log2(seconds / first + 1))
