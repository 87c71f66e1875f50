"""HTTP/3 for a site: the same pages, certificates and visits as over TCP, on UDP port 443.

Needs aioquic, and so a child that has called `worker.load_packages`.
"""

import asyncio
import functools
import logging
from pathlib import Path
from typing import Any

from aioquic.h3.connection import H3_ALPN, H3Connection, ProtocolError
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent
from aioquic.quic.packet import QuicFrameType
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.lab.listener import Datagrams
from tests.lab.origin import Site, answer
from tests.lab.quic_sniff import HelloReader
from tests.lab.sniff import MORE, OTHER

PORT = 443
IDLE = 30.0
"""Seconds after which a silent connection is forgotten."""
UNRECOGNIZED_NAME = 0x100 + 112
"""The TLS alert, as QUIC carries it."""

# What a client does wrong, or to a bad certificate, is the story's business and no complaint.
logging.getLogger("quic").addHandler(logging.NullHandler())


class QuicServer:
    """All connections to one address of a site; each is known by its client's address."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._visitors: dict[Any, _Visitor] = {}

    def receive(self, here: Datagrams, data: bytes, peer: Any) -> None:
        """Take a datagram."""
        visitor = self._visitors.get(peer)
        if visitor is None or visitor.succeeded_by(data):
            if len(data) < 20 or not data[0] & 0x80:
                return  # the rest of a connection long gone
            visitor = self._visitors[peer] = _Visitor(self, self._site, here, peer)
        visitor.receive(data)

    def forget(self, visitor: "_Visitor", peer: Any) -> None:
        """A connection is over."""
        if self._visitors.get(peer) is visitor:
            del self._visitors[peer]


class _Visitor:
    """One client: read until it has said whom it wants, then served with that certificate."""

    def __init__(self, server: QuicServer, site: Site, here: Datagrams, peer: Any) -> None:
        self._server = server
        self._site = site
        self._here = here
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._reader = HelloReader()
        self._waiting: list[bytes] = []
        self._name = ""
        self._first = b""
        """The connection id the client began with."""
        self._quic: QuicConnection | None = None
        self._h3: H3Connection | None = None
        self._requests: dict[int, tuple[dict[bytes, bytes], bytes]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def succeeded_by(self, data: bytes) -> bool:
        """Whether a datagram begins another connection from the same port."""
        if self._quic is None or len(data) < 20 or not data[0] & 0x80:
            return False
        return _destination(data) not in (self._first, self._quic.host_cid)

    def receive(self, data: bytes) -> None:
        if self._quic is None:
            self._waiting.append(data)
            protocol, self._name = self._reader.feed(data)
            if protocol == OTHER:
                self._server.forget(self, self._peer)
            elif protocol != MORE:
                self._begin()
            return
        self._take(data)

    def _begin(self) -> None:
        site, name = self._site, self._name
        known = not name or name == site.name or name in site.certificates
        pem = site.certificates.get(name, site.pem) if name != site.name else site.pem
        self._first = _destination(self._waiting[0])
        self._quic = QuicConnection(
            configuration=_configuration(pem), original_destination_connection_id=self._first
        )
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self._quic.receive_datagram(data, self._peer, now=self._loop.time())
        if not known and site.stranger == "alert":
            self._quic.close(error_code=UNRECOGNIZED_NAME, frame_type=QuicFrameType.CRYPTO)
        self._go_on()

    def _take(self, data: bytes) -> None:
        assert self._quic is not None
        self._quic.receive_datagram(data, self._peer, now=self._loop.time())
        self._go_on()

    def _go_on(self) -> None:
        """Deal with what has happened, send what is to be sent, and wait."""
        assert self._quic is not None
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self._server.forget(self, self._peer)
            self._happened(event)
        for data, _ in self._quic.datagrams_to_send(now=self._loop.time()):
            self._here.send(data, self._peer)
        if self._timer is not None:
            self._timer.cancel()
        at = self._quic.get_timer()
        self._timer = None if at is None else self._loop.call_at(at, self._woken, at)

    def _woken(self, at: float) -> None:
        assert self._quic is not None
        self._quic.handle_timer(now=max(at, self._loop.time()))
        self._go_on()

    def _happened(self, event: QuicEvent) -> None:
        assert self._quic is not None
        if isinstance(event, HandshakeCompleted):
            self._site.visited("quic", self._peer[0], sni=self._name)
            self._h3 = H3Connection(self._quic)
        if self._h3 is None:
            return
        try:
            happened = self._h3.handle_event(event)
        except ProtocolError:  # it has closed the connection itself
            return
        for part in happened:
            if isinstance(part, HeadersReceived):
                self._requests[part.stream_id] = (dict(part.headers), b"")
            elif isinstance(part, DataReceived):
                fields, body = self._requests[part.stream_id]
                self._requests[part.stream_id] = (fields, body + part.data)
            else:
                continue
            if part.stream_ended:
                fields, body = self._requests.pop(part.stream_id)
                self._respond(part.stream_id, fields, body)

    def _respond(self, stream: int, fields: dict[bytes, bytes], body: bytes) -> None:
        text = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items()}
        method, target, host = text[":method"], text[":path"], text.get(":authority", "")
        peer = self._peer[0]
        self._site.visited(
            "http",
            peer,
            scheme="h3",
            method=method,
            path=target,
            host=host,
            agent=text.get("user-agent", ""),
        )
        status, headers, content = answer(self._site, "https", peer, host, target, body)
        head = [(b":status", str(status).encode())]
        head += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        content = b"" if method == "HEAD" else content
        send = functools.partial(self._send, stream, head, content)
        if self._site.http_delay:
            self._loop.call_later(self._site.http_delay, self._send_late, send)
        else:
            send()

    def _send(self, stream: int, head: list[tuple[bytes, bytes]], content: bytes) -> None:
        assert self._h3 is not None
        self._h3.send_headers(stream, head, end_stream=not content)
        if content:
            self._h3.send_data(stream, content, end_stream=True)

    def _send_late(self, send: "functools.partial[None]") -> None:
        send()
        self._go_on()


def _destination(datagram: bytes) -> bytes:
    """The connection id that a long header is addressed to."""
    return datagram[6 : 6 + datagram[5]]


@functools.cache
def _configuration(pem: str) -> QuicConfiguration:
    """A server's settings with the key and chain of a file."""
    data = Path(pem).read_bytes()
    leaf, *chain = x509.load_pem_x509_certificates(data)
    return QuicConfiguration(
        is_client=False,
        alpn_protocols=H3_ALPN,
        idle_timeout=IDLE,
        certificate=leaf,
        certificate_chain=chain,
        private_key=load_pem_private_key(data, None),
    )
