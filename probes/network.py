"""The Network protocol, and its asyncio implementation: the only owner of sockets.

Sockets are non-blocking and driven by readiness callbacks of the running loop. TLS runs in memory
between our own reads and writes. asyncio's TLS transport has a read buffer that costs 256 KiB for
every look that hangs, and hanging looks are the normal case here. An SSLSocket reads and writes
the socket itself and, before Python 3.13, reports a reset after the handshake as the end of the
stream, which is the very thing to be told apart; it also takes more system calls.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from probes.errors import PeerClosedError
from probes.measurement import family_of
from probes.vantage import Egress, EgressKind

_READ = 16 * 1024
"""Bytes read at a time for TLS."""
_TCP_INFO_LENGTH = 104
_TOTAL_RETRANS_OFFSET = 100
"""`tcpi_total_retrans` in struct tcp_info of linux/tcp.h."""


class TlsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished handshake agreed on."""

    version: str
    cipher: str
    alpn: str


class Stream(Protocol):
    """A connected byte stream.

    `close` may be called any number of times, but not while a task waits on the stream.
    """

    @property
    def local_address(self) -> str:
        """The vantage's own address on this stream, for scrubbing only."""

    def retransmits(self) -> int:
        """Segments sent more than once so far; 0 where the kernel does not tell."""

    async def start_tls(self, server_name: str, *, verify: bool) -> TlsFacts:
        """Shake hands. Raises ssl.SSLError or OSError; after that nothing is sent."""

    def peer_chain(self) -> tuple[bytes, ...]:
        """DER certificates the peer presented, leaf first, verified or not; empty when none."""

    async def send(self, data: bytes) -> None:
        """Write all of `data`."""

    async def receive(self, limit: int) -> bytes:
        """At least one byte and at most `limit`; b"" at the end of the stream."""

    def close(self) -> None:
        """Let go of the socket."""


class Datagrams(Protocol):
    """A connected UDP socket."""

    @property
    def local_address(self) -> str:
        """The vantage's own address, for scrubbing only."""

    def send(self, data: bytes) -> None:
        """Send one datagram; raises OSError."""

    def close(self) -> None:
        """Let go of the socket."""


class Network(Protocol):
    """The way out of one vantage."""

    def families(self) -> tuple[str, ...]:
        """Address families this way out can carry at all."""

    async def connect(self, address: str, port: int) -> Stream:
        """Open a TCP connection to an IP address. Raises OSError."""

    def open_datagrams(
        self,
        address: str,
        port: int,
        on_datagram: Callable[[bytes], None],
        on_error: Callable[[OSError], None],
    ) -> Datagrams:
        """Open a UDP socket; `on_datagram` gets each reply from that address. Raises OSError."""


class TlsContexts:
    """The two client contexts of a process, built once: building one costs milliseconds."""

    def __init__(self, trust_anchors: Sequence[str] = ()) -> None:
        self.verifying = ssl.create_default_context()
        for path in trust_anchors:
            self.verifying.load_verify_locations(cafile=path)
        self.recording = ssl.create_default_context()
        self.recording.check_hostname = False
        # Used only for services with a CA of their own, where the chain is recorded, not judged.
        self.recording.verify_mode = ssl.CERT_NONE
        for context in (self.verifying, self.recording):
            context.set_alpn_protocols(["http/1.1"])


class SocketNetwork:
    """Network over the machine's own sockets, bound as the vantage's egress says."""

    def __init__(self, egress: Egress, contexts: TlsContexts) -> None:
        self._contexts = contexts
        self._interface = egress.interface if egress.kind is EgressKind.INTERFACE else ""
        sources = egress.source.split(",") if egress.kind is EgressKind.SOURCE else []
        self._source = {family_of(source.strip()): source.strip() for source in sources}

    def families(self) -> tuple[str, ...]:
        """Both, unless bound to source addresses: then only theirs."""
        return tuple(sorted(self._source)) or ("ipv4", "ipv6")

    def _socket(self, address: str, kind: socket.SocketKind) -> socket.socket:
        family = family_of(address)
        sock = socket.socket(
            socket.AF_INET6 if family == "ipv6" else socket.AF_INET, kind | socket.SOCK_NONBLOCK
        )
        try:
            if self._interface:
                sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode() + b"\0"
                )
            if family in self._source:
                sock.bind((self._source[family], 0))
        except BaseException:
            sock.close()
            raise
        return sock

    async def connect(self, address: str, port: int) -> "SocketStream":
        """Open a TCP connection; the caller sets the deadline and closes the stream."""
        sock = self._socket(address, socket.SOCK_STREAM)
        try:
            try:
                sock.connect((address, port))
            except BlockingIOError:
                await _writable(sock)
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect failed") from None
            # One flight, one segment: a look is a handful of small writes.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return SocketStream(sock, self._contexts)

    def open_datagrams(
        self,
        address: str,
        port: int,
        on_datagram: Callable[[bytes], None],
        on_error: Callable[[OSError], None],
    ) -> "SocketDatagrams":
        """Open a connected UDP socket, so that ICMP errors are heard and strangers are not."""
        sock = self._socket(address, socket.SOCK_DGRAM)
        try:
            sock.connect((address, port))
        except BaseException:
            sock.close()
            raise
        return SocketDatagrams(sock, on_datagram, on_error)


