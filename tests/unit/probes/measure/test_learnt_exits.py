"""The public address of a vantage behind NAT: learnt in passing, known to the scrubber alone."""

import copy
import json
import pickle
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from probes.catalog.catalog import ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.bogon import BogonList
from probes.layers.http import HttpClient
from probes.measure.learnt_exits import MOST, LearntExits
from probes.measure.prober import Prober
from probes.measurement import REFERENCE_PLATFORM
from probes.settings import ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Target
from probes.testing import DnsReply, Peer, ScriptedNetwork
from probes.vantage import VantagePoint
from tests.lab import stun as lab_stun

BEHIND_NAT = {"ipv4": "10.0.0.5", "ipv6": "fd00::5"}
EXIT = "198.51.100.77"
"""What servers see, and no socket of the vantage knows."""
SERVER, CALLS, WIKI = "203.0.113.10", "203.0.113.20", "203.0.113.30"
RESOLVER = "192.0.2.53"
SETTINGS = ProbeSettings(
    dns_timeout=0.09,
    tcp_timeout=0.1,
    tls_timeout=0.1,
    http_timeout=0.1,
    dns_window=0.0,
    bogon_allow=("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"),
)
NAMES = {
    "x.com": SERVER,
    "stun.example": CALLS,
    "www.wikipedia.org": WIKI,
    "hijacked.example": EXIT,
}


def prober(network: ScriptedNetwork) -> Prober:
    """A prober of a vantage behind NAT."""
    for name, address in NAMES.items():
        answers = network.resolver(RESOLVER).answers
        answers(name, "A", DnsReply(addresses=(address,)))
        answers(name, "AAAA", DnsReply())
    return Prober(
        VantagePoint(id="khi-ptcl", country="PK"),
        network,
        SETTINGS,
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address=RESOLVER)],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )


def stun_answer(seen_as: str) -> Callable[[bytes], Sequence[bytes]]:
    """A server for calls that sees this address."""

    def answers(request: bytes) -> list[bytes]:
        answer = lab_stun.answer(request, (seen_as, 40000))
        return [answer] if answer else []

    return answers


def http(*headers: str, status: str = "200 OK", body: str = "") -> Peer:
    """A web server that answers once."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", body]
    return Peer(replies=("\r\n".join(lines).encode(),))


async def kept(one: Prober, endpoint: str) -> str:
    """Everything that is kept of one measurement."""
    target = Target(platform="x", function="web", endpoint=parse_endpoint(endpoint))
    return msgspec.json.encode(await one.measure(target)).decode()


async def learn_by_stun(one: Prober) -> None:
    """What happens in passing in a cycle that tries calls."""
    assert EXIT not in await kept(one, "stun:stun.example:3478")


async def learn_from(one: Prober, platform: str, function: str) -> None:
    """Measure a server over verified TLS that says who asked."""
    endpoint = parse_endpoint("https://www.wikipedia.org/")
    assert (
        await one.measure(Target(platform=platform, function=function, endpoint=endpoint))
    ).reached


def network_of_nat() -> ScriptedNetwork:
    """A server for calls, a reference, and nothing of the platform yet."""
    network = ScriptedNetwork(own=BEHIND_NAT)
    network.datagram_peer(CALLS, 3478, stun_answer(EXIT))
    network.peer(WIKI, 443, http(f"X-Client-IP: {EXIT}"))
    return network


async def test_a_resolver_that_answers_with_our_public_address_does_not_get_it_kept() -> None:
    """Attack: the resolver answers with the address that the question came from."""
    network = network_of_nat()
    one = prober(network)
    await learn_by_stun(one)
    text = await kept(one, "https://hijacked.example/")
    assert EXIT not in text
    answers = [o for o in json.loads(text)["observations"] if o["layer"] == "dns"]
    assert ["0.0.0.0"] in [a.get("addresses") for o in answers for a in o["answers"]]


@pytest.mark.parametrize(
    "location",
    [f"http://{EXIT}/stop", f"https://stop.example/?c={EXIT}", "http://[::ffff:c633:644d]/"],
)
async def test_a_redirect_that_names_our_public_address_does_not_get_it_kept(location: str) -> None:
    """Attack: the censor redirects each reader to the reader's own address."""
    network = network_of_nat()
    network.peer(SERVER, 80, http(f"Location: {location}", status="302 Found"))
    one = prober(network)
    await learn_by_stun(one)
    text = await kept(one, "http://x.com/")
    assert EXIT not in text
    assert "c633:644d" not in text


async def test_a_page_that_hides_our_public_address_does_not_get_it_kept() -> None:
    """Attack: the page writes it as a bare number, which only a known address is told from."""
    network = network_of_nat()
    network.peer(SERVER, 80, http(body="Your case number is 3325256781 or c633644d."))
    one = prober(network)
    await learn_by_stun(one)
    text = await kept(one, "http://x.com/")
    assert "Your case number is [address] or [address]." in text


async def test_a_reference_that_says_who_asked_is_enough() -> None:
    """Where no server for calls is tested, a reference over verified TLS tells it."""
    one = prober(network_of_nat())
    await learn_from(one, REFERENCE_PLATFORM, ReferenceScope.INTERNATIONAL)
    assert list(one.exits) == [EXIT]
    assert EXIT not in await kept(one, "https://hijacked.example/")


@pytest.mark.parametrize(
    ("platform", "function"),
    [(REFERENCE_PLATFORM, ReferenceScope.DOMESTIC), ("x", "web")],
)
async def test_nobody_else_may_say_what_to_hide(platform: str, function: str) -> None:
    """Attack: a server in the country names its block page's address as ours, so that evidence
    of it is scrubbed."""
    one = prober(network_of_nat())
    await learn_from(one, platform, function)
    assert not list(one.exits)


@pytest.mark.parametrize("first", ["the site", "the forged answer"])
async def test_a_forged_answer_hides_no_site_that_is_known(first: str) -> None:
    """Attack: somebody on the way answers for the server of calls, with a platform's address. Where
    the site's certificate verified, before or after, its address stays as evidence."""
    network = network_of_nat()
    network.datagram_peer(CALLS, 3478, stun_answer(SERVER))
    network.peer(SERVER, 443, http())
    one = prober(network)
    if first == "the site":
        await kept(one, "https://x.com/")
    await learn_by_stun(one)
    if first != "the site":
        assert list(one.exits) == [SERVER]
        await kept(one, "https://x.com/")
    assert not list(one.exits)
    assert SERVER in await kept(one, "https://x.com/")


def test_what_is_learnt_cannot_be_printed_copied_or_stored() -> None:
    """Neither a log line, nor a copy, nor an encoder gets hold of an address by accident."""
    exits = LearntExits()
    exits.add(EXIT)
    assert EXIT not in f"{exits!r} {exits} {[exits]}"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(exits)
    with pytest.raises(TypeError):
        msgspec.json.encode(exits)


def test_little_is_remembered() -> None:
    """The newest addresses stay; private ones and lists of proxies are none of ours."""
    exits = LearntExits()
    for number in range(2 * MOST):
        exits.add(f"198.51.100.{number}")
    assert list(exits) == [f"198.51.100.{number}" for number in range(MOST, 2 * MOST)]
    fresh = LearntExits()
    bogons = BogonList()
    for value in ("10.0.0.5", "8.8.8.8, 9.9.9.9", "unknown", ""):
        fresh.learn_from([("X-Client-IP", value)], bogons)
    fresh.learn_from([("X-Served-By", "8.8.8.8")], bogons)
    assert not list(fresh)
