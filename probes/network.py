"""The Network protocol, and its asyncio implementation: the only owner of sockets.

Sockets are non-blocking and driven by readiness callbacks of the running loop. TLS uses an
SSLSocket the same way instead of asyncio's TLS transport, whose read buffer alone costs
256 KiB for every look that hangs, and hanging looks are the normal case here.
"""

import asyncio
import contextlib
import errno
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

_TCP_INFO_LENGTH = 104
_TCP_CLOSE = 7
"""`tcpi_state`, the first byte of the same, of a connection that is closed on both sides."""
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
    """Stream over a non-blocking socket, which `start_tls` replaces by an SSLSocket."""

    __slots__ = ("_contexts", "_sock")

    def __init__(self, sock: socket.socket, contexts: TlsContexts) -> None:
        self._sock = sock
        self._contexts = contexts

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
        """Shake hands on the running loop, verification on unless told to record only."""
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            # Reset since the connect: wrapping would raise as well, but lose hold of the socket.
            raise OSError(error, "reset before the handshake")
        context = self._contexts.verifying if verify else self._contexts.recording
        tls = context.wrap_socket(
            self._sock, server_hostname=server_name, do_handshake_on_connect=False
        )
        self._sock = tls
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await _readable(tls)
            except ssl.SSLWantWriteError:
                await _writable(tls)
            else:
                break
        cipher = tls.cipher()
        return TlsFacts(
            version=tls.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=tls.selected_alpn_protocol() or "",
        )

    def peer_chain(self) -> tuple[bytes, ...]:
        """Public from Python 3.13 on; before that the same call lives on the inner object."""
        if not isinstance(self._sock, ssl.SSLSocket):
            return ()
        public = getattr(self._sock, "get_unverified_chain", None)
        try:
            if public is not None:
                return tuple(public() or ())
            inner = self._sock._sslobj  # type: ignore[attr-defined]
            chain = inner.get_unverified_chain() or ()
            return tuple(certificate.public_bytes(_DER) for certificate in chain)
        except (ValueError, AttributeError):
            return ()

    async def send(self, data: bytes) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                await _writable(self._sock)
            except ssl.SSLWantReadError:
                await _readable(self._sock)
            except ssl.SSLEOFError:
                self._raise_if_reset()
                raise

    async def receive(self, limit: int) -> bytes:
        """At least one byte, or b"" at the end of the stream."""
        while True:
            try:
                data = self._sock.recv(limit)
            except (BlockingIOError, ssl.SSLWantReadError):
                await _readable(self._sock)
            except ssl.SSLWantWriteError:
                await _writable(self._sock)
            except ssl.SSLZeroReturnError:
                return b""
            else:
                if not data:
                    self._raise_if_reset()
                return data

    def _raise_if_reset(self) -> None:
        """Tell an RST from a FIN where TLS calls both the end: Python did until 3.13.

        A reset leaves the connection closed on both sides and its error already fetched. Where a
        FIN came first the connection is half open, or the error of the RST that our own data then
        drew is still there.
        """
        if not isinstance(self._sock, ssl.SSLSocket):
            return
        pending = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        state = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if not pending and state == _TCP_CLOSE:
            raise OSError(errno.ECONNRESET, "reset under TLS")

    def close(self) -> None:
        """Close without a TLS goodbye: the look is over and the peer owes us nothing."""
        self._sock.close()


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
