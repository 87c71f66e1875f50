"""Measurement and Observation: what each layer showed, without any judgement.

These values never change and so never form a reference cycle. Python's garbage collector skips
observations (`gc=False`), which saves measurable time over thousands of them. A Measurement allows
weak references instead, so that what it came to is remembered for as long as it lives.

Times inside a measurement are seconds relative to its start; `started_at` is UTC. No value holds
the vantage's own address: `probes.layers.scrub` removes it before a Measurement leaves the probes.
"""

from datetime import datetime
from enum import StrEnum

import msgspec
import uuid_utils

LEGAL_REASONS = 451
"""HTTP status: unavailable for legal reasons (RFC 7725)."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""HTTP statuses that lead to another URL."""

REFERENCE_PLATFORM = "reference"
"""The `platform` of measurements of references; no platform may have this name."""

LATE_ANSWER = "late_answer"
"""Reason of a DNS answer that came after the measurement went on: its addresses were not tried."""


class Layer(StrEnum):
    """The layers of one measurement, in the order in which they are reached."""

    EGRESS = "egress"
    """The connection to our own proxy: a failure here says nothing about the endpoint."""
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    APP = "app"
    """An application's own protocol: MTProto, WhatsApp's Noise, STUN, NTP."""
    QUIC = "quic"
    TRANSFER = "transfer"


class Purpose(StrEnum):
    """Why a measurement was made."""

    SCHEDULED = "scheduled"
    RETRY = "retry"
    """A further attempt after a pause, because the one before failed."""
    CONTROL = "control"
    """From a control vantage, after a field measurement failed."""
    FOLLOW_UP = "follow_up"
    """Extra observations, each with its reason, made because a measurement failed."""
    TRANSFER = "transfer"
    """Bytes over time, to find throttling and stalls."""
    REFERENCE = "reference"
    """Of a reference, to learn the vantage's own health."""
    ADHOC = "adhoc"
    """Requested by hand: `shutwatch probe`."""


class Observation(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="layer"
):
    """What one layer showed."""

    start: float
    """Seconds since the measurement started."""
    duration: float
    """Seconds."""
    failure: str | None = None
    """A string of `probes.failure_strings`, or None when the layer worked."""
    reason: str = ""
    """Empty for the measurement itself, else why this extra observation was made."""


class EgressObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="egress"):
    """The connection to our own proxy and the dialogue with it."""

    reply: str = ""
    """The proxy's own text or code, when it refused."""


class DnsAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One reply to one query. A second, different reply to it is a sign of injection."""

    delay: float
    """Seconds from the query to this reply."""
    rcode: str
    """NOERROR, NXDOMAIN, SERVFAIL, REFUSED, …"""
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    query: int = 1
    """The query it answers, counting from 1. A later query may get another answer, but the same
    query may not."""


DOH = "doh"
"""The transport of DNS over HTTPS: nobody on the path can read the question or forge the answer."""


class DnsObservation(Observation, frozen=True, kw_only=True, omit_defaults=True, tag="dns"):
    """One name, one record type, one resolver, and every reply within the window."""

    name: str
    rtype: str
    """A or AAAA."""
    resolver: str
    """Address and port, or URL; followed by ` through proxy` where a proxy was used."""
    transport: str = "udp"
    """udp, tcp or doh."""
    stub: bool = False
    """True when only a local forwarder could be asked; it hides injected answers."""
    tries: int = 1
    """Queries sent before the first reply, or in total when none came."""
    answers: tuple[DnsAnswer, ...] = ()
    bytes_besides: int = 0
    """Bytes that came besides ordinary replies, where these are many, as in a reply of 64 KiB over
    TCP. Older measurements do not count them."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of the first reply that has any, as an application would use them."""
        return next((answer.addresses for answer in self.answers if answer.addresses), ())


class _AtAddress(Observation, frozen=True, kw_only=True, omit_defaults=True):
    """What a layer showed at one address."""

    address: str
    """The address connected to; empty through a proxy that resolves."""

    @property
    def family(self) -> str:
        """`ipv4`, `ipv6`, or empty when the address is not known."""
        return family_of(self.address)


FURTHER = 2
"""Routers away, or more: a larger number would tell something of where the vantage is."""


class TcpObservation(_AtAddress, frozen=True, kw_only=True, omit_defaults=True, tag="tcp"):
    port: int
    retransmits: int = 0
    """Segments sent again while connecting, where the kernel reports it."""
    routers: int = 0
    """How many routers away the last one is that reported the end of a connection request which may
    not go further, up to FURTHER; 0: none did, or none was asked."""
    ways: int = 0
    """How many ways to other addresses share that router and go on, all through the same next one;
    0 where they part there."""


class Hello(StrEnum):
    """The form of a TLS greeting (ClientHello)."""

    USUAL = ""
    """OpenSSL's own. From version 3.5 on that is nearest to a browser's: with a post-quantum key
    share it takes two packets."""
    SHORT = "short"
    """With a key share for X25519 alone, as of many apps and older programs: one packet."""
    PARTS = "parts"
    """The short one in two packets."""


ONE_PACKET = 1400
"""Bytes of a greeting that fit into one packet on nearly every line."""


class TlsObservation(_AtAddress, frozen=True, kw_only=True, omit_defaults=True, tag="tls"):
    """One TLS handshake with verification on."""

    port: int
    server_name: str
    hello: Hello = Hello.USUAL
    hello_bytes: int = 0
    """Length of the greeting; 0 where it is not known."""
    version: str = ""
    cipher: str = ""
    alpn: str = ""
    alert: bool = False
    """True when the failure was a TLS alert the peer sent."""
    verify_error: str = ""
    """OpenSSL's text for why verification failed."""
    chain_sha256: str = ""
    """Hex digest over the presented certificates, leaf first."""
    chain_bytes: int = 0
    """Their total length in bytes: most of what a handshake transfers."""
    chain: tuple[bytes, ...] = ()
    """DER certificates, kept only when verification failed."""


