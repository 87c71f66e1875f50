"""Servers of the demonstration's hosts: TLS and HTTP on asyncio.

The server asks the censor during the handshake, where a real censor reads the ClientHello, whether
to reset the connection; the reset is a real RST.
"""

import asyncio
import html
import socket
import ssl
import struct
from collections.abc import Callable
from email.utils import formatdate

import h11
import msgspec

from monitor.demo.certificates import Handshake
from monitor.demo.connection import Connection
from monitor.demo.plan import PORTAL, PORTAL_PATH, PORTAL_WORD

Contexts = Callable[[str], ssl.SSLContext]
"""The server's context for a name, known or unknown."""
Resets = Callable[[str, str], bool]
"""Whether a connection from an address is reset for a server name."""

_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing send a reset."""


class Page(msgspec.Struct, frozen=True):
    """A page to serve."""

    status: int
    title: str
    text: str


Pages = Callable[[str, str], Page]
"""The page of a host and path."""


def site(host: str, path: str) -> Page:
    """The page of a genuine host."""
    if host == PORTAL and path == PORTAL_PATH:
        return Page(200, PORTAL_WORD, PORTAL_WORD)
    return Page(200, host, f"This stands for {host} in a demonstration of shutwatch.")


def block_page(host: str, _: str) -> Page:
    """The page that false DNS answers lead to."""
    return Page(403, "Not available", f"{host} is not available in the demonstration's country.")


class Origin(Connection):
    """One connection to a server."""

    def __init__(
        self, pages: Pages, *, contexts: Contexts | None = None, resets: Resets | None = None
    ) -> None:
        """Speaks TLS when there are `contexts`."""
        self._pages = pages
        self._contexts = contexts
        self._resets = resets
        self._blocked = False
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._handshake: Handshake | None = None
        self._established = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected; with TLS, expect a ClientHello."""
        super().connection_made(transport)
        if self._contexts is not None:
            context = self._contexts("")
            handshake = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            assert isinstance(handshake, Handshake)  # noqa: S101 # the context makes no others
            handshake.on_name = self._on_name
            self._handshake = handshake

    def data_received(self, data: bytes) -> None:
        """Part of a handshake or of a request."""
        if self._handshake is None:
            self._parse(data)
            return
        self._incoming.write(data)
        if self._established or self._shake_hands(self._handshake):
            self._decrypt(self._handshake)

    def _on_name(self, name: str) -> int | None:
        if self._resets is not None and self._resets(self.client, name):
            self._blocked = True
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR  # never sent: a reset follows
        if self._handshake is not None and self._contexts is not None:
            self._handshake.context = self._contexts(name)
        return None

    def _shake_hands(self, handshake: Handshake) -> bool:
        """Continue the handshake; True when it is complete."""
        try:
            handshake.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            if self._blocked:
                self._reset()
            else:
                self._flush()
                self.transport.close()
        else:
            self._established = True
            self._flush()
        return self._established

    def _decrypt(self, handshake: Handshake) -> None:
        while not self.transport.is_closing():
            try:
                data = handshake.read(65536)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLError:
                self.transport.abort()
                return
            if not data:
                self.transport.close()
                return
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._answer()
        except h11.ProtocolError:
            self.transport.close()

    def _answer(self) -> None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._request = event
            elif isinstance(event, h11.EndOfMessage):
                self._respond()
                if self._http.our_state is not h11.DONE:
                    self.transport.close()
                    return
                self._http.start_next_cycle()
            elif not isinstance(event, h11.Data):
                return

    def _respond(self) -> None:
        assert self._request is not None  # noqa: S101 # there is one before its end
        name = _host(self._request)
        path = self._request.target.decode("latin-1").partition("?")[0]
        page = self._pages(name, path)
        body = _document(page)
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        head = h11.Response(status_code=page.status, headers=headers, reason=b"")
        parts = [self._http.send(head)]
        if self._request.method != b"HEAD":
            parts.append(self._http.send(h11.Data(data=body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        self._send(b"".join(part or b"" for part in parts))

    def _send(self, data: bytes) -> None:
        if self._handshake is None:
            self.transport.write(data)
        else:
            self._handshake.write(data)
            self._flush()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self.transport.write(data)

    def _reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self.transport.abort()


def _host(request: h11.Request) -> str:
    """The requested host name, without a port."""
    named = next((value for key, value in request.headers if key == b"host"), b"")
    return named.decode("latin-1").partition(":")[0].lower()


def _document(page: Page) -> bytes:
    title, text = html.escape(page.title), html.escape(page.text)
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1><p>{text}</p></body></html>\n"
    ).encode()
