"""A look that is to cost little leaves out what does not decide whether an endpoint is reached."""

from datetime import UTC, datetime

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint import parse_endpoint
from probes.layers.http import make_client
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


async def glanced(
    reduction: Reduction | None,
    endpoint: str | Endpoint = "https://x.com/",
    *,
    v6: tuple[str, ...] = V6,
    peer: Peer | None = None,
) -> tuple[ScriptedNetwork, Measurement]:
    """One look at an endpoint with three IPv4 addresses and those of IPv6."""
    network = ScriptedNetwork()
    resolver = network.resolver(RESOLVER)
    resolver.answers("x.com", "A", DnsReply(addresses=V4))
    resolver.answers("x.com", "AAAA", DnsReply(addresses=v6))
    for address in (*V4, *v6):
        for port in (443, 80):
            network.peer(address, port, peer or Peer(chain=CERTIFICATES, says=(PAGE,)))
    found = parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
    prober = Prober(
        VantagePoint(id="here", country="PK"),
        network,
        ProbeSettings(dns_window=0.0, bogon_allow=("203.0.113.0/24", "2001:db8::/32")),
        make_client(),
        resolvers=lambda: [ResolverAddress(address=RESOLVER)],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )
    looked = await prober.measure(
        Target(platform="x", role="web", endpoint=found), reduction=reduction
    )
    assert network.left_open == 0
    return network, looked


def kinds(look: Measurement) -> set[type]:
    """What was observed."""
    return {type(observation) for observation in look.observations}


async def test_greeting_proves_reach_and_asks_nothing() -> None:
    """The handshake is verified as ever, no byte is sent after it, and the look says so."""
    network, look = await glanced(Reduction(greet=True))
    assert look.reached
    assert HttpObservation not in kinds(look)
    assert look.not_observed == (Layer.HTTP,)
    assert all(not stream.sent for stream in network.streams)
    handshakes = [o for o in look.observations if isinstance(o, TlsObservation)]
    assert {o.chain_bytes for o in handshakes} == {2000}


async def test_a_greeting_that_is_interfered_with_is_not_reached() -> None:
    """A reset after the name is as visible as in a whole look."""
    _, look = await glanced(Reduction(greet=True), peer=Peer(tls=reset_by_peer(), chain=()))
    assert not look.reached
    assert {o.failure for o in look.observations if isinstance(o, TlsObservation)} == {
        "connection_reset"
    }


async def test_what_must_answer_something_is_asked_all_the_same() -> None:
    """An endpoint whose answer is stated, and one in cleartext, prove nothing by connecting."""
    stated = Endpoint(
        kind=parse_endpoint("https://x.com/").kind, host="x.com", port=443, expect_status=(204,)
    )
    _, look = await glanced(Reduction(greet=True), stated, peer=Peer(says=(MOVED,)))
    assert (look.reached, look.not_observed) == (True, ())
    _, look = await glanced(Reduction(greet=True), "http://x.com/")
    assert HttpObservation in kinds(look)


async def test_one_family_and_few_addresses() -> None:
    """Only the family named is dialled, no more addresses of it than allowed."""
    _, look = await glanced(Reduction(family="ipv4"))
    dialled = {o.address for o in look.observations if isinstance(o, TcpObservation)}
    assert dialled == set(V4[:2])
    _, look = await glanced(Reduction(family="ipv6"))
    assert {o.family for o in look.observations if isinstance(o, TcpObservation)} == {"ipv6"}


async def test_a_name_without_the_family_is_looked_at_over_what_it_has() -> None:
    """IPv6 being this look's turn is no reason not to look at a site that has none."""
    _, look = await glanced(Reduction(family="ipv6"), v6=())
    assert look.reached
    assert {o.family for o in look.observations if isinstance(o, TcpObservation)} == {"ipv4"}
