"""Sockets: binding, handshakes, ends of streams, and clean-up."""

import asyncio
import contextlib
import errno
import hashlib
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from probes.catalog.catalog import Authority
from probes.measurement import ONE_PACKET, Hello
from probes.sockets.failure_mapping import PeerClosedError
from probes.sockets.network import (
    SocketNetwork,
    SocketStream,
    TlsContexts,
    chain_digest,
    receive_exactly,
)
from probes.sockets.parting import PATIENCE, parted
from probes.testing import Peer, ScriptedNetwork
from probes.vantage import Egress, EgressKind
from tests.lab.certificates import interceptor
from tests.worlds.loopback import (
    NAME,
    Conversation,
    forever,
    forged_context,
    full_backlog,
    honest_context,
    network,
    serving,
    trusting_contexts,
    unused_port,
)


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Every test here closes what it opened."""
    before = open_descriptors()
    yield
    assert open_descriptors() <= before


def open_descriptors() -> int:
    """How many sockets this process has."""
    return sum(1 for path in Path("/proc/self/fd").iterdir() if _is_socket(path))


def _is_socket(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return str(path.readlink()).startswith("socket:")
    return False


async def echo(peer: Conversation) -> None:
    """Echo."""
    while data := await peer.receive():
        await peer.send(data)
    peer.end()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_both_families_connect_and_carry(address: str) -> None:
    """Bytes pass over IPv4 and IPv6, and the stream knows its own address."""
    async with serving(echo, address=address) as port:
        stream = await network().connect(address, port)
        await stream.send(b"hello")
        assert await receive_exactly(stream, 5) == b"hello"
        assert stream.local_address == address
        assert stream.retransmits() == 0
        stream.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_more_than_the_buffers_hold_gets_through(tls: bool) -> None:
    """A send that fills every buffer waits and goes on, in cleartext and TLS."""
    data = os.urandom(5_000_000)

    async def digest(peer: Conversation) -> None:
        await asyncio.sleep(0.05)
        received = await peer.exactly(len(data))
        await peer.send(hashlib.sha256(received).digest())

    async with serving(digest, tls=honest_context() if tls else None) as port:
        stream = await network().connect("127.0.0.1", port)
        if tls:
            await stream.start_tls(NAME, verify=True)
        await stream.send(data)
        assert await receive_exactly(stream, 32) == hashlib.sha256(data).digest()
        stream.close()


async def test_a_handshake_tells_what_was_agreed_and_shown() -> None:
    """After the handshake version, cipher, protocol and chain are known."""
    async with serving(forever, tls=honest_context()) as port:
        stream = await network().connect("127.0.0.1", port)
        assert stream.peer_chain() == ()
        facts = await stream.start_tls(NAME, verify=True)
        assert (facts.version, facts.alpn) == ("TLSv1.3", "http/1.1")
        assert facts.cipher.startswith("TLS_")
        chain = stream.peer_chain()
        assert NAME.encode() in chain[0]
        stream.close()
    assert chain_digest(chain) == hashlib.sha256(b"".join(chain)).hexdigest()
    assert chain_digest(()) == ""


@pytest.mark.parametrize("verify", [True, False])
async def test_each_form_of_greeting_is_what_it_says(*, verify: bool) -> None:
    """The short one fits into one packet, the one in parts is as short; a usual one is as OpenSSL
    makes it. All are finished, and the length is told."""
    sizes: dict[Hello, int] = {}
    for hello in Hello:
        async with serving(forever, tls=honest_context()) as port:
            stream = await network().connect("127.0.0.1", port)
            assert stream.hello_bytes == 0
            facts = await stream.start_tls(NAME, verify=verify, hello=hello)
            assert facts.version == "TLSv1.3"
            sizes[hello] = stream.hello_bytes
            stream.close()
    assert sizes[Hello.SHORT] == sizes[Hello.PARTS] <= ONE_PACKET
    assert sizes[Hello.USUAL] > ONE_PACKET or ssl.OPENSSL_VERSION_INFO < (3, 5)
    await asyncio.wait_for(parted(), PATIENCE + 1)


async def test_recording_shakes_hands_with_anyone() -> None:
    """Without verification a handshake with a wrong name works and shows its chain."""
    async with serving(forever, tls=honest_context("chat.example")) as port:
        stream = await network().connect("127.0.0.1", port)
        await stream.start_tls(NAME, verify=False)
        assert b"chat.example" in stream.peer_chain()[0]
        stream.close()


async def test_the_end_of_a_stream_is_no_error() -> None:
    """A FIN is the end of the stream; reading on raises PeerClosedError."""

    async def half(peer: Conversation) -> None:
        await peer.send(b"half")
        peer.end()

    for tls in (None, honest_context()):
        async with serving(half, tls=tls) as port:
            stream = await network().connect("127.0.0.1", port)
            if tls is not None:
                await stream.start_tls(NAME, verify=True)
            assert await receive_exactly(stream, 4) == b"half"
            assert await stream.receive(10) == b""
            with pytest.raises(PeerClosedError):
                await receive_exactly(stream, 1)
            stream.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_reset_is_an_error_in_clear_and_under_tls(tls: bool) -> None:
    """An RST is ECONNRESET at any time."""

    async def cut(peer: Conversation) -> None:
        await peer.receive()
        await peer.send(b"some")
        await asyncio.sleep(0.02)
        peer.reset()

    async with serving(cut, tls=honest_context() if tls else None) as port:
        stream = await network().connect("127.0.0.1", port)
        if tls:
            await stream.start_tls(NAME, verify=True)
        await stream.send(b"go")
        assert await receive_exactly(stream, 4) == b"some"
        with pytest.raises(OSError, match="reset") as caught:
            await stream.receive(10)
        assert caught.value.errno == errno.ECONNRESET
        stream.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_an_end_stays_an_end_when_our_own_data_draws_a_reset(tls: bool) -> None:
    """A close before our data arrives is reported as a close, not as the RST that follows."""
    ended = asyncio.Event()
    written = asyncio.Event()

    async def hang_up(peer: Conversation) -> None:
        peer.end()
        ended.set()
        await written.wait()

    async with serving(hang_up, tls=honest_context() if tls else None) as port:
        stream = await network().connect("127.0.0.1", port)
        if tls:
            await stream.start_tls(NAME, verify=True)
        await ended.wait()
        await stream.send(b"too late")
        written.set()
        await asyncio.sleep(0.05)
        assert await stream.receive(10) == b""
        stream.close()


async def test_writing_into_a_reset_stream_is_a_reset() -> None:
    """With TLS a send into a reset stream raises a reset and not an end."""

    async def cut(peer: Conversation) -> None:
        peer.reset()

    async with serving(cut, tls=honest_context()) as port:
        stream = await network().connect("127.0.0.1", port)
        await stream.start_tls(NAME, verify=True)
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionResetError):
            await stream.send(b"x" * 100)
        stream.close()


async def test_a_syn_sent_again_is_counted() -> None:
    """A lost first SYN shows in the kernel's count of retransmits."""
    async with full_backlog() as (port, listener):
        connecting = asyncio.create_task(network().connect("127.0.0.1", port))
        await asyncio.sleep(0.1)
        accepted = []
        listener.setblocking(False)
        while True:
            with contextlib.suppress(BlockingIOError):
                accepted.append(listener.accept()[0])
            if connecting.done():
                break
            await asyncio.sleep(0.02)
        stream = await connecting
        assert stream.retransmits() >= 1
        stream.close()
        for sock in accepted:
            sock.close()


