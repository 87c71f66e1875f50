"""Origin servers: TLS and HTTP/1.1 for one host each, changeable while they run.

Hosts that speak something else (chat, STUN, NTP, HTTP/3) are sites too, with the same visits,
delays and downs.

TLS runs over memory buffers, so that each connection knows which host's address it came to and
may be delayed, silenced or refused at any stage.
"""

import asyncio
import base64
import contextlib
import dataclasses
import email.utils
import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.lab import chat, ntp, stun
from tests.lab.listener import Datagrams, Listener, reset, silence
from tests.lab.overload import Overload
from tests.lab.sniff import MORE, sniff

MOST_VISITS = 20_000
RECORD = 4096
"""Bytes per TLS record: servers keep them small, so that a slow client sees something soon."""
DnsAnswer = Callable[[bytes], bytes | None]
Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""
ALT_SVC = 'h3=":443"; ma=86400'


@dataclasses.dataclass
class Site:
    """One host's servers. Delays in seconds."""

    name: str
    pem: str
    """File with key and chain."""
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = (443, 80)
    raw: bool = False
    speaks: str = ""
    """What a raw host answers: mtproto, noise, or nothing when empty."""
    stun: bool = False
    ntp: bool = False
    quic: bool = False
    """Advertises HTTP/3; who sets it puts a server among `listeners`."""
    https: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    http: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    tls_delay: float = 0.0
    """Before the server hello."""
    http_delay: float = 0.0
    """Before the HTTP answer."""
    clock: float = 0.0
    """Seconds its Date is ahead of the truth."""
    breaks: str = ""
    """Ends every connection by reset, eof or silence, for everybody; empty: none."""
    breaks_after: str = "hello"
    """When: after the client's first bytes (hello), or after a request."""
    overload: Overload | None = None
    """Set while the server has too much to do."""
    pages_to: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """Pages for certain clients alone, latest first: `networks`, `scheme`, `path` and `page`."""
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
    listeners: list[Listener | Datagrams] = dataclasses.field(default_factory=list)

    async def open(self) -> None:
        """Listen on every address and port."""
        if not self.listeners:
            self.listeners += [
                Listener(address, port, functools.partial(Connection, self, port))
                for address in self.addresses
                for port in self.ports
            ]
            if self.stun:
                self.listeners += [
                    Datagrams(a, port, self._bind) for a in self.addresses for port in stun.PORTS
                ]
            if self.ntp:
                self.listeners += [Datagrams(a, ntp.PORT, self._tell) for a in self.addresses]
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

    async def struggle(self, overload: Overload) -> None:
        """Have too much to do until cancelled, and then recover."""
        self.overload = overload
        try:
            while True:
                busy, closed = overload.pause()
                await asyncio.sleep(busy)
                if overload.closed:
                    for listener in self.listeners:
                        listener.refuse()
                    await asyncio.sleep(closed)
                    await self.open()
        finally:
            self.overload = None

    def _bind(self, here: Datagrams, data: bytes, peer: Any) -> None:
        reply = stun.answer(data, peer[:2])
        if reply is not None:
            self.visited("stun", peer[0])
            here.send(reply, peer)

    def _tell(self, here: Datagrams, data: bytes, peer: Any) -> None:
        reply = ntp.answer(data, time.time())
        if reply is not None:
            self.visited("ntp", peer[0])
            here.send(reply, peer)

    def visited(self, stage: str, peer: str, **seen: Any) -> None:
        """Note that a client got as far as `stage` (tcp, tls, http, quic, chat, stun or ntp)."""
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
        self._broken = False
        self._hello = b""
        self._chat = chat.SPEAKERS[site.speaks]() if site.raw else None
        self._fate, self._wait = site.overload.fate() if site.overload else ("", 0.0)
        self._secure = port != 80 and not site.raw
        self._http = _Http(site, "https" if self._secure else "http", self._break)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say nothing yet: the client speaks first."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = transport.get_extra_info("peername")[0]
        self._site.connections.add(self)
        self._site.visited("tcp", peer, port=self._port)
        if self._fate == "reset":
            reset(transport)
            return
        self._http.start(peer, self._write, self._close)
        if self._secure:
            self._tls = _Tls(self._site, peer, transport)

    def data_received(self, data: bytes) -> None:
        """Through TLS where there is TLS, then to HTTP."""
        if self._broken or self._fate:
            if self._fate == "eof":
                self.transport.close()
            return
        if self._wait:
            wait, self._wait = self._wait, 0.0
            self._late = data
            asyncio.get_running_loop().call_later(wait, self._speak)
        elif self._late is not None:
            self._late += data
        elif self._site.breaks and self._site.breaks_after == "hello":
            # All of it: closing with bytes unread would be a reset.
            self._hello += data
            if sniff(self._hello, self._port)[0] != MORE:
                self._break()
        elif self._chat is not None:
            self._converse(self._chat, data)
        elif self._tls is None:
            self._http.feed(data)
        elif self._site.tls_delay and not self._spoken:
            self._late = data
            asyncio.get_running_loop().call_later(self._site.tls_delay, self._speak)
        else:
            self._through_tls(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget it."""
        self._site.connections.discard(self)

    def _break(self) -> None:
        self._broken = True
        if self._site.breaks == "reset":
            reset(self.transport)
        elif self._site.breaks == "eof":
            self.transport.close()

    def _converse(self, speaker: chat.Chat, data: bytes) -> None:
        said = speaker.feed(data)
        if said is None:
            self.transport.close()
        elif said:
            self._site.visited("chat", self.transport.get_extra_info("peername")[0])
            self.transport.write(said)

    def _speak(self) -> None:
        self._spoken = True
        data, self._late = self._late or b"", None
        self.data_received(data)

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
    def __init__(self, site: Site, scheme: str, give_up: Callable[[], None]) -> None:
        self._site = site
        self._scheme = scheme
        self._give_up = give_up
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
        if self._site.breaks:
            self._give_up()
            return
        status, headers, content = answer(self._site, self._scheme, self._peer, host, target, body)
        last = fields.get("connection", "").lower() == "close"
        headers = {**headers, "Connection": "close" if last else "keep-alive"}
        if self._site.quic and self._scheme == "https":
            headers["Alt-Svc"] = ALT_SVC
        if status != 204:
            headers["Content-Length"] = str(len(content))
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        whole = "\r\n".join([*head, "", ""]).encode()
        if method != "HEAD" and status != 204:
            whole += content
        loop = asyncio.get_running_loop()
        if self._site.http_delay:
            loop.call_later(self._site.http_delay, self._send, whole, last)
        else:
            self._send(whole, last)

    def _send(self, whole: bytes, last: bool) -> None:
        self._write(whole)
        if last:
            self._close()


def answer(site: Site, scheme: str, peer: str, host: str, target: str, body: bytes) -> Answer:
    """What a site answers a client at address `peer` that asks `host` for `target`."""
    status, headers, content = _page(site, scheme, peer, host, target, body)
    now = email.utils.formatdate(time.time() + site.clock, usegmt=True)
    return status, {"Server": "lab", "Date": now, **headers}, content


def _page(site: Site, scheme: str, peer: str, host: str, target: str, body: bytes) -> Answer:
    parts = urlsplit(target)
    page = _page_to(site, scheme, peer, parts.path)
    if page is None and parts.path.startswith("/lab/bytes/"):
        size = int(parts.path.rpartition("/")[2])
        return 200, {"Content-Type": "application/octet-stream"}, bytes(size)
    if page is None and site.answer_dns is not None and parts.path == "/dns-query":
        return _doh(site.answer_dns, parts.query, body)
    pages = site.https if scheme == "https" else site.http
    page = page or pages.get(parts.path) or pages.get("")
    if page is not None:
        return page["status"], dict(page["headers"]), page["body"].encode()
    if scheme == "http":
        return 301, {"Location": f"https://{host or site.name}{target}"}, b""
    return 404, {"Content-Type": "text/plain"}, b"not found\n"


def _page_to(site: Site, scheme: str, peer: str, path: str) -> dict[str, Any] | None:
    """The page this client alone gets, if any."""
    for entry in site.pages_to:
        if entry["scheme"] == scheme and entry["path"] in ("", path):
            address = ipaddress.ip_address(peer)
            if any(address in ipaddress.ip_network(network) for network in entry["networks"]):
                page: dict[str, Any] = entry["page"]
                return page
    return None


def _doh(answer_dns: DnsAnswer, query: str, body: bytes) -> Answer:
    given = parse_qs(query).get("dns")
    if given:
        body = base64.urlsafe_b64decode(given[0] + "=" * (-len(given[0]) % 4))
    reply = answer_dns(body)
    if reply is None:
        return 400, {}, b""
    return 200, {"Content-Type": "application/dns-message"}, reply


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
