"""The Network protocol and its asyncio implementation, the only owner of sockets.

Sockets are non-blocking and driven by readiness callbacks of the running loop. TLS runs in memory
between our own reads and writes (docs/adr/0005). A chain verified within the last hour is
recognised instead of verified again (docs/adr/0004).
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import socket
import ssl
import struct
import termios
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, Protocol, cast

import certifi
import msgspec

from probes.catalog.catalog import Authority, certificates_for
from probes.measurement import Hello, family_of
from probes.sockets.failure_mapping import PeerClosedError
from probes.sockets.parting import part
from probes.sockets.readiness import INPUT, WatchedSocket
from probes.sockets.system_resolvers import is_loopback
from probes.sockets.verified_chains import VerifiedChains, digest_of
from probes.vantage import Egress, EgressKind

_READ = 16 * 1024
"""Bytes read at a time for TLS."""
_TCP_INFO_LENGTH = 104
_TOTAL_RETRANS_OFFSET = 100
"""Offset of `tcpi_total_retrans` in struct tcp_info of linux/tcp.h."""


_LIFETIME = {
    "ipv4": (socket.IPPROTO_IP, socket.IP_TTL, 11),
    "ipv6": (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 25),
}
"""Level of the socket options for how many routers a packet may pass, and IP_RECVERR of
linux/in.h, for the ICMP errors that come back."""
_BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of linux/in.h, for both families."""
_ERROR_QUEUE = 0x2000
"""MSG_ERRQUEUE of linux/socket.h."""
_TIME_EXCEEDED = ((2, 11), (3, 3))
"""Origin and type in struct sock_extended_err, of IPv4 and IPv6."""

OnDatagram = Callable[[bytes], None]
OnError = Callable[[OSError], None]


class TlsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a finished TLS handshake."""

    version: str
    cipher: str
    alpn: str


class ByteStream(Protocol):
    """A stream of bytes in both directions."""

    async def send(self, data: bytes) -> None:
        """Write all of `data`."""

    async def receive(self, limit: int) -> bytes:
        """At least one byte and at most `limit`; b"" at the end of the stream."""


class Stream(ByteStream, Protocol):
    """A TCP connection.

    `close` may be called any number of times, but not while a task waits on the stream.
    """

    received: int
    """Bytes the peer sent, as TCP carries them: the handshake and the frames of TLS count."""
    on_received: Callable[[], None] | None
    """Called whenever `received` grows. Of a TLS record, nothing can be read before all of it is
    here, which may take seconds on a slow line."""

    @property
    def local_address(self) -> str:
        """The vantage's own address on this stream, for scrubbing only; empty when closed."""

    def retransmits(self) -> int:
        """Segments sent more than once so far; 0 where the kernel does not report it."""

    @property
    def hello_bytes(self) -> int:
        """Bytes of the TLS greeting sent last; 0 where none was."""

    async def start_tls(
        self, server_name: str, *, verify: bool, hello: Hello = Hello.USUAL
    ) -> TlsFacts:
        """Make the TLS handshake. Raises ssl.SSLError or OSError; after that nothing is sent."""

    def peer_chain(self) -> tuple[bytes, ...]:
        """DER certificates that the peer presented, leaf first, verified or not."""

    def inside(self) -> "Stream":
        """The connection inside this one, which is encrypted: what a proxy carries on."""

    def close(self) -> None:
        """Release the socket."""


class Datagrams(Protocol):
    """A connected UDP socket."""

    @property
    def local_address(self) -> str:
        """The vantage's own address, for scrubbing only."""

    def send(self, data: bytes) -> None:
        """Send one datagram; raises OSError."""

    def close(self) -> None:
        """Release the socket."""


class Network(Protocol):
    """The network as one vantage reaches it."""

    def families(self) -> tuple[str, ...]:
        """Address families that this vantage can use."""

    async def connect(self, address: str, port: int, segment: int = 0) -> Stream:
        """Open a TCP connection to an IP address; with `segment` neither side sends segments of
        more bytes. Raises OSError."""

    async def connect_within(self, address: str, port: int, routers: int) -> str:
        """Ask for a TCP connection with packets that pass fewer than `routers` routers: who
        answered, `address` or the router at which they ended. Raises OSError."""

    def open_datagrams(
        self, address: str, port: int, on_datagram: OnDatagram, on_error: OnError
    ) -> Datagrams:
        """Open a UDP socket; `on_datagram` gets each reply from that address. Raises OSError."""