async def test_a_source_address_is_bound_to() -> None:
    """A vantage bound to an address connects and sends datagrams from it."""
    bound = network(Egress(kind=EgressKind.SOURCE, source="127.0.0.7"))
    assert bound.families() == ("ipv4",)
    async with serving(echo) as port:
        stream = await bound.connect("127.0.0.1", port)
        assert stream.local_address == "127.0.0.7"
        stream.close()
    datagrams = bound.open_datagrams("127.0.0.1", 9, lambda _: None, lambda _: None)
    assert datagrams.local_address == "127.0.0.7"
    datagrams.close()


async def test_nothing_leaves_by_the_family_without_a_source_address() -> None:
    """What is bound to an IPv4 address has no IPv6: that would go out by another line. A resolver
    on this machine is asked all the same."""
    bound = network(Egress(kind=EgressKind.SOURCE, source="127.0.0.7"))
    with pytest.raises(OSError, match="family") as caught:
        await bound.connect("2001:db8::53", 9)
    assert caught.value.errno == errno.EAFNOSUPPORT
    with pytest.raises(OSError, match="family"):
        bound.open_datagrams("2001:db8::53", 9, lambda _: None, lambda _: None)
    async with serving(echo, address="::1") as port:
        (await bound.connect("::1", port)).close()


