"""Origin servers: TLS and HTTP/1.1 for one host each, changeable while they run.

TLS runs over memory buffers, so that each connection knows which host's address it came to and
may be delayed, silenced or refused at any stage.
"""

import asyncio
import base64
import contextlib
import dataclasses
import functools
import socket
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.lab.listener import Listener, reset, silence

MOST_VISITS = 20_000
RECORD = 4096
"""Bytes per TLS record: servers keep them small, so that a slow client sees something soon."""
DnsAnswer = Callable[[bytes], bytes | None]


@dataclasses.dataclass
class Site:
    """One host's servers. Delays in seconds."""

    name: str
    pem: str
    """File with key and chain."""
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = (443, 80)
    raw: bool = False
    https: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    http: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    tls_delay: float = 0.0
    """Before the server hello."""
    http_delay: float = 0.0
    """Before the HTTP answer."""
    group: str = ""
    """Sites of one group hold each other's certificates."""
    stranger: str = "default"
    """What a server name not ours gets: our `default` certificate, or an `alert`."""
    certificates: dict[str, str] = dataclasses.field(default_factory=dict)
    """Further names it holds certificates for, and their files."""
    answer_dns: DnsAnswer | None = None
    """Set on hosts that speak DNS over HTTPS."""
    visits: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    connections: set["Connection"] = dataclasses.field(default_factory=set)
    listeners: list[Listener] = dataclasses.field(default_factory=list)

    async def open(self) -> None:
        """Listen on every address and port."""
        if not self.listeners:
            self.listeners = [
                Listener(address, port, functools.partial(Connection, self, port))
                for address in self.addresses
                for port in self.ports
            ]
        for listener in self.listeners:
            await listener.open()

    def down(self, how: str) -> None:
        """Stop answering: `refuse` resets, `silence` drops. Live connections are hit as well."""
        for listener in self.listeners:
            listener.refuse() if how == "refuse" else listener.silence()
        for connection in list(self.connections):
            if how == "refuse":
                reset(connection.transport)
            else:
                silence(connection.transport.get_extra_info("socket"))

    def visited(self, stage: str, peer: str, **seen: Any) -> None:
        """Note that a client got as far as `stage` (tcp, tls or http)."""
        if len(self.visits) < MOST_VISITS:
            self.visits.append({"stage": stage, "peer": peer, "at": time.time(), **seen})


