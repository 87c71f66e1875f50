"""Verified chains are recognised, and no other chain passes."""

import asyncio
import contextlib
import errno
import ssl
import struct
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from probes.sockets.network import SocketNetwork, SocketStream, TlsContexts
from probes.sockets.verified_chains import (
    KEPT,
    MOST_CHAINS,
    MOST_HOSTS,
    VerifiedChains,
    digest_of,
)
from probes.vantage import Egress
from tests.lab.certificates import FORGERIES, authority, forged, honest
from tests.worlds.handmade_tls import HandmadeServer, without_key
from tests.worlds.loopback import (
    NAME,
    Conversation,
    honest_context,
    server_context,
    serving,
)

A, B = (b"leaf a", b"issuer"), (b"leaf b", b"issuer")


class Clock:
    """A clock that moves only when set."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


# -- the memory itself --------------------------------------------------------------------------


def test_only_the_same_chain_of_the_same_name_is_held() -> None:
    """Another name, another chain, a part of it, or the same octets split otherwise is unknown."""
    chains = VerifiedChains()
    chains.add(NAME, A, time.time() + 1e6)
    assert chains.expected(NAME) == {digest_of(A)}
    for other in (B, A[:1], A[::-1], (b"leaf aissuer",), (b"leaf a", b"issu", b"er"), ()):
        assert digest_of(other) not in chains.expected(NAME)
    for name in ("www." + NAME, NAME + ".", ""):
        assert not chains.expected(name)


def test_a_chain_holds_for_an_hour() -> None:
    """A chain is verified again after an hour, even if it was recognised meanwhile."""
    clock = Clock()
    chains = VerifiedChains(clock)
    chains.add(NAME, A, clock.now + 1e6)
    clock.now += KEPT - 1
    assert chains.expected(NAME)
    clock.now += 1
    assert not chains.expected(NAME)
    assert len(chains) == 0


def test_a_chain_does_not_outlive_its_certificates() -> None:
    """A chain is unknown from the second at which its first certificate expires."""
    clock = Clock()
    chains = VerifiedChains(clock)
    chains.add(NAME, A, clock.now + 10)
    chains.add(NAME, B, clock.now + 20)
    clock.now += 10
    assert chains.expected(NAME) == {digest_of(B)}


def test_a_clock_set_back_makes_every_chain_unknown() -> None:
    """With the clock set back a chain is unknown."""
    clock = Clock()
    chains = VerifiedChains(clock)
    chains.add(NAME, A, clock.now + 1e6)
    clock.now -= 1
    assert not chains.expected(NAME)


def test_a_forgotten_host_is_verified() -> None:
    """Forgetting a host removes all its chains and no others; forgetting twice is safe."""
    chains = VerifiedChains()
    for name in (NAME, "other.example"):
        chains.add(name, A, time.time() + 1e6)
    chains.forget(NAME)
    chains.forget(NAME)
    assert not chains.expected(NAME)
    assert chains.expected("other.example")


def test_a_host_with_many_chains_is_verified_each_time() -> None:
    """A host with more than four chains is verified each time."""
    clock = Clock()
    chains = VerifiedChains(clock)
    for number in range(MOST_CHAINS):
        assert len(chains.expected(NAME)) == number
        chains.add(NAME, (b"%d" % number,), clock.now + 1e6)
    assert chains.expected(NAME)
    for number in range(50):
        chains.add(NAME, (b"more %d" % number,), clock.now + 1e6)
        assert not chains.expected(NAME)
    assert len(chains) == MOST_CHAINS + 1
    clock.now += KEPT
    assert not chains.expected(NAME)
    chains.add(NAME, A, clock.now + 1e6)
    assert chains.expected(NAME)


def test_hosts_are_bounded_and_the_one_verified_longest_ago_goes() -> None:
    """The number of remembered hosts is bounded."""
    chains = VerifiedChains()
    for number in range(MOST_HOSTS):
        chains.add(f"host{number}", A, time.time() + 1e6)
    chains.add("host0", A, time.time() + 1e6)
    for number in range(100):
        chains.add(f"another{number}", A, time.time() + 1e6)
    assert len(chains) == MOST_HOSTS
    assert chains.expected("host0")
    assert not chains.expected("host1")


# -- handshakes ---------------------------------------------------------------------------------


class Origin:
    """A server that plays its peers in turn and keeps what each connection sent."""

    def __init__(self, *peers: Callable[[Conversation], Awaitable[None]]) -> None:
        self._peers = list(peers)
        self.connections = 0

    async def __call__(self, peer: Conversation) -> None:
        self.connections += 1
        serve = self._peers.pop(0) if len(self._peers) > 1 else self._peers[0]
        await serve(peer)


def with_tls(context: ssl.SSLContext) -> Callable[[Conversation], Awaitable[None]]:
    """A server that answers one question."""

    async def serve(peer: Conversation) -> None:
        await peer.start_tls(context)
        await peer.send(b"heard " + await peer.receive())

    return serve


async def rest(peer: Conversation) -> bytes:
    """What the peer sends before a FIN or an RST."""
    try:
        return await peer.receive()
    except ConnectionResetError:
        return b""


class HelloOnly:
    """A server with an untrusted chain that counts the bytes after the hello."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.sent_after_hello: list[bytes] = []

    async def __call__(self, peer: Conversation) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self._context.wrap_bio(incoming, outgoing, server_side=True)
        hello = await peer.client_hello()
        incoming.write(struct.pack("!BHH", 22, 0x0301, len(hello)) + hello)
        with pytest.raises(ssl.SSLWantReadError):
            server.do_handshake()
        await peer.send(outgoing.read())
        self.sent_after_hello.append(await rest(peer))


