"""The invented internet of `shutwatch demo`: its values, its censor, and its real servers."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.advice import advice
from monitor.config.catalog import shipped_catalog
from monitor.config.load import load_config
from monitor.demo.censor import OPEN, Censor, Means, Rule
from monitor.demo.config_files import Wanted, config_text, write
from monitor.demo.name_server import answer
from monitor.demo.plan import (
    ADDRESSES,
    BLOCK_PAGE,
    CABLE,
    CONTROLS,
    COUNTRY,
    ELSEWHERE,
    LOOPBACK,
    MOBILE,
    NETWORKS,
    PHONE,
    PLATFORMS,
    PORTAL,
    PORTAL_PATH,
    TELECOM,
    Ports,
    hosts_of,
)
from monitor.demo.world import FIRST, World, world
from probes.catalog.countries import INVENTED

PORTS = Ports(tls=8443, http=8080, dns=5300, messages=9090)


def ignored(_: str, __: str) -> None:
    """For messages nobody waits for."""


def wanted(
    folder: Path,
    ports: Ports = PORTS,
    anchor: bytes = b"",
    *,
    quick_ends: bool = False,
    messages: bool = True,
) -> Wanted:
    """A demonstration in this folder."""
    return Wanted(
        folder=folder,
        listen="127.0.0.1:10100",
        ports=ports,
        interval=3.0,
        fast_lane=1.0,
        quick_ends=quick_ends,
        messages=messages,
        anchor=anchor,
    )


def test_nothing_real_is_named() -> None:
    """Countries are invented, AS numbers are for documentation, names end in .test."""
    assert {COUNTRY, ELSEWHERE} == INVENTED
    assert all(64496 <= network.asn <= 64511 for network in NETWORKS)
    assert all(network.title.startswith("Demo ") for network in NETWORKS)
    assert all(host.endswith(".test") for host in ADDRESSES)


def test_all_addresses_are_on_loopback_and_each_is_given_once() -> None:
    """No packet can leave the machine, and who asks is told by the address alone."""
    given_out = [
        *(address for network in NETWORKS for address in (network.client, network.resolver)),
        *ADDRESSES.values(),
        BLOCK_PAGE,
        PHONE,
    ]
    assert len(set(given_out)) == len(given_out)
    assert all(ip_address(address) in ip_network(LOOPBACK) for address in given_out)
    assert ip_address(LOOPBACK.partition("/")[0]).is_loopback


async def test_the_configuration_is_good_and_leads_nowhere_else(tmp_path: Path) -> None:
    """The written files load without a mistake or advice, and watch hosts of the world alone."""
    async with world(ignored) as made:
        settings = load_config(write(wanted(tmp_path, made.ports, made.anchor)), {})
    assert advice(settings) == ()
    platforms = settings.catalog.platforms
    endpoints = [
        one
        for platform in platforms
        for function in platform.functions
        for one in function.endpoints
    ]
    endpoints += [reference.endpoint for reference in settings.catalog.references]
    assert {endpoint.host for endpoint in endpoints} == ADDRESSES.keys()
    assert not [one for p in platforms for function in p.functions for one in function.transfer]
    assert {vantage.egress.source for vantage in settings.vantages} == {n.client for n in NETWORKS}
    assert settings.probe.open_resolvers == settings.probe.doh_resolvers == ()
    assert settings.throttling.every == 0
    assert not settings.throttling.on_suspicion


def test_functions_are_those_of_the_shipped_catalogue() -> None:
    """Every shipped function is led to the world, so that none is left to the real hosts."""
    shipped = {platform.name: platform for platform in shipped_catalog().platforms}
    for name, functions in PLATFORMS.items():
        assert {function.name for function in shipped[name].functions} == functions.keys()


def test_only_a_hurried_demonstration_is_hasty(tmp_path: Path) -> None:
    """At the usual pace events are believed as they are by shipped settings."""
    assert "false_" not in config_text(wanted(tmp_path))
    assert "false_ends" in config_text(wanted(tmp_path, quick_ends=True))


def test_a_rule_is_about_one_network_one_platform_and_one_means() -> None:
    """Nobody else, and nothing else, is touched; what there is no rule for works."""
    censor = Censor()
    assert censor.rules == OPEN
    assert not censor.resets(TELECOM.client, "x.test")
    censor.rules = frozenset({Rule(TELECOM.id, Means.RESET), Rule(CABLE.id, Means.NXDOMAIN)})
    assert all(censor.resets(TELECOM.client, host) for host in hosts_of("x"))
    assert censor.resets(TELECOM.client, "X.Test.")
    assert not censor.resets(TELECOM.client, "www.youtube.test")
    assert not censor.resets(MOBILE.client, "x.test")
    assert not censor.resets("127.0.0.1", "x.test")
    assert censor.false_answer(TELECOM.client, "x.test") is None
    assert censor.false_answer(CABLE.client, "x.test") is Means.NXDOMAIN
    assert not any(censor.resets(control.client, "x.test") for control in CONTROLS)


def asked(
    name: str, rtype: str, censor: Censor, client: str = TELECOM.client
) -> dns.message.Message:
    """The reply to a question."""
    query = dns.message.make_query(name, rtype)
    reply = answer(query.to_wire(), client, censor)
    assert reply is not None
    message = dns.message.from_wire(reply)
    assert message.id == query.id
    assert message.flags & dns.flags.QR
    return message


def addresses(message: dns.message.Message) -> list[str]:
    """The addresses in a reply."""
    return [str(record) for rrset in message.answer for record in rrset]


def test_an_honest_resolver_knows_the_world_and_nothing_else() -> None:
    """Names of the world have one IPv4 address, no IPv6 one; other names do not exist."""
    censor = Censor()
    assert addresses(asked("X.test", "A", censor)) == [ADDRESSES["x.test"]]
    empty = asked("x.test", "AAAA", censor)
    assert (addresses(empty), empty.rcode()) == ([], dns.rcode.NOERROR)
    assert asked("x.com", "A", censor).rcode() == dns.rcode.NXDOMAIN


def test_a_resolver_lies_as_its_network_does() -> None:
    """No such name, or the address of the block page, and to that network's users alone."""
    censor = Censor()
    censor.rules = frozenset({Rule(TELECOM.id, Means.NXDOMAIN), Rule(CABLE.id, Means.BLOCK_PAGE)})
    assert asked("x.test", "A", censor).rcode() == dns.rcode.NXDOMAIN
    assert addresses(asked("x.test", "A", censor, CABLE.client)) == [BLOCK_PAGE]
    assert addresses(asked("x.test", "A", censor, MOBILE.client)) == [ADDRESSES["x.test"]]


