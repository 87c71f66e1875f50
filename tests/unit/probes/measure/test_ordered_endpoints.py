"""Attacks by endpoints that only an order names: they reach no address of the host's own network,
and no address of anybody's many times."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.follow_up import follow_up
from probes.measure.follow_up_plan import FollowUpPlan, plan_http3
from probes.measure.follow_up_reasons import Reason
from probes.measure.ordered_addresses import MOST_PER_ADDRESS, OrderedLimits
from probes.measure.prober import Prober
from probes.measure.transfer import TransferPlan, transfer
from probes.measurement import DnsObservation, TcpObservation
from probes.target import Target
from probes.testing import DnsReply, ScriptedNetwork, VirtualClockLoop
from probes.vantage import Resolver
from tests.unit.probes.measure.scripted_prober import (
    RESOLVER,
    SOCKS,
    V4,
    WEB,
    dns_through_proxy,
    prober,
    proxy,
    redirect,
    replaced,
)

LOOP = VirtualClockLoop
PUBLIC, VICTIM = "93.184.216.34", "93.184.216.35"


def target(endpoint: str) -> Target:
    """In the catalogue of an order."""
    return Target(platform="ours", function="web", endpoint=parse_endpoint(endpoint))


def resolving(names: dict[str, str]) -> ScriptedNetwork:
    """A network where these names have these addresses, with a web server at each."""
    network = ScriptedNetwork(families=("ipv4",))
    for name, address in names.items():
        network.resolver(RESOLVER).answers(name, "A", DnsReply(addresses=(address,)))
        network.peer(address, 443, WEB)
    return network


def ordered(network: ScriptedNetwork, *endpoints: str) -> Prober:
    """A prober that measures these by an order alone."""
    made = prober(network)
    made.ordered = frozenset(endpoints)
    return made


@pytest.mark.parametrize("inside", [V4, "10.0.0.1", "169.254.169.254", "127.0.0.1"])
async def test_attack_an_ordered_name_that_leads_into_the_hosts_network(inside: str) -> None:
    """Whoever owns the name lets it lead to the vantage's own network (DNS rebinding). No packet
    goes there, not even where the host allows that network for endpoints of its own."""
    network = resolving({"ours.example": inside, "x.com": V4})
    one = ordered(network, "https://ours.example/")
    made = await one.measure(target("https://ours.example/"))
    assert network.connects == []
    assert not made.reached
    assert (await one.measure(target("https://x.com/"))).reached
    assert network.connects == [(V4, 443)]


async def test_attack_an_ordered_site_that_redirects_into_the_hosts_network() -> None:
    """The page of an ordered endpoint sends the vantage to an address, or a name, inside."""
    for onward in (f"https://{V4}/", "https://inside.example/"):
        network = resolving({"ours.example": PUBLIC, "inside.example": V4})
        network.peer(PUBLIC, 443, replaced(WEB, replies=(redirect(onward),)))
        await ordered(network, "https://ours.example/").measure(target("https://ours.example/"))
        assert network.connects == [(PUBLIC, 443)]


HOMES = (
    ("ipv4", "A", "93.184.216.1", "93.184.216.34", "1.1.1.1"),
    ("ipv6", "AAAA", "2a02:8108:77::5", "2a02:8108:77:1::1", "2606:4700::6"),
)
"""A family, its record type, an address of the machine, one beside it, and one elsewhere."""


@pytest.mark.parametrize(("family", "rtype", "mine", "beside", "elsewhere"), HOMES)
@pytest.mark.parametrize("learnt", ["socket", "exit"])
async def test_attack_an_ordered_name_that_leads_to_the_hosts_public_addresses(
    family: str, rtype: str, mine: str, beside: str, elsewhere: str, learnt: str
) -> None:
    """Machines at home may have public addresses, as all have in IPv6, behind a filter that lets
    the vantage through, and a router answers at its public one from inside. Whoever owned an
    accepted name, and knew the vantage's address as every collector does, led it there."""
    network = ScriptedNetwork(
        own={family: mine} if learnt == "socket" else None, families=(family,)
    )
    names = {"x.com": elsewhere, "ours.example": beside, "ours.test.example": mine}
    for name, address in names.items():
        network.resolver(RESOLVER).answers(name, rtype, DnsReply(addresses=(address,)))
        network.peer(address, 443, WEB)
    one = ordered(network, "https://ours.example/", "https://ours.test.example/")
    if learnt == "exit":
        one.heard_exit(mine)
    reached = [(await one.measure(target(f"https://{name}/"))).reached for name in names]
    assert reached == [True, False, False]
    assert network.connects == [(elsewhere, 443)]


@pytest.mark.parametrize("written", ["::ffff:93.184.216.", "64:ff9b::93.184.216.", "2002:5db8:d8"])
async def test_attack_an_ordered_name_that_leads_to_the_hosts_ipv4_network_by_ipv6(
    written: str,
) -> None:
    """An IPv6 answer may stand for an IPv4 address: the machine, or a translator, sends packets for
    it to that one. It is no way around what holds for that one, nor a second address of it."""
    mine, beside = (
        str(ip_address(f"{written}{end}"))
        for end in (("01::1", "22::1") if written.startswith("2002") else ("1", "34"))
    )
    network = ScriptedNetwork(own={"ipv4": "10.0.0.5", "ipv6": "2a02:8108:77::5"})
    for name, address in (("ours.example", beside), ("ours.test.example", mine)):
        network.resolver(RESOLVER).answers(name, "A", DnsReply())
        network.resolver(RESOLVER).answers(name, "AAAA", DnsReply(addresses=(address,)))
        network.peer(address, 443, WEB)
    there = [target("https://ours.example/"), target("https://ours.test.example/")]
    one = ordered(network, *(each.endpoint.id for each in there))
    one.heard_exit("93.184.216.1")
    assert not any([(await one.measure(each)).reached for each in there])
    assert network.connects == []
    # Where the host is elsewhere, each of them counts as the one address that it stands for.
    one = ordered(network, *(each.endpoint.id for each in there))
    for number in range(MOST_PER_ADDRESS):
        assert one.limits.reaches(f"https://{number}.example/", "93.184.216.34")
    assert not (await one.measure(there[0])).reached
    assert network.connects == []