def fresh_contexts(verified: VerifiedChains | None = None, *, trust: bool = True) -> TlsContexts:
    """Contexts without known chains that trust the lab's authority or only the system's."""
    if not trust:
        return TlsContexts(verified=verified)
    with tempfile.TemporaryDirectory() as folder:
        anchor = Path(folder) / "anchor.pem"
        anchor.write_bytes(authority().cert_pem.bytes())
        return TlsContexts([str(anchor)], verified=verified)


async def shake_hands(contexts: TlsContexts, port: int, name: str = NAME) -> SocketStream:
    """A stream after a successful handshake."""
    stream = await SocketNetwork(Egress(), contexts).connect("127.0.0.1", port)
    try:
        await stream.start_tls(name, verify=True)
    except BaseException:
        stream.close()
        raise
    return stream


async def ask(contexts: TlsContexts, port: int) -> tuple[bytes, ...]:
    """The chain of a successful handshake whose stream answered a question."""
    stream = await shake_hands(contexts, port)
    await stream.send(b"this")
    assert await stream.receive(100) == b"heard this"
    stream.close()
    return stream.peer_chain()


async def knowing(contexts: TlsContexts) -> None:
    """Have `contexts` verify the honest chain."""
    async with serving(Origin(with_tls(honest_context()))) as port:
        await ask(contexts, port)
    assert contexts.verified.expected(NAME)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_chain_verified_before_is_recognised_on_one_connection(
    version: ssl.TLSVersion,
) -> None:
    """A known chain is recognised and not verified: contexts that trust nobody accept it."""
    context = server_context(honest(NAME))
    context.maximum_version = version
    verified = VerifiedChains()
    contexts = fresh_contexts(verified)
    origin = Origin(with_tls(context))
    async with serving(origin) as port:
        first = await ask(contexts, port)
        assert len(verified) == 1
        assert digest_of(first) in verified.expected(NAME)
        assert await ask(contexts, port) == first
        assert await ask(fresh_contexts(verified, trust=False), port) == first
        assert origin.connections == 3
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(fresh_contexts(trust=False), port)


