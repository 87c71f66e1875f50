"""QUIC measurements of real servers on loopback, and their observations."""

import asyncio
import contextlib
import functools
import gc
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    ProtocolNegotiated,
    QuicEvent,
)
from aioquic.quic.packet import QuicProtocolVersion, encode_quic_version_negotiation
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from probes.failure_strings import CERTIFICATE_FAILURES, Failure
from probes.layers.quic import _Exchange, measure_quic
from probes.layers.quic_certificate import Trusted, fault_of
from probes.measurement import QuicObservation
from probes.sockets.failure_mapping import failure_of
from tests.lab.certificates import authority, forged, honest, interceptor
from tests.worlds.loopback import NAME, network, unused_port

Handler = Callable[["Server", H3Event], None]
Headers = list[tuple[bytes, bytes]]


class Server(QuicConnectionProtocol):
    """One connection, from the server's side."""

    def __init__(self, handler: Handler, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # passed on as they come
        self.handler = handler
        self.h3: H3Connection | None = None
        self.ended: ConnectionTerminated | None = None

    @property
    def quic(self) -> QuicConnection:
        """The connection, for tests that misbehave."""
        return self._quic

    def quic_event_received(self, event: QuicEvent) -> None:
        """Speak HTTP/3."""
        if isinstance(event, ConnectionTerminated):
            self.ended = event
        if isinstance(event, ProtocolNegotiated):
            self.h3 = H3Connection(self._quic)
        if self.h3 is not None and not isinstance(event, HandshakeCompleted):
            for happened in self.h3.handle_event(event):
                self.handler(self, happened)

    def respond(self, stream: int, *fields: tuple[bytes, bytes], end: bool = True) -> None:
        """Send headers."""
        assert self.h3 is not None
        self.h3.send_headers(stream, list(fields), end_stream=end)
        self.transmit()


def status(*codes: int) -> Handler:
    """A server that answers with these statuses, one after the other."""

    def handle(server: Server, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            for code in codes:
                field = (b":status", str(code).encode())
                server.respond(event.stream_id, field, end=code == codes[-1])

    return handle


def nothing(_: Server, __: H3Event) -> None:
    """No answer to any request."""


@functools.cache
def anchor() -> str:
    """The lab's authority in a file that stays until the process ends."""
    # With words around it, as such files have.
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(f"Lab root\n{authority().cert_pem.bytes().decode()}\nthat is all\n")
    return file.name


@pytest.fixture(scope="module", autouse=True)
def _anchor_is_removed() -> Iterator[None]:
    """Leave no file behind."""
    yield
    Path(anchor()).unlink()


def configuration(pem: str, *, alpn: list[str], versions: list[int]) -> QuicConfiguration:
    """A server's settings for a key and chain in one PEM text."""
    data = pem.encode()
    leaf, *chain = x509.load_pem_x509_certificates(data)
    return QuicConfiguration(
        is_client=False,
        alpn_protocols=alpn,
        supported_versions=versions,
        certificate=leaf,
        certificate_chain=chain,
        private_key=load_pem_private_key(data, None),
    )


@contextlib.asynccontextmanager
async def serving(
    handler: Handler,
    *,
    pem: str | None = None,
    address: str = "127.0.0.1",
    alpn: list[str] = H3_ALPN,
    versions: tuple[int, ...] = (QuicProtocolVersion.VERSION_1,),
    retry: bool = False,
) -> AsyncIterator[int]:
    """An HTTP/3 server; gives its port."""
    loop = asyncio.get_running_loop()
    server: QuicServer
    transport, server = await loop.create_datagram_endpoint(
        lambda: QuicServer(
            configuration=configuration(pem or honest(NAME), alpn=alpn, versions=[*versions]),
            create_protocol=functools.partial(Server, handler),
            retry=retry,
        ),
        local_addr=(address, 0),
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        server.close()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def datagrams(
    answer: Callable[[bytes], list[bytes]], address: str = "127.0.0.1"
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers datagrams; its port and the datagrams it got."""
    loop = asyncio.get_running_loop()
    heard: list[bytes] = []
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        sock.setblocking(False)

        def readable() -> None:
            data, client = sock.recvfrom(4096)
            heard.append(data)
            for reply in answer(data):
                sock.sendto(reply, client)

        loop.add_reader(sock.fileno(), readable)
        try:
            yield sock.getsockname()[1], heard
        finally:
            loop.remove_reader(sock.fileno())


async def measure(
    port: int,
    *,
    address: str = "127.0.0.1",
    name: str = NAME,
    deadline: float = 20.0,
    trusting: bool = True,
    path: str = "/",
) -> QuicObservation:
    """One measurement, which keeps its deadline."""
    own: list[str] = []
    started = time.monotonic()
    observation = await measure_quic(
        network(),
        address,
        port,
        name,
        url_path=path,
        timeout=deadline,
        trusted=Trusted(files=(anchor(),) if trusting else ()),
        start=1.5,
        reason="asked for",
        on_local_address=own.append,
    )
    assert time.monotonic() - started < deadline + 2
    assert own == [address]
    assert (observation.start, observation.reason) == (1.5, "asked for")
    assert (observation.address, observation.port) == (address, port)
    assert observation.server_name == name
    assert 0 < observation.duration <= deadline + 2
    return observation


async def promptly(port: int) -> QuicObservation:
    """One measurement, repeated where it took long, because a busy machine delays timers."""
    seen = await measure(port)
    for _ in range(4):
        if seen.duration < 0.5:
            break
        seen = await measure(port)
    return seen


# -- what works --------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("code", [200, 204, 302, 403, 451, 503])
async def test_a_server_that_answers(address: str, code: int) -> None:
    """Version, protocol and status are on record without a failure, whatever the status."""
    async with serving(status(code), address=address) as port:
        seen = await measure(port, address=address)
    assert seen.failure is None
    assert (seen.version, seen.alpn, seen.status) == ("0x00000001", "h3", code)


async def test_what_is_asked() -> None:
    """The request has the path, the host name and a browser's headers."""
    asked: list[Headers] = []

    def handle(server: Server, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            asked.append(event.headers)
        status(200)(server, event)

    async with serving(handle) as port:
        await measure(port, path="/a?b=c")
        (fields,) = asked
    sent = dict(fields)
    assert sent[b":method"] == b"GET"
    assert sent[b":scheme"] == b"https"
    assert sent[b":path"] == b"/a?b=c"
    assert sent[b":authority"] == f"{NAME}:{port}".encode()
    assert sent[b"user-agent"].startswith(b"Mozilla/5.0")
    assert b"connection" not in sent


async def test_early_hints_are_not_the_answer() -> None:
    """Informational statuses are skipped."""
    async with serving(status(103, 200)) as port:
        assert (await measure(port)).status == 200


async def test_a_server_may_want_the_address_proven_first() -> None:
    """A Retry packet is followed."""
    async with serving(status(200), retry=True) as port:
        assert (await measure(port)).status == 200


# -- certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("self-signed", Failure.SSL_UNKNOWN_AUTHORITY),
        ("unknown-authority", Failure.SSL_UNKNOWN_AUTHORITY),
        ("untrusted-chain", Failure.SSL_UNKNOWN_AUTHORITY),
        ("wrong-name", Failure.SSL_INVALID_HOSTNAME),
        ("expired", Failure.SSL_INVALID_CERTIFICATE),
    ],
)
async def test_a_forged_certificate_has_the_name_it_has_over_tcp(how: str, failure: str) -> None:
    """Each forged certificate has its TLS failure, and no request is sent."""
    asked: list[H3Event] = []
    async with serving(lambda _, event: asked.append(event), pem=forged(NAME, how)) as port:
        seen = await measure(port)
        await asyncio.sleep(0.05)
    assert seen.failure == failure
    assert seen.failure in CERTIFICATE_FAILURES
    assert (seen.status, seen.alpn) == (0, "")
    assert not asked


async def test_an_authority_is_trusted_only_when_named() -> None:
    """Without the extra file only Mozilla's authorities are trusted."""
    async with serving(status(200)) as port:
        seen = await measure(port, trusting=False)
    assert seen.failure == Failure.SSL_UNKNOWN_AUTHORITY


def test_the_machines_own_authorities_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an office or a state adds to the machine's store would make its forgeries verify."""
    system, named = tmp_path / "system.pem", tmp_path / "named.pem"
    authority().cert_pem.write_to_path(str(system))
    interceptor("Qaznet Trust Network").cert_pem.write_to_path(str(named))
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    leaf, *chain = x509.load_pem_x509_certificates(honest(NAME).encode())
    fault = fault_of(leaf, chain, NAME, Trusted(files=(str(named),)))
    assert fault is not None
    assert failure_of(fault) == Failure.SSL_UNKNOWN_AUTHORITY


async def test_the_name_asked_for_is_the_one_verified() -> None:
    """A valid certificate for another name is refused."""
    async with serving(status(200)) as port:
        seen = await measure(port, name="twitter.com")
    assert seen.failure == Failure.SSL_INVALID_HOSTNAME


async def test_an_address_may_be_the_name() -> None:
    """An endpoint without a name is verified by its address."""
    pem = authority().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes().decode()
    async with serving(status(200), pem=pem) as port:
        assert (await measure(port, name="127.0.0.1")).failure is None


# -- what fails --------------------------------------------------------------------------------


async def test_a_black_hole_is_a_timeout() -> None:
    """Lost datagrams end with our own deadline, after several tries and one close."""
    async with datagrams(lambda _: []) as (port, heard):
        seen = await measure(port, deadline=1.0)
        await asyncio.sleep(0.05)
    assert seen.failure == Failure.GENERIC_TIMEOUT
    assert (seen.version, seen.alpn, seen.status) == ("", "", 0)
    assert len(heard) >= 3
    assert all(len(data) >= 1200 for data in heard[:-1])
    assert 1.0 <= seen.duration < 3.0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_nobody_listening_is_refused_at_once(address: str) -> None:
    """An ICMP error ends the measurement long before its deadline."""
    seen = await measure(unused_port(address), address=address)
    assert seen.failure == Failure.CONNECTION_REFUSED
    assert seen.duration < 5


async def test_no_version_in_common() -> None:
    """A server that speaks another version has its own failure."""
    async with serving(status(200), versions=(QuicProtocolVersion.VERSION_2,)) as port:
        seen = await measure(port)
    assert seen.failure == Failure.QUIC_INCOMPATIBLE_VERSION
    assert seen.duration < 5


async def test_an_answer_that_never_comes() -> None:
    """The results of the handshake stay on record when the request hangs."""
    async with serving(nothing) as port:
        seen = await measure(port, deadline=0.5)
    assert seen.failure == Failure.GENERIC_TIMEOUT
    assert (seen.version, seen.alpn, seen.status) == ("0x00000001", "h3", 0)


async def test_a_server_without_http_3() -> None:
    """An alert that refuses our protocol is a failed handshake."""
    async with serving(status(200), alpn=["hq"]) as port:
        seen = await measure(port)
    assert seen.failure == Failure.SSL_FAILED_HANDSHAKE
    assert seen.duration < 5


def closes(code: int, reason: str = "hostname 'x.com' doesn't match") -> Handler:
    """A server that closes the connection on a request."""

    def handle(server: Server, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            server.quic.close(error_code=code, reason_phrase=reason)
            server.transmit()

    return handle


@pytest.mark.parametrize("code", [0x100, 0x10C, 0x100 + 42])
async def test_a_server_that_hangs_up_in_place_of_an_answer(code: int) -> None:
    """After the handshake a close code of HTTP/3 is no TLS alert, though the numbers overlap."""
    async with serving(closes(code)) as port:
        seen = await promptly(port)
    assert seen.failure == Failure.EOF
    assert seen.alpn == "h3"
    assert seen.duration < 0.5


async def test_a_server_that_breaks_off_the_request() -> None:
    """A reset stream is a failure, although the connection stays open."""

    def handle(server: Server, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            server.quic.reset_stream(event.stream_id, 0x10C)
            server.transmit()

    async with serving(handle) as port:
        seen = await measure(port)
    assert seen.failure == Failure.EOF
    assert seen.duration < 5


@pytest.mark.parametrize("sent", [b"\x00\x04body", b"\x01\x03\x00\x00\xdf", b"\x01\x02\xff\xff"])
async def test_a_server_that_speaks_no_http_3(sent: bytes) -> None:
    """A body without headers, or headers without a valid status, is malformed."""

    def handle(server: Server, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            server.quic.send_stream_data(event.stream_id, sent, end_stream=True)
            server.transmit()

    async with serving(handle) as port:
        seen = await measure(port)
    assert seen.failure is not None
    assert seen.failure.startswith("unknown_failure: MalformedReplyError: ")
    assert (seen.alpn, seen.status) == ("h3", 0)
    assert seen.duration < 5


@pytest.mark.parametrize(
    ("code", "frame_type", "failure"),
    [
        (0x100 + 40, 6, Failure.SSL_FAILED_HANDSHAKE),
        (0x100 + 42, 6, Failure.SSL_FAILED_HANDSHAKE),
        (0x100 + 112, 6, Failure.SSL_FAILED_HANDSHAKE),
        (0x2, 0, Failure.CONNECTION_REFUSED),
        (0x1, 0, "unknown_failure: MalformedReplyError: QUIC closed by the peer: 0x1"),
    ],
)
async def test_a_server_that_refuses_the_handshake(
    code: int, frame_type: int, failure: str
) -> None:
    """The close code decides the failure; the peer's text does not."""
    connections: dict[bytes, QuicConnection] = {}

    def refuse(data: bytes) -> list[bytes]:
        first = data[6 : 6 + data[5]]
        if not data[0] & 0x80 or connections:
            return []
        server = QuicConnection(
            configuration=configuration(
                honest(NAME), alpn=H3_ALPN, versions=[QuicProtocolVersion.VERSION_1]
            ),
            original_destination_connection_id=first,
        )
        connections[first] = server
        server.receive_datagram(data, ("127.0.0.1", 9), now=0.0)
        server.close(error_code=code, frame_type=frame_type, reason_phrase="self-signed")
        return [sent for sent, _ in server.datagrams_to_send(now=0.0)]

    async with datagrams(refuse) as (port, _):
        seen = await promptly(port)
    assert seen.failure == failure
    assert seen.duration < 0.5


NOISE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "http": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "echo": lambda data: data,
    "zeros": lambda _: bytes(1200),
    "ones": lambda _: b"\xff" * 1200,
    "broken": lambda data: data[:7] + bytes(byte ^ 0x5A for byte in data[7:]),
    "our own version on offer": lambda data: encode_quic_version_negotiation(
        source_cid=data[6 : 6 + data[5]],
        destination_cid=data[7 + data[5] : 7 + data[5] + data[6 + data[5]]],
        supported_versions=[QuicProtocolVersion.VERSION_1],
    ),
}


@pytest.mark.parametrize("make", NOISE.values(), ids=NOISE)
async def test_noise_is_waited_through(make: Callable[[bytes], bytes]) -> None:
    """Datagrams that answer nothing of ours do not end the measurement."""
    async with datagrams(lambda data: [make(data)]) as (port, _):
        seen = await measure(port, deadline=0.5)
    assert seen.failure == Failure.GENERIC_TIMEOUT


async def test_noise_at_random_raises_nothing() -> None:
    """200 garbage packets raise nothing in the event loop."""
    chance = random.Random(7)
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))

    def garble(data: bytes) -> list[bytes]:
        return [
            bytes(
                byte if chance.random() < 0.98 else chance.randrange(256)
                for byte in data[: chance.randrange(len(data))]
            )
            for _ in range(20)
        ]

    async with datagrams(garble) as (port, _):
        measurements = await asyncio.gather(*(measure(port, deadline=0.5) for _ in range(10)))
    assert all(seen.failure is not None for seen in measurements)
    assert not trouble


# -- what is left behind -----------------------------------------------------------------------


async def test_the_farewell_is_said_once_and_not_waited_for() -> None:
    """A measurement ends with its answer and closes the connection."""
    servers: list[Server] = []

    def handle(server: Server, event: H3Event) -> None:
        servers.append(server)
        status(200)(server, event)

    async with serving(handle) as port:
        seen = await promptly(port)
        assert seen.duration < 0.5
        async with asyncio.timeout(5):
            await servers[-1].wait_closed()
        assert servers[-1].ended is not None
        assert servers[-1].ended.error_code == 0x100


def open_files() -> set[str]:
    """The open descriptors of this process."""
    return {file.name for file in Path("/proc/self/fd").iterdir()}


async def test_nothing_is_left_of_measurements_cancelled_at_any_moment() -> None:
    """100 measurements cancelled at random leave no socket, task or timer."""
    chance = random.Random(11)
    # Seconds within which to cancel: adapted to how long measurements take on this machine, so that
    # about half of them are over and the others are cancelled at any stage.
    longest = 0.025
    trouble: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: trouble.append(context))
    async with serving(status(200)) as port:
        await measure(port)
        gc.collect()
        files, tasks = open_files(), asyncio.all_tasks()
        outcomes = {"done": 0, "cancelled": 0}
        for _ in range(100):
            task = asyncio.create_task(measure(port))
            await asyncio.sleep(chance.random() * longest)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            outcomes["cancelled" if task.cancelled() else "done"] += 1
            longest *= 1.2 if task.cancelled() else 1 / 1.2
        assert open_files() == files
        assert asyncio.all_tasks() == tasks
        # A running timer would keep its measurement alive, as the last task does by its traceback.
        del task
        await asyncio.sleep(0)
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, _Exchange)]
    assert not trouble
    assert all(outcomes.values()), outcomes


def test_the_library_is_loaded_only_when_wanted() -> None:
    """The QUIC library is loaded only when QUIC is used."""
    code = "import sys, probes.measure.prober; print([m in sys.modules for m in sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", code, "aioquic", "OpenSSL"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path.cwd(),
    )
    assert done.stdout.strip() == "[False, False]"


async def test_an_authority_is_trusted_as_text_too() -> None:
    """That of one platform, which its catalogue holds."""
    pem = authority().cert_pem.bytes().decode()
    async with serving(status(200)) as port:
        seen = await measure_quic(
            network(),
            "127.0.0.1",
            port,
            NAME,
            url_path="/",
            timeout=20.0,
            trusted=Trusted(certificates=pem),
        )
    assert seen.failure is None