@given(st.binary(max_size=80))
def test_what_is_no_query_gets_no_reply(wire: bytes) -> None:
    """Whatever comes, the resolver survives it; it answers questions, never answers."""
    reply = answer(wire, TELECOM.client, Censor())
    if reply is not None:
        assert dns.message.from_wire(reply).flags & dns.flags.QR
    answered = dns.message.make_response(dns.message.make_query("x.test", "A")).to_wire()
    assert answer(answered, TELECOM.client, Censor()) is None


@pytest.fixture
async def made() -> AsyncIterator[World]:
    """The world, for one test."""
    async with world(ignored) as one:
        yield one


async def fetched(
    made: World, host: str, *, client: str = TELECOM.client, address: str = "", verify: bool = True
) -> str:
    """What a browser on this client's line gets of a host; raises as it fails."""
    context = ssl.create_default_context(cadata=made.anchor.decode())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        address or ADDRESSES[host],
        made.ports.tls,
        ssl=context,
        server_hostname=host,
        local_addr=(client, 0),
    )
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.read()).decode()
    finally:
        writer.close()


async def test_every_host_serves_a_page_under_a_certificate_of_its_own(made: World) -> None:
    """Verified TLS and a dated answer."""
    for host in ADDRESSES:
        said = await fetched(made, host)
        assert said.startswith("HTTP/1.1 200")
        assert "Date: " in said
        assert host in said