class HttpObservation(_AtAddress, frozen=True, kw_only=True, omit_defaults=True, tag="http"):
    """One request and its response; each hop of a redirect chain has its own observation."""

    url: str
    hop: int = 0
    """0 for the first request, 1 for the first redirect followed, …"""
    status: int = 0
    """0 when no response came."""
    title: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    location: str = ""
    """Target of a redirect, scrubbed."""
    body_length: int = 0
    """Bytes read; the body may have been longer, see body_truncated."""
    body_truncated: bool = False
    bytes_besides: int = 0
    """Bytes that came besides the body, where these are more than an ordinary head has, as with
    endless headers. Older measurements do not count them."""
    body_sha256: str = ""
    """Hex digest of the scrubbed body that was read."""
    body: str = ""
    """Scrubbed text, kept only when the response looked suspicious."""
    expected: bool = True
    """False when the catalogue states the right answer and this is another."""


class AppObservation(_AtAddress, frozen=True, kw_only=True, omit_defaults=True, tag="app"):
    """One question in an application's own protocol, which only the real server can answer.

    Over TCP the connection has its own observation. A middlebox that completes handshakes shows as
    TCP that worked and an application that did not.
    """

    protocol: str
    """mtproto, whatsapp, stun or ntp."""
    port: int
    first_reply: float = 0.0
    """Seconds from the question to the first byte of the answer; 0 when none came."""


class QuicObservation(_AtAddress, frozen=True, kw_only=True, omit_defaults=True, tag="quic"):
    """One QUIC handshake with verification on, and an HTTP/3 request if it succeeded."""

    port: int
    server_name: str
    version: str = ""
    """QUIC version agreed on, such as `0x00000001`."""
    alpn: str = ""
    status: int = 0
    """Status of the HTTP/3 response; 0 when none came."""


TRANSFER_TARGET = "transfer_target"
"""Reason of observations of an object under its own name."""
TRANSFER_INNOCUOUS = "transfer_innocuous"
"""Reason for the same request under an innocuous name at the same address."""
TRANSFER_REFERENCE = "transfer_reference"
"""Reason for an object at another site."""


class TransferObservation(
    Observation, frozen=True, kw_only=True, omit_defaults=True, tag="transfer"
):
    """Bytes over time on one object."""

    url: str
    address: str
    server_name: str
    """The name sent in the ClientHello, which may be an innocuous one."""
    verified: bool = True
    """False when the certificate was not judged, as for an innocuous name."""
    first_byte: float = 0.0
    """Seconds from the request to the first byte that came after it."""
    bytes_before: int = 0
    """Bytes that came before the request: the handshake. Older measurements do not count them."""
    bytes_wanted: int = 0
    bytes_read: int = 0
    """Bytes that came after it, as TCP carries them."""
    marks: tuple[tuple[float, int], ...] = ()
    """(seconds since the request, bytes read so far), at most 64 of them, the last one included."""
    held_up: float | None = None
    """Seconds in which this machine was too busy to notice data; None: not counted."""


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
    return LAYER_OF[type(observation)]


def family_of(address: str) -> str:
    """`ipv4`, `ipv6`, or empty for no address."""
    if not address:
        return ""
    return "ipv6" if ":" in address else "ipv4"


def id_at(moment: datetime) -> str:
    """A new UUIDv7 of that moment: it sorts by our time, whatever the machine's clock shows."""
    return str(uuid_utils.uuid7(nanoseconds=int(moment.timestamp() * 1e9)))


class Measurement(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """One endpoint, one vantage, one moment."""

    id: str
    """UUIDv7."""
    cycle: str
    """UUIDv7 of its cycle; empty for an ad-hoc measurement."""
    vantage: str
    country: str
    asn: int
    network: str
    vantage_role: str
    """field or control."""
    platform: str
    """A platform's name, or `reference`."""
    function: str
    """A function's name; for references the scope."""
    endpoint: str
    """`Endpoint.id`."""
    look: Purpose = Purpose.SCHEDULED
    attempt: int = 1
    """1 for the first attempt, then counting up."""
    started_at: datetime
    """UTC."""
    duration: float
    """Seconds."""
    observations: tuple[AnyObservation, ...] = ()
    not_observed: tuple[Layer, ...] = ()
    """Layers that this kind of endpoint has but that were omitted or hidden by a proxy."""
    reached: bool
    """The endpoint answered as it should at one address or more. A fact, not a verdict."""

    def of(self, layer: Layer) -> tuple[AnyObservation, ...]:
        """The observations of one layer that belong to the measurement itself, in order."""
        return tuple(o for o in self.observations if layer_of(o) is layer and not o.reason)

    @property
    def ended_at(self) -> float:
        """POSIX seconds at which the measurement ended."""
        return self.started_at.timestamp() + self.duration


def answering_addresses(made: Measurement) -> set[str]:
    """Addresses at which the endpoint answered: in TLS or in the application's own protocol, where
    it was asked so."""
    proven = [o for o in made.observations if isinstance(o, TlsObservation | AppObservation)]
    dialled = [o for o in made.observations if isinstance(o, TcpObservation)]
    return {o.address for o in proven or dialled if o.address and o.failure is None}
