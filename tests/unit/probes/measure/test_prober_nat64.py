"""NAT64 prefixes that a prober learns."""

from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import DnsObservation, TcpObservation
from probes.target import Target
from probes.testing import DnsReply, ScriptedNetwork, VirtualClockLoop
from tests.unit.probes.measure.scripted_prober import RESOLVER, V4, WEB, X, prober, replaced, seen

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""


async def test_an_ipv4_endpoint_is_reached_through_a_learnt_nat64() -> None:
    """The prefix is learnt from ipv4only.arpa. Then an IPv4 address is dialled behind it, and an
    answer under a local prefix is no bogon."""
    network = ScriptedNetwork(families=("ipv6",))
    resolver = network.resolver(RESOLVER)
    prefix = "fd00:64::"
    resolver.answers("ipv4only.arpa", "AAAA", DnsReply(addresses=(f"{prefix}c000:aa",)))
    resolver.answers("x.com", "AAAA", DnsReply(addresses=(f"{prefix}cb00:710a",)))
    network.peer(f"{prefix}cb00:710a", 443, WEB)
    one = prober(network)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    bogon = await one.measure(target)
    assert {o.failure for o in seen(bogon, DnsObservation) if o.rtype == "AAAA"} == {
        "dns_bogon_error"
    }
    assert await one.learn_nat64(alone=True) == ("fd00:64::/96",)
    assert (await one.measure(target)).reached
    by_address = replaced(target, endpoint=parse_endpoint(f"tcp://{V4}:443"))
    literal = await one.measure(by_address)
    assert [o.address for o in seen(literal, TcpObservation)] == [f"{prefix}cb00:710a"]
    assert literal.reached
    assert network.left_open == 0


async def test_a_nat64_is_learnt_from_the_resolver_that_answers() -> None:
    """The first resolver may be dead, and the other one gives every made-up address. Each of them
    was taken for a lie: the prefix was asked of the first alone."""
    network = ScriptedNetwork(families=("ipv6",))
    network.resolver(RESOLVER).stays_silent("ipv4only.arpa").stays_silent("x.com")
    prefix, other = "64:ff9b:1::", "192.0.2.54"
    answers = network.resolver(other).answers
    answers("ipv4only.arpa", "AAAA", DnsReply(addresses=(f"{prefix}c000:aa",)))
    answers("x.com", "AAAA", DnsReply(addresses=(f"{prefix}cb00:710a",)))
    network.peer(f"{prefix}cb00:710a", 443, WEB)
    one = prober(network, resolvers=(RESOLVER, other))
    assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    assert (await one.measure(target)).reached


async def test_a_nat64_is_not_forgotten_over_lost_questions() -> None:
    """Where no resolver answers this time, the network may well be the same."""
    network = ScriptedNetwork(families=("ipv6",))
    answers = network.resolver(RESOLVER).answers
    answers("ipv4only.arpa", "AAAA", DnsReply(addresses=("64:ff9b:1::c000:aa",)))
    one = prober(network)
    assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
    network.resolver(RESOLVER).stays_silent("ipv4only.arpa")
    assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
    # An answer without a prefix counts: it is another network.
    network = ScriptedNetwork(families=("ipv6",))
    network.resolver(RESOLVER).answers("ipv4only.arpa", "AAAA", DnsReply())
    one.network = network
    assert await one.learn_nat64(alone=True) == ()


async def test_a_nat64_prefix_beside_our_own_address_is_withheld() -> None:
    """A prefix inside the vantage's own network is withheld."""
    network = ScriptedNetwork(own={"ipv4": "2001:db8:64:1::7"})
    network.resolver(RESOLVER).answers(
        "ipv4only.arpa", "AAAA", DnsReply(addresses=("2001:db8:64:ff::c000:aa",))
    )
    assert await prober(network).learn_nat64(alone=True) == ("withheld",)
