"""The QUIC layer: one handshake with verification on, then one HTTP/3 request.

aioquic implements the protocol; sockets, timers and deadlines are ours. aioquic's own asyncio code
is not used: it binds a socket to every address, ignores ICMP errors, and waits for the peer when it
closes. Import this module only where QUIC is needed, because the library is heavy.
"""

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable

from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import H3Event, HeadersReceived
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicErrorCode, QuicFrameType, QuicProtocolVersion
from aioquic.tls import AlertDescription

from probes.failure_strings import Failure
from probes.layers.http import BROWSER
from probes.layers.quic_certificate import Trusted, fault_of
from probes.measurement import QuicObservation
from probes.sockets.failure_mapping import MalformedReplyError, PeerClosedError, failure_of
from probes.sockets.network import Datagrams, Network

_IDLE_TIMEOUT = 30.0
"""Seconds, as browsers offer; our own deadline is shorter."""
_CRYPTO_ERRORS = range(QuicErrorCode.CRYPTO_ERROR, QuicErrorCode.CRYPTO_ERROR + 0x100)
"""Close codes that are TLS alerts, if the connection and not HTTP/3 was closed."""
_LONG_HEADER = 0x80
_VERSION = slice(1, 5)
_NEGOTIATION = bytes(4)
"""The version field of a version negotiation packet."""
_BAD_CERTIFICATE = QuicErrorCode.CRYPTO_ERROR + AlertDescription.bad_certificate

for _name in ("quic", "http3"):
    # The observation holds the failure; a log would repeat the peer's text, with addresses.
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class _VersionError(Exception):
    """The server speaks no QUIC version that we speak."""


class _Connection(QuicConnection):
    """Remembers why we closed the connection, as opposed to why the peer did."""

    closed_for: Exception | None = None

    def close(
        self,
        error_code: int = QuicErrorCode.NO_ERROR,
        frame_type: int | None = None,
        reason_phrase: str = "",
    ) -> None:
        """Called for our own close, and by the library for every fault it finds."""
        if self.closed_for is None:
            self.closed_for = _fault(error_code, frame_type)
        super().close(error_code, frame_type, reason_phrase)


