"""MTProto, STUN and HTTP/3 in whole measurements."""

import asyncio
import contextlib
import gc
import json
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import pytest

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import Protocol
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import Failure
from probes.layers.http import HttpClient
from probes.layers.telegram import NOT_MTPROTO
from probes.layers.whatsapp import NOT_NOISE
from probes.measure.prober import Prober
from probes.measurement import (
    AppObservation,
    Layer,
    Measurement,
    QuicObservation,
    layer_of,
)
from probes.settings import ProbeSettings
from probes.sockets.network import Network
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Target
from probes.testing import (
    HANG,
    DnsReply,
    Peer,
    ScriptedNetwork,
    closed_by_peer,
    refused,
    reset_by_peer,
)
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint
from tests.lab import chat
from tests.lab import stun as lab_stun
from tests.lab.certificates import authority
from tests.worlds import loopback

RESOLVER = "192.0.2.53"
V4, V6 = "203.0.113.10", "2001:db8:113::10"
FAST = ProbeSettings(
    dns_timeout=0.09,
    tcp_timeout=0.1,
    tls_timeout=0.1,
    http_timeout=0.1,
    dns_window=0.0,
    bogon_allow=("203.0.113.0/24", "2001:db8::/32", "192.0.2.0/24"),
)
SOCKS = Egress(kind=EgressKind.SOCKS5, proxy_host="192.0.2.1", proxy_port=1080)
THROUGH = (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6))
"""The answers of a SOCKS5 proxy that allows everything."""


def prober(
    network: Network,
    *,
    settings: ProbeSettings = FAST,
    egress: Egress | None = None,
    resolver: Resolver | None = None,
) -> Prober:
    """A prober of a vantage in Pakistan."""
    return Prober(
        VantagePoint(
            id="khi-ptcl", country="PK", egress=egress or Egress(), resolver=resolver or Resolver()
        ),
        network,
        settings,
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address=RESOLVER)],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )


async def measure(
    network: ScriptedNetwork,
    endpoint: Endpoint,
    *,
    egress: Egress | None = None,
    resolver: Resolver | None = None,
    quic: bool = False,
) -> Measurement:
    """One measurement, which must leave nothing open."""
    one = prober(network, egress=egress, resolver=resolver)
    target = Target(platform="telegram", function="chat", endpoint=endpoint)
    measurement = await one.measure(target, quic=quic)
    assert network.left_open == 0
    assert len(asyncio.all_tasks()) == 1
    return measurement


def layers(measurement: Measurement) -> list[tuple[Layer, str | None]]:
    """Layer and failure of each observation, in order."""
    return [(layer_of(o), o.failure) for o in measurement.observations]


# -- MTProto -------------------------------------------------------------------------------------


def centre(text: str = f"tcp://{V4}:443") -> Endpoint:
    """A data centre that must answer in MTProto."""
    return msgspec.structs.replace(parse_endpoint(text), protocol=Protocol.MTPROTO)


def res_pq(sent: bytes) -> bytes:
    """A data centre's answer to the last question in all the bytes it was sent."""
    return chat.MtProto().feed(sent[-42:]) or b""


async def test_a_data_centre_that_answers_is_reached() -> None:
    """Connection and answer are two observations, and both work."""
    network = ScriptedNetwork()
    network.peer(V4, 443, Peer(replies=(res_pq, HANG)))
    measurement = await measure(network, centre())
    assert measurement.reached
    assert layers(measurement) == [(Layer.TCP, None), (Layer.APP, None)]
    (app,) = measurement.of(Layer.APP)
    assert isinstance(app, AppObservation)
    assert (app.protocol, app.address, app.port, app.family) == ("mtproto", V4, 443, "ipv4")
    assert measurement.endpoint == f"tcp://{V4}:443"


@pytest.mark.parametrize(
    ("says", "failure"),
    [
        ((HANG,), Failure.GENERIC_TIMEOUT),
        ((), Failure.EOF),
        ((reset_by_peer(),), Failure.CONNECTION_RESET),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n", HANG), NOT_MTPROTO),
    ],
)
async def test_a_box_that_completes_handshakes_is_not_reached(
    says: tuple[bytes, ...], failure: str
) -> None:
    """TCP works, the application does not, and the application decides."""
    network = ScriptedNetwork()
    network.peer(V4, 443, Peer(replies=says))
    measurement = await measure(network, centre())
    assert not measurement.reached
    assert layers(measurement) == [(Layer.TCP, None), (Layer.APP, failure)]