class SocketDatagrams:
    """Datagrams over a non-blocking socket of the running loop."""

    def __init__(
        self,
        sock: socket.socket,
        on_datagram: Callable[[bytes], None],
        on_error: Callable[[OSError], None],
    ) -> None:
        self._sock = sock
        self._on_datagram = on_datagram
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
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
        """Address part of the socket's own name."""
        return str(self._sock.getsockname()[0])

    def send(self, data: bytes) -> None:
        """Send one datagram; a full send buffer counts as a lost one."""
        with contextlib.suppress(BlockingIOError):
            self._sock.send(data)

    def close(self) -> None:
        """Stop listening and close."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()


class SocketStream:
    """Stream over a non-blocking socket, in clear until `start_tls`."""

    __slots__ = ("_contexts", "_incoming", "_outgoing", "_sock", "_tls")

    def __init__(self, sock: socket.socket, contexts: TlsContexts) -> None:
        self._sock = sock
        self._contexts = contexts
        self._tls: ssl.SSLObject | None = None

    @property
    def local_address(self) -> str:
        """Address part of the socket's own name."""
        try:
            return str(self._sock.getsockname()[0])
        except OSError:
            return ""

    def retransmits(self) -> int:
        """From TCP_INFO."""
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_LENGTH)
            return int(struct.unpack_from("=I", info, _TOTAL_RETRANS_OFFSET)[0])
        except (OSError, struct.error):
            return 0

    async def start_tls(self, server_name: str, *, verify: bool) -> TlsFacts:
        """Shake hands on the running loop, verification on unless told to record only.

        When that fails not even an alert is sent: nothing goes to an unverified peer.
        """
        context = self._contexts.verifying if verify else self._contexts.recording
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._tls = tls
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    self._incoming.write_eof()
            else:
                break
        await self._flush()
        cipher = tls.cipher()
        return TlsFacts(
            version=tls.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=tls.selected_alpn_protocol() or "",
        )

    def peer_chain(self) -> tuple[bytes, ...]:
        """Public from Python 3.13 on; before that the same call lives on the inner object."""
        if self._tls is None:
            return ()
        public = getattr(self._tls, "get_unverified_chain", None)
        try:
            if public is not None:
                return tuple(public() or ())
            inner = self._tls._sslobj  # type: ignore[attr-defined]
            chain = inner.get_unverified_chain() or ()
            return tuple(certificate.public_bytes(_DER) for certificate in chain)
        except (ValueError, AttributeError):
            return ()

    async def send(self, data: bytes) -> None:
        """Write all of `data`."""
        if self._tls is None:
            await self._write(data)
        else:
            self._tls.write(data)
            await self._flush()

    async def receive(self, limit: int) -> bytes:
        """At least one byte, or b"" at the end of the stream."""
        if self._tls is None:
            return await self._read(limit)
        while True:
            try:
                return self._tls.read(limit)
            except ssl.SSLWantReadError:
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            # TLS may want to answer what it read, as when keys are renewed.
            await self._flush()

    def close(self) -> None:
        """Close without a TLS goodbye: the look is over and the peer owes us nothing."""
        self._sock.close()

    async def _fill(self) -> bool:
        """Hand TLS what comes next; False at the end of the stream."""
        data = await self._read(_READ)
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._write(self._outgoing.read())

    async def _read(self, limit: int) -> bytes:
        while True:
            try:
                return self._sock.recv(limit)
            except BlockingIOError:
                await _readable(self._sock)

    async def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                await _writable(self._sock)


_DER = 2
"""`_ssl.ENCODING_DER`."""


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    descriptor = sock.fileno()
    loop.add_reader(descriptor, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    descriptor = sock.fileno()
    loop.add_writer(descriptor, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def chain_digest(chain: Sequence[bytes]) -> str:
    """Hex SHA-256 over the certificates in the order presented; empty for none."""
    if not chain:
        return ""
    digest = hashlib.sha256()
    for certificate in chain:
        digest.update(certificate)
    return digest.hexdigest()


async def receive_exactly(stream: Stream, count: int) -> bytes:
    """Exactly `count` bytes; raises PeerClosedError when the stream ends before."""
    parts = b""
    while len(parts) < count:
        data = await stream.receive(count - len(parts))
        if not data:
            raise PeerClosedError
        parts += data
    return parts