class Connection(asyncio.Protocol):
    """One accepted connection."""

    transport: asyncio.Transport

    def __init__(self, site: Site, port: int) -> None:
        self._site = site
        self._port = port
        self._tls: _Tls | None = None
        self._spoken = False
        self._late: bytes | None = None
        self._secure = port != 80 and not site.raw
        self._http = _Http(site, "https" if self._secure else "http")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say nothing yet: the client speaks first."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = transport.get_extra_info("peername")[0]
        self._site.connections.add(self)
        self._site.visited("tcp", peer, port=self._port)
        self._http.start(peer, self._write, self._close)
        if self._secure:
            self._tls = _Tls(self._site, peer, transport)

    def data_received(self, data: bytes) -> None:
        """Through TLS where there is TLS, then to HTTP."""
        if self._site.raw:
            return
        if self._tls is None:
            self._http.feed(data)
        elif self._late is not None:
            self._late += data
        elif self._site.tls_delay and not self._spoken:
            self._late = data
            asyncio.get_running_loop().call_later(self._site.tls_delay, self._speak)
        else:
            self._through_tls(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget it."""
        self._site.connections.discard(self)

    def _speak(self) -> None:
        self._spoken = True
        data, self._late = self._late or b"", None
        self._through_tls(data)

    def _through_tls(self, data: bytes) -> None:
        assert self._tls is not None
        if plain := self._tls.feed(data):
            self._http.feed(plain)

    def _write(self, data: bytes) -> None:
        if self._tls is None:
            self.transport.write(data)
        else:
            self._tls.write(data)

    def _close(self) -> None:
        if self._tls is not None:
            self._tls.goodbye()
        self.transport.close()


class _Tls:
    def __init__(self, site: Site, peer: str, transport: asyncio.Transport) -> None:
        self._site = site
        self._peer = peer
        self._transport = transport
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = _context(site).wrap_bio(self._in, self._out, server_side=True)
        self._shaken = False

    def feed(self, data: bytes) -> bytes:
        """Take records in, give plaintext out."""
        self._in.write(data)
        plain = []
        try:
            if not self._shaken:
                self._session.do_handshake()
                self._shaken = True
                self._site.visited("tls", self._peer, sni=getattr(self._session, "asked", None))
            while piece := self._session.read(65536):
                plain.append(piece)
            self._flush()
            self._transport.close()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._flush()
            self._transport.close()
        return b"".join(plain)

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        with contextlib.suppress(ssl.SSLError):
            for at in range(0, len(data), RECORD):
                self._session.write(data[at : at + RECORD])
            self._flush()

    def goodbye(self) -> None:
        """Send close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self._session.unwrap()
        self._flush()

    def _flush(self) -> None:
        if self._out.pending and not self._transport.is_closing():
            self._transport.write(self._out.read())


class _Http:
    def __init__(self, site: Site, scheme: str) -> None:
        self._site = site
        self._scheme = scheme
        self._rest = b""

    def start(self, peer: str, write: Callable[[bytes], None], close: Callable[[], None]) -> None:
        self._peer, self._write, self._close = peer, write, close

    def feed(self, data: bytes) -> None:
        self._rest += data
        while True:
            head, end, rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                return
            request, *lines = head.decode("latin-1").split("\r\n")
            fields = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            size = int(fields.get("content-length", 0))
            if len(rest) < size:
                return
            body, self._rest = rest[:size], rest[size:]
            if request.count(" ") != 2:
                self._close()
                return
            self._respond(request, fields, body)

    def _respond(self, request: str, fields: dict[str, str], body: bytes) -> None:
        method, target, _ = request.split(" ")
        host = fields.get("host", "")
        self._site.visited(
            "http",
            self._peer,
            scheme=self._scheme,
            method=method,
            path=target,
            host=host,
            agent=fields.get("user-agent", ""),
        )
        status, headers, content = self._page(host, target, body)
        last = fields.get("connection", "").lower() == "close"
        headers = {**headers, "Server": "lab", "Connection": "close" if last else "keep-alive"}
        if status != 204:
            headers["Content-Length"] = str(len(content))
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        answer = "\r\n".join([*head, "", ""]).encode()
        if method != "HEAD" and status != 204:
            answer += content
        loop = asyncio.get_running_loop()
        if self._site.http_delay:
            loop.call_later(self._site.http_delay, self._send, answer, last)
        else:
            self._send(answer, last)

    def _send(self, answer: bytes, last: bool) -> None:
        self._write(answer)
        if last:
            self._close()

    def _page(self, host: str, target: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(target)
        if parts.path.startswith("/lab/bytes/"):
            size = int(parts.path.rpartition("/")[2])
            return 200, {"Content-Type": "application/octet-stream"}, bytes(size)
        if self._site.answer_dns is not None and parts.path == "/dns-query":
            return self._doh(parts.query, body)
        pages = self._site.https if self._scheme == "https" else self._site.http
        page = pages.get(parts.path) or pages.get("")
        if page is not None:
            return page["status"], dict(page["headers"]), page["body"].encode()
        if self._scheme == "http":
            return 301, {"Location": f"https://{host or self._site.name}{target}"}, b""
        return 404, {"Content-Type": "text/plain"}, b"not found\n"

    def _doh(self, query: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        assert self._site.answer_dns is not None
        given = parse_qs(query).get("dns")
        if given:
            body = base64.urlsafe_b64decode(given[0] + "=" * (-len(given[0]) % 4))
        answer = self._site.answer_dns(body)
        if answer is None:
            return 400, {}, b""
        return 200, {"Content-Type": "application/dns-message"}, answer


def _context(site: Site) -> ssl.SSLContext:
    """The context of a site's own certificate, which knows what else the site holds."""
    context = _loaded(site.pem, site.name)
    held = site.certificates

    def choose(session: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        session.asked = name  # type: ignore[attr-defined]
        if name is None or name == site.name:
            return None
        if name in held:
            session.context = _loaded(held[name], name)
        elif site.stranger == "alert":
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None

    context.sni_callback = choose
    return context


@functools.cache
def _loaded(pem: str, name: str) -> ssl.SSLContext:  # noqa: ARG001  (one context per name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(pem))
    context.set_alpn_protocols(["http/1.1"])
    return context