async def measure_quic(
    network: Network,
    address: str,
    port: int,
    server_name: str,
    *,
    url_path: str,
    timeout: float,  # noqa: ASYNC109 # of handshake and request together
    trusted: Trusted,
    start: float = 0.0,
    reason: str = "",
    user_agent: str = "",
    on_local_address: Callable[[str], None] = lambda _: None,
) -> QuicObservation:
    """A handshake with `address` and a request for `url_path`, within `timeout` seconds.

    `trusted` are roots in addition to Mozilla's; `start` and `reason` go into the observation as
    they are. Never raises for network failures; may be cancelled at any point, and then sends one
    close.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    exchange = _Exchange(server_name, address, port, url_path, trusted, user_agent)
    failure: str | None = None
    try:
        async with asyncio.timeout(timeout):
            await exchange.run(network, on_local_address)
    except _VersionError:
        failure = Failure.QUIC_INCOMPATIBLE_VERSION
    except (OSError, PeerClosedError, MalformedReplyError) as error:
        failure = failure_of(error)
    finally:
        exchange.close()
    return QuicObservation(
        start=start,
        duration=loop.time() - started,
        failure=failure,
        reason=reason,
        address=address,
        port=port,
        server_name=server_name,
        version=exchange.version,
        alpn=exchange.alpn,
        status=exchange.status,
    )


class _Exchange:
    """One connection: takes datagrams and timers, sends datagrams, and has one result."""

    def __init__(
        self,
        server_name: str,
        address: str,
        port: int,
        url_path: str,
        trusted: Trusted,
        user_agent: str,
    ) -> None:
        configuration = QuicConfiguration(
            alpn_protocols=H3_ALPN,
            idle_timeout=_IDLE_TIMEOUT,
            server_name=server_name,
            supported_versions=[QuicProtocolVersion.VERSION_1],
            verify_mode=ssl.CERT_NONE,  # `_prove` verifies
        )
        self._server_name = server_name
        self._trusted = trusted
        self._proven = False
        self._connection = _Connection(configuration=configuration)
        self._peer = (address, port)
        authority = f"[{server_name}]" if ":" in server_name else server_name
        headers = BROWSER | ({"User-Agent": user_agent} if user_agent else {})
        self._request = [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", (authority if port == 443 else f"{authority}:{port}").encode()),
            (b":path", url_path.encode()),
            *(
                (name.lower().encode(), value.encode())
                for name, value in headers.items()
                if name != "Connection"  # HTTP/3 forbids it
            ),
        ]
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._socket: Datagrams | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._h3: H3Connection | None = None
        self._refused_version = False
        self.version = ""
        self.alpn = ""
        self.status = 0

    async def run(self, network: Network, on_local_address: Callable[[str], None]) -> None:
        """Run until the status of the answer is known. Raises on failure."""
        self._socket = network.open_datagrams(*self._peer, self._received, self._settle)
        on_local_address(self._socket.local_address)
        self._connection.connect(self._peer, now=self._loop.time())
        self._advance()
        await self._done

    def close(self) -> None:
        """Send one close, wait for nothing, release socket and timer. Safe to call again."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._done.done():
            self._done.cancel()
        elif not self._done.cancelled():
            self._done.exception()  # marks it as retrieved; whoever waits raises it
        if self._socket is None:
            return
        socket, self._socket = self._socket, None
        try:
            self._connection.close(ErrorCode.H3_NO_ERROR)
            self._send(socket)
        except OSError:
            pass  # the peer is gone already
        finally:
            socket.close()

    # -- events of the connection ------------------------------------------------------------

    def _received(self, data: bytes) -> None:
        if self._done.done():
            return
        negotiates = data[_VERSION] == _NEGOTIATION and data[0] & _LONG_HEADER
        try:
            self._connection.receive_datagram(data, self._peer, now=self._loop.time())
            if data and data[0] & _LONG_HEADER and not negotiates and not self.alpn:
                self.version = f"0x{data[_VERSION].hex()}"
            self._prove()
            self._advance(refused_version=bool(negotiates))
        except OSError as error:
            self._settle(error)
        except Exception as error:  # noqa: BLE001 # the peer's bytes made the library fail
            self._settle(MalformedReplyError(f"QUIC: {type(error).__name__}"))

    def _prove(self) -> None:
        """Verify the certificate as soon as it is here, before anything is sent in answer."""
        handshake = self._connection.tls
        certificate = handshake._peer_certificate
        if self._proven or certificate is None:
            return
        self._proven = True
        chain = handshake._peer_certificate_chain
        fault = fault_of(certificate, chain, self._server_name, self._trusted)
        if fault is not None:
            self._settle(fault)
            self._connection.close(_BAD_CERTIFICATE, QuicFrameType.CRYPTO)

    def _timed(self, at: float) -> None:
        self._timer = None
        try:
            self._connection.handle_timer(now=max(at, self._loop.time()))
            self._advance()
        except OSError as error:
            self._settle(error)

    def _advance(self, *, refused_version: bool = False) -> None:
        """Handle the connection's events, send its datagrams, set its timer, if not settled."""
        if self._done.done():
            return
        while (event := self._connection.next_event()) is not None:
            self._take(event, refused_version=refused_version)
        if self._connection.closed_for is not None:
            self._settle(self._connection.closed_for)
        elif (closed := getattr(self._connection, "_close_event", None)) is not None:
            # The event itself comes only after the draining period of about a second.
            self._settle(_refusal(closed, connected=bool(self.alpn)))
        if self._done.done() or self._socket is None:
            return
        self._send(self._socket)
        if self._timer is not None:
            self._timer.cancel()
        at = self._connection.get_timer()
        self._timer = None if at is None else self._loop.call_at(at, self._timed, at)

    def _take(self, event: events.QuicEvent, *, refused_version: bool) -> None:
        match event:
            case events.ConnectionTerminated():
                # The connection timed out: a close by either side would have been seen earlier.
                self._settle(_VersionError() if refused_version else TimeoutError())
            case events.HandshakeCompleted(alpn_protocol=alpn):
                self.alpn = alpn or ""
                if self.alpn not in H3_ALPN:
                    self._settle(MalformedReplyError("QUIC without HTTP/3"))
                    return
                self._h3 = H3Connection(self._connection)
                stream = self._connection.get_next_available_stream_id()
                self._h3.send_headers(stream, self._request, end_stream=True)
            case events.StreamReset():
                self._settle(PeerClosedError())
        if self._h3 is not None:
            for answer in self._h3.handle_event(event):
                self._answered(answer)

    def _answered(self, event: H3Event) -> None:
        if not isinstance(event, HeadersReceived):
            return
        status = dict(event.headers).get(b":status", b"")
        if not status.isdigit():
            self._settle(MalformedReplyError("HTTP/3 without a status"))
        elif int(status) >= 200:
            self.status = int(status)
            self._settle(None)

    def _send(self, socket: Datagrams) -> None:
        for data, address in self._connection.datagrams_to_send(now=self._loop.time()):
            if address == self._peer:
                socket.send(data)

    def _settle(self, error: Exception | None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)


def _is_alert(code: int, frame_type: int | None) -> bool:
    """Whether a close code is a TLS alert; without a frame type it is a code of HTTP/3."""
    return frame_type is not None and code in _CRYPTO_ERRORS


def _fault(code: int, frame_type: int | None) -> Exception:
    """Why we closed a connection."""
    if _is_alert(code, frame_type):
        return ssl.SSLError(ssl.SSL_ERROR_SSL, f"alert {code - QuicErrorCode.CRYPTO_ERROR}")
    return MalformedReplyError(f"QUIC error 0x{code:x}")


def _refusal(closed: events.ConnectionTerminated, *, connected: bool) -> Exception:
    """The failure that the peer's close of a connection stands for. Its text is ignored."""
    if _is_alert(closed.error_code, closed.frame_type):
        alert = closed.error_code - QuicErrorCode.CRYPTO_ERROR
        return ssl.SSLError(ssl.SSL_ERROR_SSL, f"tlsv13 alert {alert}")
    if connected:
        return PeerClosedError()
    if closed.error_code == QuicErrorCode.CONNECTION_REFUSED and closed.frame_type is not None:
        return ConnectionRefusedError(errno.ECONNREFUSED, "refused by the peer")
    return MalformedReplyError(f"QUIC closed by the peer: 0x{closed.error_code:x}")