async def test_one_source_address_of_each_family_may_be_given() -> None:
    """With a source of each family both families are available, each from its source."""
    bound = network(Egress(kind=EgressKind.SOURCE, source="127.0.0.7, ::1"))
    assert bound.families() == ("ipv4", "ipv6")
    async with serving(echo, address="::1") as port:
        stream = await bound.connect("::1", port)
        assert stream.local_address == "::1"
        stream.close()


async def test_a_source_address_that_is_not_ours_fails_as_such() -> None:
    """Binding a foreign address fails and leaves nothing open."""
    bound = network(Egress(kind=EgressKind.SOURCE, source="203.0.113.7"))
    with pytest.raises(OSError, match="assign") as caught:
        await bound.connect("127.0.0.1", 9)
    assert caught.value.errno == errno.EADDRNOTAVAIL


async def test_an_interface_is_bound_to() -> None:
    """A vantage bound to a device uses it; a missing device is an error."""
    async with serving(echo) as port:
        stream = await network(Egress(kind=EgressKind.INTERFACE, interface="lo")).connect(
            "127.0.0.1", port
        )
        stream.close()
        with pytest.raises(OSError, match="device") as caught:
            await network(Egress(kind=EgressKind.INTERFACE, interface="gone0")).connect(
                "127.0.0.1", port
            )
    assert caught.value.errno == errno.ENODEV


def test_without_a_binding_both_families_are_available() -> None:
    """A direct egress has both families."""
    assert network().families() == ("ipv4", "ipv6")


async def test_a_cancelled_connect_closes_its_socket() -> None:
    """A cancelled connect leaves nothing registered and nothing open."""
    async with full_backlog() as (port, _):
        before = open_descriptors()
        connecting = asyncio.create_task(network().connect("127.0.0.1", port))
        await asyncio.sleep(0.01)
        assert open_descriptors() == before + 1
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert open_descriptors() == before


async def test_a_stream_may_be_closed_again() -> None:
    """Closing twice is safe, and the address of a closed stream is empty."""
    async with serving(echo) as port:
        stream = await network().connect("127.0.0.1", port)
        stream.close()
        stream.close()
        assert stream.local_address == ""
        assert stream.retransmits() == 0
        assert stream.peer_chain() == ()


@pytest.mark.parametrize("gives_up_in", ["clear", "handshake", "tls", "certificate"])
async def test_a_stream_ends_as_a_browsers_does(gives_up_in: str) -> None:
    """Whatever was reached, and though the server says more than is read (a TLS 1.3 server always
    does): it sees the end of the stream and no reset, and the socket lives no longer than that."""
    told: asyncio.Future[bytes | type[OSError]] = asyncio.get_running_loop().create_future()

    async def end_of(peer: Conversation) -> None:
        try:
            while await peer.receive():
                pass
            told.set_result(b"")
        except OSError as error:
            told.set_result(type(error))

    async def silent(peer: Conversation) -> None:
        if gives_up_in == "handshake":
            await peer.client_hello()
        await end_of(peer)

    secure = gives_up_in in ("tls", "certificate")
    context = honest_context() if secure else None
    async with serving(end_of if secure else silent, tls=context) as port:
        stream = await network().connect("127.0.0.1", port)
        if gives_up_in == "tls":
            await stream.start_tls(NAME, verify=True)
        elif gives_up_in == "certificate":
            with pytest.raises(ssl.SSLCertVerificationError):
                await stream.start_tls("another.example", verify=True)
            told.set_result(b"")  # the server's own handshake fails, so it is told of no end
        elif gives_up_in == "handshake":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await stream.start_tls(NAME, verify=True)
        stream.close()
        assert await asyncio.wait_for(told, 5) == b""
        await asyncio.wait_for(parted(), PATIENCE + 1)


# -- datagrams -----------------------------------------------------------------------------------