class TlsContexts:
    """The client contexts of a process, built once because building one costs milliseconds.

    Those of one form of greeting send a peer the same bytes, except for random ones. The roots are
    Mozilla's, as certifi ships them, and never the machine's own: an office or a state adds its
    authority to those, and what it intercepts would verify. A platform's own authority is trusted
    for its own domain alone.
    """

    def __init__(
        self,
        trust_anchors: Sequence[str] = (),
        authorities: Sequence[Authority] = (),
        *,
        verified: VerifiedChains | None = None,
    ) -> None:
        """`trust_anchors` are files of roots to trust in addition to Mozilla's, for every name;
        `authorities` are trusted for their own domains.

        `verified` is empty or was filled with the same anchors and authorities.
        """
        self.verified = VerifiedChains() if verified is None else verified
        self.verifying = _verifying()
        for path in (certifi.where(), *trust_anchors):
            self.verifying.load_verify_locations(cafile=path)
        self.recording = _recording()
        _offer(self.verifying, self.recording)
        self._anchors = trust_anchors
        self._authorities = authorities
        self._with_roots: dict[str, TlsContexts] = {}

    def of(self, hello: Hello, *, verify: bool, name: str = "") -> ssl.SSLContext:
        """The context that greets in this form, and verifies for this name or only records what it
        is shown."""
        if verify and (roots := certificates_for(name, self._authorities)):
            return self._trusting(roots).of(hello, verify=True)
        if hello is Hello.USUAL:
            return self.verifying if verify else self.recording
        verifying, recording = self._short
        return verifying if verify else recording

    def _trusting(self, roots: str) -> "TlsContexts":
        """The contexts that trust these roots too, which few processes need."""
        if roots not in self._with_roots:
            contexts = self._with_roots[roots] = TlsContexts(self._anchors)
            contexts.verifying.load_verify_locations(cadata=roots)
        return self._with_roots[roots]

    @cached_property
    def _short(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """The contexts of short greetings, which few processes need."""
        pair = _verifying(), _recording()
        roots = b"".join(self.verifying.get_ca_certs(binary_form=True))
        pair[0].load_verify_locations(cadata=roots)
        for context in pair:
            _share_one_key(context)
        _offer(*pair)
        return pair


def _share_one_key(context: ssl.SSLContext) -> None:
    """Send one key, for a group that nearly every server takes: so the greeting is short."""
    try:
        context.set_ecdh_curve("X25519")
    except ssl.SSLError:  # Python 3.11.2, as Debian 12 ships it, can name no such group.
        context.set_ecdh_curve("prime256v1")


def _verifying() -> ssl.SSLContext:
    """Verifies as browsers do, and the same in each Python: from 3.13 on, Python's own default also
    refuses chains for formal faults that browsers accept, such as a missing key identifier."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    return context


def _recording() -> ssl.SSLContext:
    """Proves that the peer holds the key of the chain it presents; the caller decides whether to
    trust that chain. With roots loaded, OpenSSL would verify it needlessly."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _offer(*contexts: ssl.SSLContext) -> None:
    for context in contexts:
        context.set_alpn_protocols(["http/1.1"])


class SocketNetwork:
    """Network over the machine's own sockets, bound as the vantage's egress says."""

    def __init__(self, egress: Egress, contexts: TlsContexts) -> None:
        self._contexts = contexts
        self._interface = egress.interface if egress.kind is EgressKind.INTERFACE else ""
        sources = egress.source.split(",") if egress.kind is EgressKind.SOURCE else []
        self._source = {family_of(source.strip()): source.strip() for source in sources}

    def families(self) -> tuple[str, ...]:
        """Both, unless bound to source addresses: then only their families."""
        return tuple(sorted(self._source)) or ("ipv4", "ipv6")

    def _socket(self, address: str, kind: socket.SocketKind) -> WatchedSocket:
        family = family_of(address)
        if self._source and family not in self._source and not is_loopback(address):
            # Not bound it would leave by another line. A resolver on this machine leaves by none.
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        sock = WatchedSocket(socket.AF_INET6 if family == "ipv6" else socket.AF_INET, kind)
        try:
            if self._interface:
                sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode() + b"\0"
                )
            if family in self._source:
                # The port is chosen with the destination. Chosen now, it would have to be one that
                # no connection from this address has, and the kernel searches long for the last.
                sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                sock.bind((self._source[family], 0))
        except BaseException:
            sock.close()
            raise
        return sock

    async def connect(self, address: str, port: int, segment: int = 0) -> "SocketStream":
        """Open a TCP connection; the caller sets the deadline and closes the stream."""
        dial = partial(self._dial, address, port, segment)
        return SocketStream(await dial(), self._contexts, dial)

    async def _dial(self, address: str, port: int, segment: int) -> WatchedSocket:
        sock = self._socket(address, socket.SOCK_STREAM)
        try:
            if segment:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
            try:
                sock.connect((address, port))
            except BlockingIOError:
                await sock.connected()
            # A measurement makes a few small writes; each should leave at once.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    async def connect_within(self, address: str, port: int, routers: int) -> str:
        """As `Network.connect_within`; the caller sets the deadline. Needs no privilege."""
        sock = self._socket(address, socket.SOCK_STREAM)
        level, lifetime, errors = _LIFETIME[family_of(address)]
        try:
            sock.setsockopt(level, lifetime, routers)
            sock.setsockopt(level, errors, 1)
            try:
                sock.connect((address, port))
            except BlockingIOError:
                await sock.connected()
        except OSError:
            if not (router := _ended_at(sock)):
                raise
            return router
        finally:
            sock.close()
        return address

    def open_datagrams(
        self, address: str, port: int, on_datagram: OnDatagram, on_error: OnError
    ) -> "SocketDatagrams":
        """Open a connected UDP socket: it reports ICMP errors and ignores other senders."""
        sock = self._socket(address, socket.SOCK_DGRAM)
        try:
            sock.connect((address, port))
        except BaseException:
            sock.close()
            raise
        return SocketDatagrams(sock, on_datagram, on_error)