async def test_without_a_connection_nothing_is_asked() -> None:
    """Without a TCP connection there is no observation of the application."""
    network = ScriptedNetwork()
    network.peer(V4, 443, Peer(connect=refused()))
    measurement = await measure(network, centre())
    assert not measurement.reached
    assert layers(measurement) == [(Layer.TCP, Failure.CONNECTION_REFUSED)]


async def test_without_a_protocol_the_handshake_is_all() -> None:
    """Nothing is sent to a tcp endpoint without a protocol."""
    network = ScriptedNetwork()
    network.peer(V4, 443, Peer(replies=(HANG,)))
    measurement = await measure(network, parse_endpoint(f"tcp://{V4}:443"))
    assert measurement.reached
    assert layers(measurement) == [(Layer.TCP, None)]
    assert network.streams[0].sent == b""


async def test_an_unknown_protocol_is_never_asked_as_mtproto() -> None:
    """A protocol without code of its own is a bug: it sends nothing and leaves nothing open."""
    network = ScriptedNetwork()
    network.peer(V4, 443, Peer(replies=(HANG,)))
    endpoint = msgspec.structs.replace(centre(), protocol=cast("Protocol", "matrix"))
    target = Target(platform="x", function="chat", endpoint=endpoint)
    with pytest.raises(AssertionError, match="matrix"):
        await prober(network).measure(target)
    assert network.streams[0].sent == b""
    assert network.left_open == 0


async def test_a_data_centre_is_asked_through_a_proxy_too() -> None:
    """Through a proxy the TCP handshake is hidden and the answer is not."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, Peer(replies=(*THROUGH, res_pq, HANG)))
    measurement = await measure(network, centre(), egress=SOCKS)
    assert measurement.reached
    assert layers(measurement) == [(Layer.APP, None)]
    assert measurement.not_observed == (Layer.DNS, Layer.TCP)


# -- WhatsApp ------------------------------------------------------------------------------------


def chat_server() -> Endpoint:
    """A chat server that must answer WhatsApp's greeting."""
    return msgspec.structs.replace(parse_endpoint(f"tcp://{V4}:5222"), protocol=Protocol.WHATSAPP)


async def test_a_chat_server_that_answers_is_reached() -> None:
    """Connection and answer are two observations, which hold nothing of the keys."""
    network = ScriptedNetwork()
    network.peer(V4, 5222, Peer(replies=(lambda sent: chat.Noise().feed(sent) or b"", HANG)))
    measurement = await measure(network, chat_server())
    assert measurement.reached
    assert layers(measurement) == [(Layer.TCP, None), (Layer.APP, None)]
    (app,) = measurement.of(Layer.APP)
    assert isinstance(app, AppObservation)
    assert (app.protocol, app.address, app.port, app.family) == ("whatsapp", V4, 5222, "ipv4")
    key = network.streams[0].sent[-32:]
    assert key.hex() not in msgspec.json.encode(measurement).decode()


@pytest.mark.parametrize(
    ("says", "failure"),
    [
        ((HANG,), Failure.GENERIC_TIMEOUT),
        ((), Failure.EOF),
        ((reset_by_peer(),), Failure.CONNECTION_RESET),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n", HANG), NOT_NOISE),
    ],
)
async def test_a_box_that_completes_handshakes_is_not_whatsapp(
    says: tuple[bytes, ...], failure: str
) -> None:
    """TCP works; silence, FIN, RST and another answer are told apart."""
    network = ScriptedNetwork()
    network.peer(V4, 5222, Peer(replies=says))
    measurement = await measure(network, chat_server())
    assert not measurement.reached
    assert layers(measurement) == [(Layer.TCP, None), (Layer.APP, failure)]


# -- STUN ----------------------------------------------------------------------------------------

CALLS = parse_endpoint("stun:stun.fbsbx.com")
OWN = {"ipv4": "198.51.100.7", "ipv6": "2001:db8:7::7"}


def named(*addresses: str) -> ScriptedNetwork:
    """A network whose resolver gives these addresses for the STUN server."""
    network = ScriptedNetwork(own=OWN)
    resolver = network.resolver(RESOLVER)
    for rtype, colon in (("A", False), ("AAAA", True)):
        found = tuple(a for a in addresses if (":" in a) is colon)
        resolver.answers("stun.fbsbx.com", rtype, DnsReply(addresses=found))
    return network