class Forgetful(VerifiedChains):
    """Another handshake with the name fails as soon as one has begun."""

    def expected(self, host: str) -> frozenset[bytes]:
        expected = super().expected(host)
        self.forget(host)
        return expected


async def test_a_handshake_that_fails_meanwhile_makes_no_other_begin_anew() -> None:
    """Of many with one name at once each stays one connection."""
    contexts = fresh_contexts(Forgetful())
    origin = Origin(with_tls(honest_context()))
    async with serving(origin) as port:
        chain = await ask(contexts, port)
        contexts.verified.add(NAME, chain, time.time() + 1e6)
        assert await ask(contexts, port) == chain
    assert origin.connections == 2


async def test_a_recognised_handshake_tells_the_same_facts() -> None:
    """Version, cipher, protocol and chain."""
    contexts = fresh_contexts()
    async with serving(Origin(with_tls(honest_context()))) as port:
        seen = []
        for _ in range(2):
            stream = await SocketNetwork(Egress(), contexts).connect("127.0.0.1", port)
            facts = await stream.start_tls(NAME, verify=True)
            seen.append((facts, stream.peer_chain()))
            stream.close()
    assert seen[0] == seen[1]
    assert seen[0][1]


def with_unreadable_subject() -> str:
    """An honest certificate, with its key, whose subject has a SEQUENCE in place of a text."""
    ca = authority()
    pem = ca.issue_cert(NAME, organization_name="ABCDEFGH").private_key_and_cert_chain_pem.bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    signed = certificate.tbs_certificate_bytes.replace(b"\x0c\x08ABCDEFGH", b"\x30\x08ABCDEFGH")
    key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = b"\0" + key.sign(signed, ec.ECDSA(hashes.SHA256()))
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    inside = signed + ecdsa_with_sha256 + bytes([3, len(signature)]) + signature
    der = b"\x30\x82" + len(inside).to_bytes(2) + inside
    private = pem[: pem.index(b"-----BEGIN CERT")].decode()
    return private + ssl.DER_cert_to_PEM_cert(der)


async def test_a_verified_chain_with_a_subject_that_cannot_be_read_is_no_failure() -> None:
    """It is only not kept. Python's error made an honest handshake a failure of TLS."""
    contexts = fresh_contexts()
    async with serving(Origin(with_tls(server_context(with_unreadable_subject())))) as port:
        assert await ask(contexts, port)
        assert not contexts.verified.expected(NAME)
        assert await ask(contexts, port)


async def test_a_new_honest_chain_is_verified_on_a_new_connection() -> None:
    """A new certificate gets nothing but a hello before it is verified."""
    contexts = fresh_contexts()
    await knowing(contexts)
    renewed = authority().issue_cert(NAME).private_key_and_cert_chain_pem.bytes().decode()
    suspected = HelloOnly(server_context(renewed))
    origin = Origin(suspected, with_tls(server_context(renewed)))
    async with serving(origin) as port:
        chain = await ask(contexts, port)
        assert origin.connections == 2
        assert suspected.sent_after_hello == [b""]
        assert digest_of(chain) in contexts.verified.expected(NAME)
        assert len(contexts.verified) == 2, "the one before is still in use elsewhere, maybe"
        await ask(contexts, port)
        assert origin.connections == 3


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forgery_is_refused_as_it_is_where_nothing_is_known(
    how: str, version: ssl.TLSVersion
) -> None:
    """A forged chain fails as without memory, gets only hellos, and the host is forgotten."""
    context = server_context(forged(NAME, how))
    context.maximum_version = version
    seen = []
    for known in (False, True):
        contexts = fresh_contexts()
        if known:
            await knowing(contexts)
        forger = HelloOnly(context)
        async with serving(forger) as port:
            stream = await SocketNetwork(Egress(), contexts).connect("127.0.0.1", port)
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                await stream.start_tls(NAME, verify=True)
            stream.close()
            await asyncio.sleep(0.02)
            seen.append((caught.value.verify_code, caught.value.reason, stream.peer_chain()))
        assert set(forger.sent_after_hello) == {b""}
        assert len(forger.sent_after_hello) == 1 + known
        assert not contexts.verified.expected(NAME)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("known", [False, True])