def _ended_at(sock: socket.socket) -> str:
    """The router that reported that a packet had passed too many; empty for any other error."""
    try:
        _, found, _, _ = sock.recvmsg(0, 512, _ERROR_QUEUE)
    except OSError:
        return ""
    for _, _, data in found:
        # struct sock_extended_err, then the address of who sent the error.
        _, origin, kind, _, _, _, _, family = struct.unpack_from("=IBBBBIIH", data)
        if (origin, kind) in _TIME_EXCEEDED:
            start, size = (20, 4) if family == socket.AF_INET else (24, 16)
            return socket.inet_ntop(family, data[start : start + size])
    return ""


class SocketDatagrams:
    """Datagrams over a non-blocking socket of the running loop."""

    def __init__(self, sock: WatchedSocket, on_datagram: OnDatagram, on_error: OnError) -> None:
        self._sock = sock
        self._on_datagram = on_datagram
        self._on_error = on_error
        sock.watch(INPUT, self._readable)

    def _readable(self, _events: int) -> None:
        try:
            data = self._sock.recv(65535)
        except BlockingIOError:
            return
        except OSError as error:
            self._on_error(error)
            return
        self._on_datagram(data)

    @property
    def local_address(self) -> str:
        return str(self._sock.getsockname()[0])

    def send(self, data: bytes) -> None:
        """Send one datagram; with a full send buffer it is lost."""
        with contextlib.suppress(BlockingIOError):
            self._sock.send(data)

    def close(self) -> None:
        self._sock.close()


