"""Names resolved over HTTPS."""

import base64
from collections.abc import Callable

from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.dns_message import encode_query
from probes.measurement import DnsObservation, Layer, TcpObservation
from probes.target import Target
from probes.testing import (
    DnsReply,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    encode_reply,
    reset_by_peer,
)
from probes.vantage import Resolver
from tests.unit.probes.measure.scripted_prober import (
    HELLO,
    PAGE,
    RESOLVER,
    SOCKS,
    V4,
    V6,
    WEB,
    X,
    measure,
    prober,
    scripted,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""

DOH_URL = "https://dns.example/dns-query"
DOH_ADDRESS = "203.0.113.53"


def doh_says(*replies: DnsReply) -> Peer:
    """A DNS-over-HTTPS server with its answers, all over one connection."""

    def answering(reply: DnsReply) -> Callable[[bytes], bytes]:
        def said(sent: bytes) -> bytes:
            text = sent.rpartition(b"?dns=")[2].split(b" ", 1)[0].decode()
            query = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            body = encode_reply(query, reply)
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

        return said

    return Peer(replies=tuple(map(answering, replies)))


async def test_a_resolver_over_https_is_asked_and_labelled_as_itself() -> None:
    """The machine's resolver is asked only for the DoH server's name; DoH answers the rest."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    network.peer(DOH_ADDRESS, 443, doh_says(DnsReply(addresses=(V4,)), DnsReply()))
    network.peer(V4, 443, WEB)
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert measurement.reached
    assert network.connects.count((DOH_ADDRESS, 443)) == 1
    assert {name for name, _ in network.resolver(RESOLVER).queries} == {"dns.example"}
    found = seen(measurement, DnsObservation)
    assert {(o.name, o.resolver, o.transport, o.failure) for o in found} == {
        ("x.com", DOH_URL, "doh", None)
    }
    assert seen(measurement, TcpObservation)[0].address == V4


async def test_a_resolver_over_https_answers_the_question_that_was_asked() -> None:
    """The answer to another question, as from a cache on the way, gives no address."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    stale = encode_reply(encode_query(0, "y.com", "A"), DnsReply(addresses=(V4,)))
    network.peer(DOH_ADDRESS, 443, doh_says(DnsReply(raw=stale), DnsReply()))
    network.peer(V4, 443, WEB)
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert network.connects == [(DOH_ADDRESS, 443)]
    found = {o.rtype: (o.failure, o.answers) for o in seen(measurement, DnsObservation)}
    assert found["A"] == ("dns_server_misbehaving", ())


async def test_a_resolver_over_https_that_hangs_up_is_asked_again() -> None:
    """The next question goes over a new connection where the server closes after each answer."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    network.peer(DOH_ADDRESS, 443, doh_says(DnsReply()), doh_says(DnsReply(addresses=(V6,))))
    network.peer(V6, 443, WEB)
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert measurement.reached
    assert network.connects.count((DOH_ADDRESS, 443)) == 2


async def test_a_resolver_over_https_that_cannot_be_reached_gives_no_address() -> None:
    """When the DoH server fails, no other resolver is asked."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    network.peer(DOH_ADDRESS, 443, Peer(tls=reset_by_peer()))
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert not measurement.reached
    found = seen(measurement, DnsObservation)
    assert [o.failure for o in found] == ["dns_non_recoverable_failure"] * 2
    assert {name for name, _ in network.resolver(RESOLVER).queries} == {"dns.example"}
    assert not seen(measurement, TcpObservation)


async def test_a_resolver_over_https_is_reached_by_name_through_the_proxy() -> None:
    """The proxy resolves the DoH server's name, and the endpoint is dialled by address."""
    network = ScriptedNetwork()
    says = doh_says(DnsReply(addresses=(V4,)), DnsReply())
    opened = b"\x05\x00\x00\x01" + b"\0" * 6
    network.peer(
        "192.0.2.1",
        1080,
        Peer(replies=(HELLO, opened, *says.replies)),
        Peer(replies=(HELLO, opened, PAGE)),
    )
    measurement = await measure(network, egress=SOCKS, resolver=Resolver(url=DOH_URL))
    asked = [stream.sent for stream in network.streams]
    assert b"\x03\x0bdns.example\x01\xbb" in asked[0]
    assert {o.resolver for o in seen(measurement, DnsObservation)} == {f"{DOH_URL} through proxy"}
    assert measurement.not_observed == (Layer.TCP,)


async def test_a_resolver_over_https_is_reached_through_a_learnt_nat64() -> None:
    """Its address may be IPv4, and the answer for its name may be made up, like any other."""
    prefix = "64:ff9b:1::"
    for url in (DOH_URL, f"https://{DOH_ADDRESS}/dns-query"):
        network = ScriptedNetwork(families=("ipv6",))
        resolver = network.resolver(RESOLVER)
        resolver.answers("ipv4only.arpa", "AAAA", DnsReply(addresses=(f"{prefix}c000:aa",)))
        resolver.answers("dns.example", "AAAA", DnsReply(addresses=(f"{prefix}cb00:7135",)))
        network.peer(f"{prefix}cb00:7135", 443, doh_says(DnsReply(addresses=(V4,)), DnsReply()))
        network.peer(f"{prefix}cb00:710a", 443, WEB)
        one = prober(network, resolver=Resolver(url=url))
        target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
        assert not (await one.measure(target)).reached
        assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
        assert (await one.measure(target)).reached, url