async def test_a_peer_without_the_key_of_a_known_chain_is_refused(known: bool) -> None:
    """With TLS 1.3 a copied chain fails without its key, and passes with it."""
    contexts = fresh_contexts()
    if known:
        await knowing(contexts)
    after: list[bytes] = []

    def serve(server: HandmadeServer) -> Callable[[Conversation], Awaitable[None]]:
        async def serving_by_hand(peer: Conversation) -> None:
            await server.answer(peer)
            after.append(await rest(peer))

        return serving_by_hand

    origin = Origin(serve(without_key(honest(NAME))), serve(HandmadeServer(honest(NAME))))
    async with serving(origin) as port:
        with pytest.raises(ssl.SSLError) as caught:
            await shake_hands(contexts, port)
        assert not isinstance(caught.value, ssl.SSLCertVerificationError)
        assert caught.value.reason == "BAD_SIGNATURE"
        (await shake_hands(contexts, port)).close()
        await asyncio.sleep(0.02)
    assert after[0] == b""
    assert after[1] != b""
    assert origin.connections == 2


@pytest.mark.parametrize("known", [False, True])
async def test_a_peer_without_the_key_is_refused_in_tls_1_2_too(known: bool) -> None:
    """With TLS 1.2 a key exchange signed by another key fails under a copied chain."""
    contexts = fresh_contexts()
    if known:
        await knowing(contexts)
    context = server_context(forged(NAME, "unknown-authority"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    (chain,) = (ssl.PEM_cert_to_DER_cert(_certificate(honest(NAME))),)
    listed = _length(chain) + chain
    certificates = _length(listed) + listed

    async def impostor(peer: Conversation) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        hello = await peer.client_hello()
        incoming.write(struct.pack("!BHH", 22, 0x0301, len(hello)) + hello)
        with pytest.raises(ssl.SSLWantReadError):
            server.do_handshake()
        for kind, body in _messages(outgoing.read()):
            said = certificates if kind == 11 else body
            message = bytes([kind]) + _length(said) + said
            await peer.send(struct.pack("!BHH", 22, 0x0303, len(message)) + message)
        assert await rest(peer) == b""

    async with serving(impostor) as port:
        with pytest.raises(ssl.SSLError) as caught:
            await shake_hands(contexts, port)
    assert caught.value.reason == "BAD_SIGNATURE"


def _length(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big")


def _certificate(pem: str) -> str:
    start = pem.index("-----BEGIN CERTIFICATE")
    end = pem.index("-----END CERTIFICATE-----", start)
    return pem[start : end + len("-----END CERTIFICATE-----")]


def _messages(records: bytes) -> list[tuple[int, bytes]]:
    """The handshake messages in records."""
    stream = b""
    while records:
        length = int.from_bytes(records[3:5], "big")
        stream, records = stream + records[5 : 5 + length], records[5 + length :]
    messages = []
    while stream:
        length = int.from_bytes(stream[1:4], "big")
        messages.append((stream[0], stream[4 : 4 + length]))
        stream = stream[4 + length :]
    return messages


async def test_what_fails_before_a_chain_is_there_fails_alike_on_one_connection() -> None:
    """A reset after the hello is the same failure, without a second try that could hide it."""
    contexts = fresh_contexts()
    await knowing(contexts)

    async def cut(peer: Conversation) -> None:
        await peer.client_hello()
        peer.reset()

    origin = Origin(cut)
    async with serving(origin) as port:
        with pytest.raises(OSError, match="reset") as caught:
            await shake_hands(contexts, port)
        assert caught.value.errno == errno.ECONNRESET
        await asyncio.sleep(0.02)
        assert origin.connections == 1
    assert contexts.verified.expected(NAME), "that says nothing about the chain"


async def test_a_second_connection_that_fails_makes_the_next_measurement_verify() -> None:
    """A reset of the second connection counts, and the next measurement makes only one."""
    contexts = fresh_contexts()
    await knowing(contexts)

    async def cut(peer: Conversation) -> None:
        await peer.client_hello()
        peer.reset()

    forger = HelloOnly(server_context(forged(NAME, "self-signed")))
    origin = Origin(forger, cut, forger)
    async with serving(origin) as port:
        with pytest.raises(ConnectionResetError):
            await shake_hands(contexts, port)
        assert origin.connections == 2
        with pytest.raises(ssl.SSLCertVerificationError):
            await shake_hands(contexts, port)
        assert origin.connections == 3


async def test_a_stream_that_was_spoken_over_is_verified_from_the_start() -> None:
    """On a stream that carried cleartext the chain is verified, without a second connection."""
    verified = VerifiedChains()
    await knowing(fresh_contexts(verified))

    async def greet(peer: Conversation) -> None:
        assert await peer.receive() == b"greetings"
        await peer.send(b"go on")
        with contextlib.suppress(OSError):
            await peer.start_tls(honest_context())

    async with serving(Origin(greet)) as port:
        contexts = fresh_contexts(verified, trust=False)
        stream = await SocketNetwork(Egress(), contexts).connect("127.0.0.1", port)
        await stream.send(b"greetings")
        assert await stream.receive(100) == b"go on"
        with pytest.raises(ssl.SSLCertVerificationError):
            await stream.start_tls(NAME, verify=True)
        stream.close()


async def test_a_measurement_that_records_only_teaches_nothing() -> None:
    """A chain accepted without verification is not remembered."""
    contexts = fresh_contexts()
    async with serving(Origin(with_tls(server_context(forged(NAME, "self-signed"))))) as port:
        stream = await SocketNetwork(Egress(), contexts).connect("127.0.0.1", port)
        await stream.start_tls(NAME, verify=False)
        stream.close()
    assert len(contexts.verified) == 0


async def test_the_end_of_a_chain_is_read_from_the_path_that_was_verified() -> None:
    """A chain is not expected after its first certificate expired."""
    clock = Clock()
    contexts = fresh_contexts(VerifiedChains(clock))
    now = time.time()
    soon = authority().issue_cert(NAME, not_after=_moment(now + 120))
    pem = soon.private_key_and_cert_chain_pem.bytes().decode()
    async with serving(Origin(with_tls(server_context(pem)))) as port:
        await ask(contexts, port)
    clock.now = now + 118
    assert contexts.verified.expected(NAME)
    clock.now = now + 121
    assert not contexts.verified.expected(NAME)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_nobody_can_tell_by_the_hello_whether_a_chain_is_known() -> None:
    """Both contexts send the same hello, except for random bytes."""
    contexts = fresh_contexts()
    shapes = [_shape(_hello(context)) for context in (contexts.verifying, contexts.recording)]
    assert shapes[0] == shapes[1]
    assert len(shapes[0][2]) > 5


def _hello(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def _shape(hello: bytes) -> tuple[bytes, int, list[tuple[int, bytes | int]]]:
    """A hello without its random parts: ciphers, length and extensions in order."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    ciphers = hello[at : at + 2 + int.from_bytes(hello[at : at + 2], "big")]
    at += len(ciphers)
    at += 1 + hello[at] + 2
    extensions: list[tuple[int, bytes | int]] = []
    while at < len(hello):
        kind, length = struct.unpack_from("!HH", hello, at)
        body = hello[at + 4 : at + 4 + length]
        extensions.append((kind, length if kind == 51 else body))  # key shares are random
        at += 4 + length
    return ciphers, len(hello), extensions