async def test_attack_hundreds_of_ordered_names_at_one_address() -> None:
    """Each name alone looks harmless. An address is reached by a few in a day; the measurements of
    the others show no attempt to connect, so they say nothing of a block."""
    names = {f"n{number}.example": VICTIM for number in range(400)}
    network = resolving(names)
    one = ordered(network, *(f"https://{name}/" for name in names))
    made = [await one.measure(target(f"https://{name}/")) for name in names]
    assert len(network.connects) == MOST_PER_ADDRESS
    for left in made[MOST_PER_ADDRESS:]:
        assert {type(seen) for seen in left.observations} == {DnsObservation}
        assert all(seen.failure is None for seen in left.observations)
    # Again and again is no way round: the same few go on, and none other.
    again = [await one.measure(target(f"https://{name}/")) for name in names]
    reached = [any(isinstance(seen, TcpObservation) for seen in m.observations) for m in again]
    assert reached == [True] * MOST_PER_ADDRESS + [False] * (400 - MOST_PER_ADDRESS)


async def test_attack_ordered_endpoints_in_transfers_and_follow_ups() -> None:
    """Downloads for speed and follow-up tests dial by the same rule."""
    network = resolving({"ours.example": V4})
    one = ordered(network, "https://ours.example/")
    there = target("https://ours.example/")
    await transfer(one, TransferPlan(platform="ours", function="web", object=there.endpoint))
    plan = FollowUpPlan(
        target=there, host="ours.example", port=443, tls=True, known_elsewhere=(V4,)
    )
    made = await follow_up(one, plan, cycle="c")
    assert (V4, 443) not in network.connects
    assert not any(seen.reason == Reason.HONEST_ADDRESS for seen in made.observations)


async def test_attack_a_follow_up_gives_a_proxy_no_name_that_it_resolves_inside() -> None:
    """A host's own resolver says where an ordered name leads, and the proxy gets that address. A
    follow-up gave it the name: whoever owns that lets it lead elsewhere for the proxy, into the
    network that the proxy stands in."""
    resolver = Resolver(address="192.0.2.54")
    there = target("https://ours.example/")
    for answer in (PUBLIC, "192.168.77.1"):
        network = ScriptedNetwork(families=("ipv4",))
        asked = dns_through_proxy(DnsReply(addresses=(answer,)))
        more = dns_through_proxy(DnsReply())
        network.peer("192.0.2.1", SOCKS.proxy_port, asked, more, proxy())
        one = prober(network, egress=SOCKS, resolver=resolver)
        one.ordered = frozenset({there.endpoint.id})
        plan = FollowUpPlan(target=there, host="ours.example", port=443, tls=True)
        await follow_up(one, plan, cycle="c")
        sent = b"".join(bytes(stream.sent) for stream in network.streams)
        assert b"\x03\x0cours.example" not in sent
        connect = bytes([5, 1, 0, 1, *map(int, answer.split("."))]) + (443).to_bytes(2, "big")
        assert (connect in sent) is (answer == PUBLIC)


async def test_attack_ordered_endpoints_over_http3() -> None:
    """That controls were offered HTTP/3 is a collector's word. A host lets endpoints of its own
    reach a private network; the ordered name led there, and a greeting went to the machine behind
    it. One address got as many as there were names, too."""
    there = target("https://ours.example/")
    for plan in (
        plan_http3(there),
        FollowUpPlan(target=there, host="ours.example", port=443, tls=True, http3=True),
    ):
        network = resolving({"ours.example": V4})
        made = await follow_up(ordered(network, there.endpoint.id), plan, cycle="c")
        assert not [seen for seen in made.observations if seen.reason == Reason.HTTP3]
        # An endpoint of the host's own file may.
        made = await follow_up(prober(network), plan, cycle="c")
        assert [seen for seen in made.observations if seen.reason == Reason.HTTP3]
    names = {f"n{number}.example": PUBLIC for number in range(MOST_PER_ADDRESS + 4)}
    one = ordered(resolving(names), *(f"https://{name}/" for name in names))
    asked = [
        [o for o in made.observations if o.reason == Reason.HTTP3]
        for name in names
        for made in [await follow_up(one, plan_http3(target(f"https://{name}/")), cycle="c")]
    ]
    assert len(list(filter(None, asked))) == MOST_PER_ADDRESS


def test_limits_hold_for_a_day_of_the_own_clock() -> None:
    """Tomorrow other endpoints may reach the address."""
    now = datetime(2026, 3, 1, 23, tzinfo=UTC)
    limits = OrderedLimits(lambda: now)
    ids = [f"https://{number}.example/" for number in range(MOST_PER_ADDRESS + 1)]
    assert [limits.reaches(one, VICTIM) for one in ids] == [True] * MOST_PER_ADDRESS + [False]
    now += timedelta(hours=2)
    assert limits.reaches(ids[-1], VICTIM)