async def test_the_portal_answers_in_cleartext(made: World) -> None:
    """As captive-portal checks do, twice on one connection."""
    reader, writer = await asyncio.open_connection(ADDRESSES[PORTAL], made.ports.http)
    for _ in range(2):
        writer.write(f"GET {PORTAL_PATH} HTTP/1.1\r\nHost: {PORTAL}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        body = await reader.readuntil(b"</html>\n")
        assert b"success" in body
    writer.close()


async def test_what_is_no_http_is_hung_up_on(made: World) -> None:
    """The server survives it."""
    reader, writer = await asyncio.open_connection(ADDRESSES[PORTAL], made.ports.http)
    writer.write(b"\x00\x01 nonsense\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    assert "200" in await fetched(made, "x.test")


async def test_a_named_connection_is_reset_on_one_network_and_lives_on_others(made: World) -> None:
    """The reset comes after the name, by RST, and stops when the rule is lifted."""
    made.censor.rules = frozenset({Rule(TELECOM.id, Means.RESET)})
    with pytest.raises(ConnectionResetError):
        await fetched(made, "x.test")
    assert "200" in await fetched(made, "x.test", client=MOBILE.client)
    assert "200" in await fetched(made, "www.youtube.test")
    innocuous = await fetched(made, "www.example.com", address=ADDRESSES["x.test"], verify=False)
    assert innocuous.startswith("HTTP/1.1 200")
    made.censor.rules = OPEN
    assert "200" in await fetched(made, "x.test")


async def test_the_block_page_has_a_certificate_nobody_trusts(made: World) -> None:
    """Whoever verifies is warned; whoever does not reads that it is not available."""
    with pytest.raises(ssl.SSLCertVerificationError):
        await fetched(made, "x.test", address=BLOCK_PAGE)
    said = await fetched(made, "x.test", address=BLOCK_PAGE, verify=False)
    assert said.startswith("HTTP/1.1 403")


async def test_resolvers_answer_over_udp_and_tcp(made: World) -> None:
    """The same answer over both."""
    query = dns.message.make_query("x.test", "A").to_wire()
    replies: asyncio.Queue[bytes] = asyncio.Queue()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
            replies.put_nowait(data)

    loop = asyncio.get_running_loop()
    resolver = (TELECOM.resolver, made.ports.dns)
    transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=resolver)
    transport.sendto(b"nonsense")
    transport.sendto(query)
    async with asyncio.timeout(60):
        over_udp = await replies.get()
    transport.close()
    reader, writer = await asyncio.open_connection(*resolver)
    writer.write(len(query).to_bytes(2, "big") + query)
    over_tcp = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    writer.close()
    assert addresses(dns.message.from_wire(over_udp)) == [ADDRESSES["x.test"]]
    assert addresses(dns.message.from_wire(over_tcp)) == [ADDRESSES["x.test"]]


async def posted(body: bytes, *, chunks: int = 1) -> tuple[bytes, list[tuple[str, str]]]:
    """The answer to a POST to the phone, sent in so many pieces, and what arrived."""
    got: list[tuple[str, str]] = []
    async with world(lambda title, text: got.append((title, text))) as made:
        reader, writer = await asyncio.open_connection(PHONE, made.ports.messages)
        head = f"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        request = head.encode() + body
        size = max(1, len(request) // chunks)
        for begin in range(0, len(request), size):
            writer.write(request[begin : begin + size])
            await writer.drain()
            await asyncio.sleep(0)
        answered = await reader.read()
        writer.close()
    return answered, got


async def test_a_message_arrives_at_the_telephone() -> None:
    """Title and text, however many segments it takes; what else is posted along is nobody's."""
    body = b'{"version": "1.0", "title": "X is blocked", "message": "in Demoland", "type": "info"}'
    for chunks in (1, 7):
        answered, got = await posted(body, chunks=chunks)
        assert answered.startswith(b"HTTP/1.1 204")
        assert got == [("X is blocked", "in Demoland")]


@pytest.mark.parametrize("body", [b"", b"nonsense", b'{"title": 1, "message": ""}'])
async def test_what_is_no_message_is_refused(body: bytes) -> None:
    """Whoever brings it is told, and nobody else hears of it."""
    answered, got = await posted(body)
    assert answered.startswith(b"HTTP/1.1 400")
    assert got == []


def test_without_apprise_nobody_is_to_be_told(tmp_path: Path) -> None:
    """The configuration stays good where the extra is not installed."""
    assert "[[notify.route]]" in config_text(wanted(tmp_path))
    assert "notify" not in config_text(wanted(tmp_path, messages=False))


async def test_two_demonstrations_stand_side_by_side() -> None:
    """Ports that are taken are left to whoever has them."""
    async with world(ignored) as one, world(ignored) as other:
        assert one.ports.tls >= FIRST.tls
        pairs = [
            (one.ports.tls, other.ports.tls),
            (one.ports.http, other.ports.http),
            (one.ports.dns, other.ports.dns),
        ]
        assert all(mine != theirs for mine, theirs in pairs)
        assert "200" in await fetched(one, "x.test")
        assert "200" in await fetched(other, "x.test")


async def test_nothing_is_left_of_a_world() -> None:
    """Its ports are free again at once."""
    async with world(ignored) as first:
        ports = first.ports
    async with world(ignored) as second:
        assert second.ports == ports
