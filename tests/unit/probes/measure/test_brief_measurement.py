"""A reduced measurement omits what does not decide whether an endpoint is reached."""

from datetime import UTC, datetime

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.http import HttpClient
from probes.measure.prober import Prober
from probes.measurement import HttpObservation, Layer, Measurement, TcpObservation, TlsObservation
from probes.settings import ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Reduction, Target
from probes.testing import DnsReply, Peer, ScriptedNetwork, reset_by_peer
from probes.vantage import VantagePoint

RESOLVER = "192.0.2.53"
V4, V6 = ("203.0.113.10", "203.0.113.11", "203.0.113.12"), ("2001:db8:113::10",)
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"
MOVED = b"HTTP/1.1 204 No Content\r\n\r\n"
CERTIFICATES = (b"l" * 900, b"i" * 1100)


async def reduced(
    reduction: Reduction | None,
    endpoint: str | Endpoint = "https://x.com/",
    *,
    v6: tuple[str, ...] = V6,
    peer: Peer | None = None,
) -> tuple[ScriptedNetwork, Measurement]:
    """One reduced measurement of an endpoint with three IPv4 addresses and some IPv6 addresses."""
    network = ScriptedNetwork()
    resolver = network.resolver(RESOLVER)
    resolver.answers("x.com", "A", DnsReply(addresses=V4))
    resolver.answers("x.com", "AAAA", DnsReply(addresses=v6))
    for address in (*V4, *v6):
        for port in (443, 80):
            network.peer(address, port, peer or Peer(chain=CERTIFICATES, replies=(PAGE,)))
    found = parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
    prober = Prober(
        VantagePoint(id="here", country="PK"),
        network,
        ProbeSettings(dns_window=0.0, bogon_allow=("203.0.113.0/24", "2001:db8::/32")),
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address=RESOLVER)],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )
    measurement = await prober.measure(
        Target(platform="x", function="web", endpoint=found), reduction=reduction
    )
    assert network.left_open == 0
    return network, measurement


def kinds(measurement: Measurement) -> set[type]:
    """The observed layers."""
    return {type(observation) for observation in measurement.observations}


async def test_greeting_proves_reach_and_asks_nothing() -> None:
    """The handshake is verified, no byte is sent after it, and HTTP is marked as not observed."""
    network, measurement = await reduced(Reduction(greet=True))
    assert measurement.reached
    assert HttpObservation not in kinds(measurement)
    assert measurement.not_observed == (Layer.HTTP,)
    assert all(not stream.sent for stream in network.streams)
    handshakes = [o for o in measurement.observations if isinstance(o, TlsObservation)]
    assert {o.chain_bytes for o in handshakes} == {2000}


async def test_a_greeting_that_is_interfered_with_is_not_reached() -> None:
    """A reset after the name is as visible as in a whole measurement."""
    _, measurement = await reduced(Reduction(greet=True), peer=Peer(tls=reset_by_peer(), chain=()))
    assert not measurement.reached
    assert {o.failure for o in measurement.observations if isinstance(o, TlsObservation)} == {
        "connection_reset"
    }


async def test_what_must_answer_something_is_asked_all_the_same() -> None:
    """Endpoints with a stated answer, and those in cleartext, still get a request."""
    stated = Endpoint(
        kind=parse_endpoint("https://x.com/").kind, host="x.com", port=443, expect_status=(204,)
    )
    _, measurement = await reduced(Reduction(greet=True), stated, peer=Peer(replies=(MOVED,)))
    assert (measurement.reached, measurement.not_observed) == (True, ())
    _, measurement = await reduced(Reduction(greet=True), "http://x.com/")
    assert HttpObservation in kinds(measurement)


async def test_one_family_and_few_addresses() -> None:
    """Only the given family is dialled, with at most the given number of addresses."""
    _, measurement = await reduced(Reduction(family="ipv4"))
    dialled = {o.address for o in measurement.observations if isinstance(o, TcpObservation)}
    assert dialled == set(V4[:2])
    _, measurement = await reduced(Reduction(family="ipv6"))
    assert {o.family for o in measurement.observations if isinstance(o, TcpObservation)} == {"ipv6"}


async def test_a_name_without_the_family_is_measurement_at_over_what_it_has() -> None:
    """A site without the given family is measured over the other."""
    _, measurement = await reduced(Reduction(family="ipv6"), v6=())
    assert measurement.reached
    assert {o.family for o in measurement.observations if isinstance(o, TcpObservation)} == {"ipv4"}