async def test_replies_are_heard_and_strangers_are_not() -> None:
    """Datagrams from other addresses are ignored."""
    heard: list[bytes] = []
    with (
        socket.socket(type=socket.SOCK_DGRAM) as server,
        socket.socket(type=socket.SOCK_DGRAM) as stranger,
    ):
        server.bind(("127.0.0.1", 0))
        address, port = server.getsockname()
        datagrams = network().open_datagrams(address, port, heard.append, lambda _: None)
        datagrams.send(b"query")
        data, client = server.recvfrom(100)
        stranger.sendto(b"forged", client)
        server.sendto(b"one", client)
        server.sendto(b"two", client)
        await asyncio.sleep(0.05)
        assert (data, heard) == (b"query", [b"one", b"two"])
        datagrams.close()
        server.sendto(b"late", client)
        await asyncio.sleep(0.02)
        assert heard == [b"one", b"two"]
        datagrams.close()


async def test_an_icmp_error_is_heard() -> None:
    """A port without a listener is reported as a refusal."""
    errors: list[OSError] = []
    datagrams = network().open_datagrams("127.0.0.1", unused_port(), lambda _: None, errors.append)
    datagrams.send(b"query")
    await asyncio.sleep(0.05)
    datagrams.close()
    assert [error.errno for error in errors] == [errno.ECONNREFUSED]


def test_the_fake_has_the_real_networks_shape() -> None:
    """ScriptedNetwork and its streams have the methods of the real ones."""
    public = {name for name in dir(SocketNetwork) if not name.startswith("_")}
    assert public <= set(dir(ScriptedNetwork))
    stream = {name for name in dir(SocketStream) if not name.startswith("_")}

    async def connected() -> set[str]:
        fake = ScriptedNetwork()
        fake.peer("203.0.113.1", 443, Peer())
        return set(dir(await fake.connect("203.0.113.1", 443)))

    assert stream <= asyncio.run(connected())


def test_a_trust_anchor_is_added_to_mozillas() -> None:
    """Extra anchors are added to Mozilla's; the recording context has none."""
    contexts = trusting_contexts()
    organisations = str([c["subject"] for c in contexts.verifying.get_ca_certs()])
    assert "Lab Trust" in organisations
    mozillas = ssl.create_default_context(cafile=certifi.where()).get_ca_certs()
    assert len(mozillas) > 100
    assert len(contexts.verifying.get_ca_certs()) == 1 + len(mozillas)
    assert contexts.recording.get_ca_certs() == []


def test_the_machines_own_authorities_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an office or a state adds to the machine's store would make its forgeries verify."""
    system = tmp_path / "system.pem"
    interceptor("Qaznet Trust Network").cert_pem.write_to_path(str(system))
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    assert "Qaznet" in str(ssl.create_default_context().get_ca_certs())
    assert "Qaznet" not in str(TlsContexts().verifying.get_ca_certs())


@pytest.mark.parametrize("hello", Hello)
async def test_an_authority_is_trusted_for_its_own_domain_alone(hello: Hello) -> None:
    """Of two the smaller domain decides, and Mozilla's stay trusted. What it signed for another
    name is a forgery."""
    own, other = interceptor("Signal's own"), interceptor("another")
    contexts = TlsContexts(
        authorities=[
            Authority(domain="example", certificates=other.cert_pem.bytes().decode()),
            Authority(domain="chat.example", certificates=own.cert_pem.bytes().decode()),
        ]
    )

    async def verifies(name: str, organisation: str) -> bool:
        async with serving(forever, tls=forged_context(f"by {organisation}", name)) as port:
            stream = await SocketNetwork(Egress(), contexts).connect("127.0.0.1", port)
            try:
                await stream.start_tls(name, verify=True, hello=hello)
            except ssl.SSLCertVerificationError:
                return False
            finally:
                stream.close()
            return True

    for name in ("chat.example", "a.chat.example"):
        assert await verifies(name, "Signal's own")
        assert not await verifies(name, "another")
    assert await verifies("other.example", "another")
    for name in ("notchat.example", "x.com", "chat.example.org"):
        assert not await verifies(name, "Signal's own")
    mozillas = contexts.verifying.get_ca_certs(binary_form=True)
    roots = contexts.of(hello, verify=True, name="chat.example").get_ca_certs(binary_form=True)
    assert set(mozillas) < set(roots)