def binding(own: str) -> Callable[[bytes], Sequence[bytes]]:
    """A STUN server that sees this address of ours."""

    def answers(request: bytes) -> list[bytes]:
        answer = lab_stun.answer(request, (own, 40000))
        return [answer] if answer else []

    return answers


async def test_a_stun_server_is_asked_over_both_families() -> None:
    """The name is resolved, then each address gets a request."""
    network = named(V4, V6)
    network.datagram_peer(V4, 3478, binding(OWN["ipv4"]))
    network.datagram_peer(V6, 3478, binding(OWN["ipv6"]))
    measurement = await measure(network, CALLS)
    assert measurement.reached
    assert measurement.endpoint == "stun:stun.fbsbx.com:3478"
    assert layers(measurement) == [(Layer.DNS, None)] * 2 + [(Layer.APP, None)] * 2
    apps = [o for o in measurement.observations if isinstance(o, AppObservation)]
    assert {(o.protocol, o.address, o.port) for o in apps} == {
        ("stun", V4, 3478),
        ("stun", V6, 3478),
    }
    assert all(o.first_reply > 0 for o in apps)


async def test_a_measurement_does_not_tell_what_the_stun_server_saw() -> None:
    """The mapped address, which is our own, is nowhere in the measurement."""
    network = named(V4)
    seen: list[bytes] = []

    def answers(request: bytes) -> Sequence[bytes]:
        seen.extend(binding(OWN["ipv4"])(request))
        return seen

    network.datagram_peer(V4, 3478, answers)
    measurement = await measure(network, CALLS)
    assert measurement.reached
    assert seen
    assert OWN["ipv4"] not in msgspec.json.encode(measurement).decode()


async def test_one_family_that_answers_is_enough() -> None:
    """One answering address is enough; the silence of the other stays on record."""
    network = named(V4, V6)
    network.datagram_peer(V4, 3478, binding(OWN["ipv4"]))
    measurement = await measure(network, CALLS)
    assert measurement.reached
    by_family = {
        o.family: o.failure for o in measurement.observations if isinstance(o, AppObservation)
    }
    assert by_family == {"ipv4": None, "ipv6": Failure.GENERIC_TIMEOUT}


async def test_a_stun_server_that_is_silent_is_not_reached() -> None:
    """Silence at every address is a timeout, as when UDP is dropped."""
    measurement = await measure(named(V4), CALLS)
    assert not measurement.reached
    assert layers(measurement)[2:] == [(Layer.APP, Failure.GENERIC_TIMEOUT)]


async def test_a_name_that_does_not_resolve_ends_the_measurement() -> None:
    """Without an address no request is sent."""
    network = ScriptedNetwork(own=OWN)
    network.resolver(RESOLVER)
    measurement = await measure(network, CALLS)
    assert not measurement.reached
    assert layers(measurement) == [(Layer.DNS, Failure.DNS_NXDOMAIN)] * 2


async def test_bogon_answers_are_not_asked() -> None:
    """A bogon answer sends no datagram into the vantage's own network."""
    network = named("10.1.2.3")
    network.datagram_peer("10.1.2.3", 3478, binding(OWN["ipv4"]))
    measurement = await measure(network, CALLS)
    assert not measurement.reached
    assert {layer for layer, _ in layers(measurement)} == {Layer.DNS}


async def test_no_datagram_passes_through_a_proxy() -> None:
    """Behind a proxy the application is not observed, and no packet bypasses the proxy."""
    asked: list[bytes] = []
    network = named(V4)

    def answers(request: bytes) -> Sequence[bytes]:
        asked.append(request)
        return ()

    network.datagram_peer(V4, 3478, answers)
    measurement = await measure(network, CALLS, egress=SOCKS)
    assert not measurement.reached
    assert measurement.observations == ()
    assert measurement.not_observed == (Layer.DNS, Layer.APP)
    assert not asked


# -- HTTP/3 --------------------------------------------------------------------------------------


async def web_page(conversation: loopback.Conversation) -> None:
    """A site over TCP."""
    await conversation.request()
    await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def silent_udp(port: int) -> contextlib.AbstractContextManager[object]:
    """UDP to this port is dropped instead of refused."""
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", port))
    return sock


