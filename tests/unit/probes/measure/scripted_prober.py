"""A prober on a scripted network, and what is asked of its measurements."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.http import HttpClient
from probes.measure.prober import Prober
from probes.measurement import Measurement, Observation
from probes.settings import ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Target
from probes.testing import DnsReply, Peer, PeerReply, ScriptedNetwork, over_tcp
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint

Seen = TypeVar("Seen", bound=Observation)
S = TypeVar("S", bound=msgspec.Struct)

RESOLVER, SECOND = "192.0.2.53", "192.0.2.54"
V4, V4_OTHER, V6 = "203.0.113.10", "203.0.113.11", "2001:db8:113::10"
FAST = ProbeSettings(
    dns_timeout=0.09,
    tcp_timeout=0.1,
    tls_timeout=0.1,
    http_timeout=0.1,
    dns_window=0.0,
    bogon_allow=("203.0.113.0/24", "2001:db8::/32", "192.0.2.0/24"),
)
PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 31\r\n\r\n"
    b"<title>X</title> it's happening"
)
WEB = Peer(connect_delay=0.001, tls_delay=0.001, replies=(PAGE,), reply_delay=0.001)
X = "https://x.com/"


def replaced(value: S, **changes: object) -> S:
    """A script or settings with some fields changed."""
    return msgspec.structs.replace(value, **changes)


def redirect(to: str, status: int = 302) -> bytes:
    """A redirect."""
    head = f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    return head.encode("latin-1")


def scripted(
    *addresses: str, name: str = "x.com", families: tuple[str, ...] = ("ipv4", "ipv6")
) -> ScriptedNetwork:
    """A network whose resolver gives these addresses for `name`."""
    network = ScriptedNetwork(families=families)
    resolver = network.resolver(RESOLVER)
    v4 = tuple(a for a in addresses if ":" not in a)
    v6 = tuple(a for a in addresses if ":" in a)
    resolver.answers(name, "A", DnsReply(addresses=v4, delay=0.001))
    resolver.answers(name, "AAAA", DnsReply(addresses=v6, delay=0.001))
    return network


def prober(
    network: ScriptedNetwork,
    *,
    settings: ProbeSettings = FAST,
    resolvers: Sequence[str] = (RESOLVER,),
    egress: Egress | None = None,
    resolver: Resolver | None = None,
) -> Prober:
    """A prober of a vantage in Pakistan."""
    vantage = VantagePoint(
        id="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        egress=egress or Egress(),
        resolver=resolver or Resolver(),
    )
    return Prober(
        vantage,
        network,
        settings,
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address=address) for address in resolvers],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )


async def measure(
    network: ScriptedNetwork,
    endpoint: str | Endpoint = X,
    *,
    settings: ProbeSettings = FAST,
    resolvers: Sequence[str] = (RESOLVER,),
    egress: Egress | None = None,
    resolver: Resolver | None = None,
) -> Measurement:
    """One measurement, which must leave nothing open."""
    found = parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
    one = prober(network, settings=settings, resolvers=resolvers, egress=egress, resolver=resolver)
    measurement = await one.measure(Target(platform="x", function="web", endpoint=found))
    assert network.left_open == 0
    assert len(asyncio.all_tasks()) == 1
    return measurement


def seen(measurement: Measurement, kind: type[Seen]) -> list[Seen]:
    """The observations of one layer."""
    return [o for o in measurement.observations if isinstance(o, kind)]


def failures(measurement: Measurement, kind: type[Seen]) -> list[str | None]:
    """The failures of one layer, in order."""
    return [o.failure for o in seen(measurement, kind)]


SOCKS = Egress(kind=EgressKind.SOCKS5, proxy_host="192.0.2.1", proxy_port=1080)
CONNECT = Egress(kind=EgressKind.CONNECT, proxy_host="192.0.2.1", proxy_port=3128)
HELLO, GRANTED = b"\x05\x00", b"\x05\x00\x00\x01" + b"\0" * 6


def proxy(*says: PeerReply, **changes: object) -> Peer:
    """A SOCKS5 proxy that allows everything and then acts as the endpoint."""
    return Peer(replies=(HELLO, GRANTED, *says), **changes)  # type: ignore[arg-type]


def dns_through_proxy(reply: DnsReply) -> Peer:
    """A connection through the proxy to a resolver."""
    greeting = len(b"\x05\x01\x00") + len(b"\x05\x01\x00\x01" + b"\0" * 6)
    return proxy(lambda sent: over_tcp(sent[greeting:], reply))