class SocketStream:
    """Stream over a non-blocking socket, in cleartext until `start_tls`."""

    __slots__ = (
        *("_chain", "_contexts", "_dial", "_hello_bytes", "_in_parts", "_incoming", "_outgoing"),
        *("_secured", "_sock", "_tls", "_used", "on_received", "received"),
    )

    def __init__(
        self,
        sock: WatchedSocket,
        contexts: TlsContexts,
        dial: Callable[[], Awaitable[WatchedSocket]],
    ) -> None:
        """`dial` opens another connection to the same address."""
        self.received = 0
        self.on_received: Callable[[], None] | None = None
        self._sock = sock
        self._contexts = contexts
        self._dial = dial
        self._used = False
        """Whether cleartext was exchanged, so that a new connection would not be equivalent."""
        self._hello_bytes = 0
        self._in_parts = False
        self._tls: ssl.SSLObject | None = None
        self._secured = False
        """Whether the handshake was finished; before that, nothing more may go to the peer."""
        self._chain: tuple[bytes, ...] = ()

    @property
    def local_address(self) -> str:
        try:
            return str(self._sock.getsockname()[0])
        except OSError:
            return ""

    def retransmits(self) -> int:
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_LENGTH)
            return int(struct.unpack_from("=I", info, _TOTAL_RETRANS_OFFSET)[0])
        except (OSError, struct.error):
            return 0

    @property
    def hello_bytes(self) -> int:
        return self._hello_bytes

    async def start_tls(
        self, server_name: str, *, verify: bool, hello: Hello = Hello.USUAL
    ) -> TlsFacts:
        """Make the TLS handshake, with verification unless `verify` is false.

        When it fails not even an alert is sent: nothing goes to an unverified peer.

        A chain verified for this name within the last hour is recognised instead of verified again.
        If the peer presents another one, the handshake stops after the hello and is made again on
        a new connection, whose result counts.
        """
        self._in_parts = hello is Hello.PARTS
        recording = self._contexts.of(hello, verify=False)
        if not verify:
            return await self._handshake(recording, server_name)
        known = self._contexts.verified
        # As of now: what another handshake with this name meets meanwhile changes nothing in this.
        if not self._used and (expected := known.expected(server_name)):
            with contextlib.suppress(_UnknownChainError):
                return await self._handshake(recording, server_name, expected)
            self.close()
            self._tls, self._chain = None, ()
        try:
            if self._sock.fileno() < 0:
                self._sock, self.received = await self._dial(), 0
            facts = await self._handshake(
                self._contexts.of(hello, verify=True, name=server_name), server_name
            )
        except BaseException:
            # The next measurement must see this failure without a second connection.
            known.forget(server_name)
            raise
        not_after = self._not_after()
        if not_after is not None:
            known.add(server_name, self.peer_chain(), not_after)
        return facts

    async def _handshake(
        self, context: ssl.SSLContext, server_name: str, expected: frozenset[bytes] = frozenset()
    ) -> TlsFacts:
        """Raises _UnknownChainError as soon as the peer presents a chain whose digest is not among
        those `expected`, where there are any."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name or None)
        self._tls = tls
        finished = answered = False
        while not finished:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                if answered:
                    self._recognise(expected)
                if not answered:
                    await self._greet()
                answered = True
                await self._flush()
                if not await self._fill():
                    self._incoming.write_eof()
            except ssl.SSLError:
                self._recognise(expected)
                raise
            else:
                finished = True
        self._recognise(expected, finished=True)
        self._secured = True
        await self._flush()
        cipher = tls.cipher()
        return TlsFacts(
            version=tls.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=tls.selected_alpn_protocol() or "",
        )

    async def _greet(self) -> None:
        """Send the greeting: the kernel sends what it is given at once, in packets of its own."""
        self._hello_bytes = self._outgoing.pending
        if self._in_parts:
            await self._sock.send_all(self._outgoing.read(self._hello_bytes // 2))

    def _recognise(self, expected: frozenset[bytes], *, finished: bool = False) -> None:
        """Raise _UnknownChainError where verification might have failed.

        Verification fails as soon as the certificates arrive, before what follows them.
        """
        if not expected:
            return
        chain = self.peer_chain()
        if (chain or finished) and digest_of(chain) not in expected:
            raise _UnknownChainError

    def peer_chain(self) -> tuple[bytes, ...]:
        """As `Stream.peer_chain`. The call is public from Python 3.13 on, and internal before."""
        if self._tls is None or self._chain:
            return self._chain
        public = getattr(self._tls, "get_unverified_chain", None)
        try:
            if public is not None:
                self._chain = tuple(public() or ())
            else:
                chain = self._tls._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]
                self._chain = tuple(certificate.public_bytes(_DER) for certificate in chain)
        except (ValueError, AttributeError):
            return ()
        return self._chain

    def inside(self) -> "SocketStream":
        """As `Stream.inside`. Closing it closes this one."""
        inner = SocketStream(cast("WatchedSocket", _InsideTls(self)), self._contexts, self._dial)
        inner._used = True
        return inner

    def _send_now(self, data: bytes) -> None:
        """Send what the kernel takes at once, over TLS; for last words."""
        assert self._tls is not None  # noqa: S101 # narrows for the type checker
        self._tls.write(data)
        self._sock.send(self._outgoing.read())

    def _not_after(self) -> float | None:
        """POSIX seconds at which the verified path stops being valid; None: unknown."""
        try:
            path = self._tls._sslobj.get_verified_chain()  # type: ignore[union-attr]
            ends = [_moment(one.get_info()["notAfter"]) for one in path]
        except (ValueError, AttributeError, KeyError, ssl.SSLError):
            # A verified certificate may have a text in its names that Python cannot read.
            return None
        return min(ends, default=None)

    async def send(self, data: bytes) -> None:
        if self._tls is None:
            self._used = True
            await self._sock.send_all(data)
        else:
            self._tls.write(data)
            await self._flush()

    async def receive(self, limit: int) -> bytes:
        if self._tls is None:
            self._used = True
            return self._counted(await self._sock.receive(limit))
        while True:
            try:
                return self._tls.read(limit)
            except ssl.SSLWantReadError:
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            # TLS may have to answer what it read, for example when keys are renewed.
            await self._flush()

    def close(self) -> None:
        """End the connection as browsers do; see `probes.sockets.parting`."""
        sock, self._sock = self._sock, _CLOSED
        if sock.fileno() < 0:
            return
        if self._tls is not None and self._secured:
            with contextlib.suppress(OSError):  # ssl.SSLError is one
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                sock.send(self._outgoing.read())
        elif self._tls is not None and _unacknowledged(sock):
            # Otherwise the kernel would keep sending an unanswered hello for a minute.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            sock.close()
            return
        part(sock)

    async def _fill(self) -> bool:
        """Feed TLS the next bytes; False at the end of the stream."""
        data = self._counted(await self._sock.receive(_READ))
        self._incoming.write(data)
        return bool(data)

    def _counted(self, data: bytes) -> bytes:
        self.received += len(data)
        if data and self.on_received is not None:
            self.on_received()
        return data

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._sock.send_all(self._outgoing.read())


class _InsideTls:
    """What a stream uses of its socket, over a stream that is encrypted already."""

    def __init__(self, outer: SocketStream) -> None:
        self._outer = outer

    async def receive(self, limit: int) -> bytes:
        return await self._outer.receive(limit)

    async def send_all(self, data: bytes) -> None:
        await self._outer.send(data)

    def send(self, data: bytes) -> int:
        self._outer._send_now(data)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        # All else is the kernel's socket: its addresses, its end, what it still receives.
        return getattr(self._outer._sock, name)


_ABORT = struct.pack("ii", 1, 0)
"""struct linger: on, zero seconds."""
_CLOSED = WatchedSocket(socket.AF_INET, socket.SOCK_STREAM)
"""In place of a socket that was closed, or that others close."""
_CLOSED.close()


def _unacknowledged(sock: WatchedSocket) -> bool:
    """Whether the peer has not even acknowledged what was sent (SIOCOUTQ of Linux, tcp(7))."""
    waiting = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return bool(struct.unpack("i", waiting)[0])


class _UnknownChainError(Exception):
    """The peer presents another chain than those already verified for its name."""


_DER = 2
"""`_ssl.ENCODING_DER`."""

_moment = lru_cache(maxsize=1024)(ssl.cert_time_to_seconds)
"""Cached, because most paths end in the same few authorities."""


def chain_digest(chain: Sequence[bytes]) -> str:
    """Hex SHA-256 over the certificates in the order presented; empty for none."""
    if not chain:
        return ""
    digest = hashlib.sha256()
    for certificate in chain:
        digest.update(certificate)
    return digest.hexdigest()


async def receive_exactly(stream: Stream, count: int) -> bytes:
    """Exactly `count` bytes; raises PeerClosedError when the stream ends earlier."""
    parts = b""
    while len(parts) < count:
        data = await stream.receive(count - len(parts))
        if not data:
            raise PeerClosedError
        parts += data
    return parts