def real_prober(trust: Path, deadline: float = 2.0) -> Prober:
    """A prober on real sockets."""
    settings = ProbeSettings(
        tcp_timeout=deadline,
        tls_timeout=deadline,
        http_timeout=deadline,
        bogon_allow=("127.0.0.0/8",),
        trust_anchors=(str(trust),),
    )
    return prober(loopback.network(), settings=settings)


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    """The lab's authority in a file."""
    path = tmp_path / "anchor.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return path


@pytest.mark.parametrize("quic", [False, True])
async def test_http_3_is_asked_only_when_told_to(trust: Path, *, quic: bool) -> None:
    """HTTP/3 adds one observation, which fails here, and does not change `reached`."""
    context = loopback.server_context(
        authority().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes().decode()
    )
    async with loopback.serving(web_page, tls=context) as port:
        endpoint = parse_endpoint(f"https://127.0.0.1:{port}/")
        target = Target(platform="x", function="web", endpoint=endpoint)
        measurement = await real_prober(trust).measure(target, quic=quic)
    assert measurement.reached
    extra = [(Layer.QUIC, Failure.CONNECTION_REFUSED)] if quic else []
    assert layers(measurement) == [
        *((Layer.TCP, None), (Layer.TLS, None), (Layer.HTTP, None)),
        *extra,
    ]


async def test_only_https_endpoints_are_asked_over_http_3() -> None:
    """Only https endpoints are asked over HTTP/3."""
    network = ScriptedNetwork()
    network.peer(V4, 443, Peer())
    measurement = await measure(network, parse_endpoint(f"tls://{V4}"), quic=True)
    assert Layer.QUIC not in [layer for layer, _ in layers(measurement)]


async def test_a_silent_http_3_peer_costs_one_deadline() -> None:
    """HTTP/3 works over a scripted network too."""
    network = ScriptedNetwork()
    network.peer(V4, 443, Peer(tls=closed_by_peer()))
    measurement = await measure(network, parse_endpoint(f"https://{V4}/"), quic=True)
    (quic,) = measurement.of(Layer.QUIC)
    assert isinstance(quic, QuicObservation)
    assert (quic.failure, quic.address, quic.port) == (Failure.GENERIC_TIMEOUT, V4, 443)


@pytest.mark.parametrize(
    ("offer", "asked"),
    [('h3=":443"; ma=86400', True), ('h3=":8443"', False), ('h3-29=":443"', False), ("", False)],
)
async def test_http_3_where_it_is_offered(offer: str, *, asked: bool) -> None:
    """With `unadvertised` false HTTP/3 is asked only where the endpoint's own answer offers it."""
    network = ScriptedNetwork()
    head = f"HTTP/1.1 200 OK\r\nAlt-Svc: {offer}\r\nContent-Length: 0\r\n\r\n"
    network.peer(V4, 443, Peer(replies=(head.encode(),)))
    target = Target(platform="x", function="web", endpoint=parse_endpoint(f"https://{V4}/"))
    measurement = await prober(network).measure(target, quic=True, unadvertised=False)
    assert measurement.reached
    assert bool(measurement.of(Layer.QUIC)) is asked


async def test_http_3_is_not_asked_for_where_nothing_can_offer_it() -> None:
    """Neither a failed answer nor the target of a redirect counts as an offer."""
    network = ScriptedNetwork()
    onward = b"HTTP/1.1 302 Found\r\nLocation: https://203.0.113.11/\r\nContent-Length: 0\r\n\r\n"
    offer = b'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443"\r\nContent-Length: 0\r\n\r\n'
    network.peer(V4, 443, Peer(replies=(onward,)), Peer(tls=closed_by_peer()))
    network.peer("203.0.113.11", 443, Peer(replies=(offer,)))
    target = Target(platform="x", function="web", endpoint=parse_endpoint(f"https://{V4}/"))
    for reached in (True, False):
        measurement = await prober(network).measure(target, quic=True, unadvertised=False)
        assert (measurement.reached, measurement.of(Layer.QUIC)) == (reached, ())


