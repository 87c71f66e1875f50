"""Measurement and Observation: what was seen, layer by layer, with no judgement in it.

Values, made once and never changed, so that none can lead back to itself: the search for garbage
that reference counting leaves passes them over (`gc=False`), which a look in thousands feels.

Times inside a measurement are seconds relative to its start; `started_at` is UTC. Nothing
here ever holds the vantage's own address: `probes.layers.scrub` removes it before a Measurement
leaves the probes.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

REFERENCE_PLATFORM = "reference"
"""Stands in the `platform` column of measurements of references; no platform may be named so."""


LATE_ANSWER = "late_answer"
"""Reason of a DNS answer that came when the look had gone on: nothing was tried with it."""


class Layer(StrEnum):
    """The layers of one look, in the order they are reached."""

    EGRESS = "egress"
    """The way to our own proxy: a failure here says nothing about the endpoint."""
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    APP = "app"
    """What an application says on a connection of its own: MTProto, STUN."""
    QUIC = "quic"
    TRANSFER = "transfer"


class Purpose(StrEnum):
    """Why a measurement was made."""

    SCHEDULED = "scheduled"
    RETRY = "retry"
    """The same endpoint again, after a pause, because the look before it failed."""
    CONTROL = "control"
    """From a control vantage, after a field look failed."""
    FOLLOW_UP = "follow_up"
    """Extra observations, each with its reason, made because a look went wrong."""
    TRANSFER = "transfer"
    """Bytes over time, to find throttling and stalls."""
    REFERENCE = "reference"
    """Of a reference, to learn the vantage's own health."""
    ADHOC = "adhoc"
    """Asked for by hand: `shutwatch probe`."""


class Observation(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="layer"
):
    """What one layer showed."""

    start: float
    """Seconds since the measurement started."""
    duration: float
    """Seconds."""
    failure: str | None = None
    """A string of `probes.failure`, or None when the layer worked."""
    reason: str = ""
    """Empty for the look itself, else why this extra observation was made."""


class EgressObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="egress"):
    """The connection to, and the dialogue with, our own proxy."""

    reply: str = ""
    """The proxy's own words or code, when it refused."""


class DnsAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One reply to one query; a second differing one on the same query is a sign of injection."""

    delay: float
    """Seconds from the query to this reply."""
    rcode: str
    """NOERROR, NXDOMAIN, SERVFAIL, REFUSED, …"""
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    query: int = 1
    """Which of the queries sent it answers, counting from 1: a later query may well get another
    answer, the same query may not."""


DOH = "doh"
"""The transport of DNS over HTTPS: nobody on the way can read the question or forge the answer."""


class DnsObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="dns"):
    """One name, one record type, one resolver, and every reply within the window."""

    name: str
    rtype: str
    """A or AAAA."""
    resolver: str
    """Address and port asked, or URL; with ` through proxy` behind it where that was the way."""
    transport: str = "udp"
    """udp, tcp or doh."""
    stub: bool = False
    """True when only a local forwarder could be asked, which hides injected answers."""
    tries: int = 1
    """Queries sent before the first reply, or in all."""
    answers: tuple[DnsAnswer, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of the first reply that has any: what a resolving application would use."""
        return next((answer.addresses for answer in self.answers if answer.addresses), ())


class TcpObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="tcp"):
    """One TCP connection attempt."""

    address: str
    port: int
    retransmits: int = 0
    """Segments sent again while connecting, where the kernel tells."""

    @property
    def family(self) -> str:
        """`ipv4` or `ipv6`."""
        return family_of(self.address)


class TlsObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="tls"):
    """One TLS handshake with verification on."""

    address: str
    """The address connected to; empty through a proxy that resolves."""
    port: int
    server_name: str
    version: str = ""
    cipher: str = ""
    alpn: str = ""
    alert: bool = False
    """True when the failure was a TLS alert the peer sent."""
    verify_error: str = ""
    """OpenSSL's words for why verification failed."""
    chain_sha256: str = ""
    """Hex digest over the presented certificates, leaf first."""
    chain_bytes: int = 0
    """Their length in all: most of what a handshake brings."""
    chain: tuple[bytes, ...] = ()
    """DER certificates, kept only when verification failed."""

    @property
    def family(self) -> str:
        """`ipv4`, `ipv6`, or empty when the address is not known."""
        return family_of(self.address)


class HttpObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="http"):
    """One request and its response; each hop of a redirect chain is one of its own."""

    url: str
    address: str
    hop: int = 0
    """0 for the first request, 1 for the first redirect followed, …"""
    status: int = 0
    """0 when no response came."""
    title: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    location: str = ""
    """Where a redirect pointed, scrubbed."""
    body_length: int = 0
    """Bytes read; the body may have been longer, see body_truncated."""
    body_truncated: bool = False
    body_sha256: str = ""
    """Hex digest of the scrubbed body that was read."""
    body: str = ""
    """Scrubbed text, kept only when the response looked suspicious."""
    expected: bool = True
    """False when the endpoint states what it must answer and this was something else."""

    @property
    def family(self) -> str:
        """`ipv4`, `ipv6`, or empty when the address is not known."""
        return family_of(self.address)


class AppObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="app"):
    """One question in an application's own protocol, which only the real server can answer.

    Over TCP the connection is an observation of its own, so that a middlebox which completes
    handshakes shows: TCP worked, this did not.
    """

    protocol: str
    """mtproto or stun."""
    address: str
    """The address asked; empty through a proxy that resolves."""
    port: int
    first_reply: float = 0.0
    """Seconds from the question to the first byte that came back; 0 when none did."""

    @property
    def family(self) -> str:
        """`ipv4`, `ipv6`, or empty when the address is not known."""
        return family_of(self.address)


class QuicObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="quic"):
    """One QUIC handshake, with verification on, and an HTTP/3 request where it succeeded."""

    address: str
    port: int
    server_name: str
    version: str = ""
    """QUIC version agreed on, as in `0x00000001`."""
    alpn: str = ""
    status: int = 0
    """Of the HTTP/3 response; 0 when none was asked for or came."""

    @property
    def family(self) -> str:
        """`ipv4` or `ipv6`."""
        return family_of(self.address)


TRANSFER_TARGET = "transfer_target"
"""Reason of observations of an object under its own name."""
TRANSFER_INNOCUOUS = "transfer_innocuous"
"""Of the same request under an innocuous name on the same address."""
TRANSFER_REFERENCE = "transfer_reference"
"""Of an object elsewhere."""


class TransferObservation(
    Observation, frozen=True, kw_only=True, omit_defaults=True, tag="transfer"
):
    """Bytes over time on one object."""

    url: str
    address: str
    server_name: str
    """The name sent in the ClientHello, which may be an innocuous one."""
    verified: bool = True
    """False when the certificate was not judged, as with an innocuous name on a foreign address."""
    first_byte: float = 0.0
    """Seconds from the request to the first byte of the answer."""
    bytes_wanted: int = 0
    bytes_read: int = 0
    marks: tuple[tuple[float, int], ...] = ()
    """(seconds since the request, bytes read so far), at most 64 of them, the last one included."""
    held_up: float | None = None
    """Seconds of it in which the machine kept us from noticing anything; None: nobody counted."""


AnyObservation = (
    EgressObservation
    | DnsObservation
    | TcpObservation
    | TlsObservation
    | HttpObservation
    | AppObservation
    | QuicObservation
    | TransferObservation
)

LAYER_OF: dict[type[Observation], Layer] = {
    EgressObservation: Layer.EGRESS,
    DnsObservation: Layer.DNS,
    TcpObservation: Layer.TCP,
    TlsObservation: Layer.TLS,
    HttpObservation: Layer.HTTP,
    AppObservation: Layer.APP,
    QuicObservation: Layer.QUIC,
    TransferObservation: Layer.TRANSFER,
}


def layer_of(observation: Observation) -> Layer:
    """The layer an observation is about."""
    return LAYER_OF[type(observation)]


def family_of(address: str) -> str:
    """`ipv4`, `ipv6`, or empty for no address."""
    if not address:
        return ""
    return "ipv6" if ":" in address else "ipv4"


class Measurement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One endpoint, one vantage, one moment."""

    id: str
    """UUIDv7."""
    cycle: str
    """UUIDv7 of the cycle it belongs to; empty for an ad-hoc look."""
    vantage: str
    country: str
    asn: int
    network: str
    vantage_role: str
    """field or control."""
    platform: str
    """A platform's name, or `reference`."""
    role: str
    """A role's name; for references the scope."""
    endpoint: str
    """`Endpoint.id`."""
    look: Purpose = Purpose.SCHEDULED
    attempt: int = 1
    """1 for the first look, counting up over retries."""
    started_at: datetime
    """UTC."""
    duration: float
    """Seconds."""
    observations: tuple[AnyObservation, ...] = ()
    not_observed: tuple[Layer, ...] = ()
    """Layers a proxy hides, or that this kind of endpoint has but could not be seen."""
    reached: bool
    """The endpoint answered as it should, on at least one address. A fact, not a verdict."""

    def of(self, layer: Layer) -> tuple[AnyObservation, ...]:
        """The observations of one layer that belong to the look itself, in order."""
        return tuple(o for o in self.observations if layer_of(o) is layer and not o.reason)

    @property
    def ended_at(self) -> float:
        """POSIX seconds at which the look ended."""
        return self.started_at.timestamp() + self.duration