async def test_http_3_is_not_seen_through_a_proxy() -> None:
    """Behind a proxy HTTP/3 is not observed, and no packet bypasses the proxy."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, Peer(replies=(*THROUGH, HANG)))
    measurement = await measure(network, parse_endpoint(f"https://{V4}/"), egress=SOCKS, quic=True)
    assert measurement.not_observed == (Layer.DNS, Layer.TCP, Layer.QUIC)
    assert not measurement.of(Layer.QUIC)


async def typed(*words: str) -> tuple[int, str, str]:
    """The output and exit status of a command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "monitor", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_asks_over_http_3_and_speaks_stun(trust: Path, tmp_path: Path) -> None:
    """`probe --quic` shows one more layer; a STUN server is given like any endpoint."""
    config = tmp_path / "shutwatch.toml"
    config.write_text(
        f'[[vantage]]\nid = "here"\ncountry = "PK"\n'
        f'[probe]\ntrust_anchors = ["{trust}"]\nbogon_allow = ["127.0.0.0/8"]\n'
        f'http_timeout = "2s"\n'
    )
    stun = f"stun:127.0.0.1:{loopback.unused_port()}"
    context = loopback.server_context(
        authority().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes().decode()
    )
    async with loopback.serving(web_page, tls=context) as port:
        words = ("probe", "--quic", f"https://127.0.0.1:{port}/", stun, "--config", str(config))
        code, out, err = await typed(*words, "--json")
        assert (code, err) == (0, "")
        site, calls = (json.loads(line) for line in out.splitlines())
        code, out, _ = await typed(*words)
        assert code == 0
    assert [o["layer"] for o in site["observations"]] == ["tcp", "tls", "http", "quic"]
    assert site["reached"]
    assert [(o["layer"], o["protocol"]) for o in calls["observations"]] == [("app", "stun")]
    assert not calls["reached"]
    assert "quic" in out
    assert "stun at 127.0.0.1" in out


async def test_the_command_refuses_to_ask_others_over_http_3() -> None:
    """`probe --quic` refuses endpoints that cannot speak HTTP/3."""
    code, out, err = await typed("probe", "--quic", "tls://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert "--quic needs an https:// endpoint" in err


# -- what is left behind -------------------------------------------------------------------------


async def telegram(conversation: loopback.Conversation) -> None:
    """A data centre that answers after a pause."""
    server = chat.MtProto()
    while data := await conversation.receive():
        await asyncio.sleep(0.003)
        await conversation.send(server.feed(data) or b"")


@contextlib.asynccontextmanager
async def no_trouble() -> AsyncIterator[None]:
    """No exception reaches the handler of the event loop."""
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    yield
    gc.collect()
    await asyncio.sleep(0)
    assert not trouble


def open_files() -> set[str]:
    """The open descriptors of this process."""
    return {file.name for file in Path("/proc/self/fd").iterdir()}


async def each_cancelled(
    start: Callable[[], Coroutine[object, object, object]], longest: float
) -> None:
    """100 measurements cancelled at random leave no socket and no task."""
    chance = random.Random(5)
    await start()
    gc.collect()
    files = open_files()
    tasks = asyncio.all_tasks()
    outcomes = {True: 0, False: 0}
    for _ in range(100):
        task = asyncio.create_task(start())
        await asyncio.sleep(chance.random() * longest)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        outcomes[task.cancelled()] += 1
    await asyncio.sleep(0.05)  # for the server to see the last one go
    assert open_files() <= files
    assert asyncio.all_tasks() <= tasks
    assert all(outcomes.values()), outcomes


async def test_nothing_is_left_of_mtproto_measurements_cancelled_at_any_moment(trust: Path) -> None:
    """A measurement cancelled at any moment leaves nothing open."""
    async with no_trouble(), loopback.serving(telegram) as port:
        target = Target(
            platform="telegram", function="chat", endpoint=centre(f"tcp://127.0.0.1:{port}")
        )
        one = real_prober(trust)
        assert (await one.measure(target)).reached
        await each_cancelled(lambda: one.measure(target), 0.01)


async def test_nothing_is_left_of_stun_and_quic_measurements_cancelled_at_any_moment(
    trust: Path,
) -> None:
    """Nobody answers here, so most measurements are cancelled while they wait."""
    context = loopback.server_context(
        authority().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes().decode()
    )
    async with no_trouble(), loopback.serving(web_page, tls=context) as port:
        with silent_udp(port):
            one = real_prober(trust, 0.02)
            for text in (f"stun:127.0.0.1:{port}", f"https://127.0.0.1:{port}/"):
                endpoint = parse_endpoint(text)
                target = Target(platform="x", function="web", endpoint=endpoint)
                await each_cancelled(partial(one.measure, target, quic=True), 0.05)
