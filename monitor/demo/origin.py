"""Servers of the demonstration's hosts: HTTP, over TLS where a host has certificates.

The server asks the censor during the handshake, where a real censor reads the ClientHello, whether
to reset the connection; the reset is a real RST.
"""

import asyncio
import html
import socket
import ssl
import struct
from collections.abc import Callable
from contextvars import ContextVar
from email.utils import formatdate
from functools import cache

import h11
import msgspec

from monitor.demo.plan import PORTAL, PORTAL_PATH, PORTAL_WORD

Contexts = Callable[[str], ssl.SSLContext]
"""The server's context for a name, known or unknown."""
Resets = Callable[[str, str], bool]
"""Whether a connection from an address is reset for a server name."""

_LONGEST = 1024 * 1024
"""Bytes of a request's body."""
_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing send a reset."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page to serve."""

    status: int = 200
    title: str
    text: str
    last: bool = False
    """Whether the connection is closed after it."""


Respond = Callable[[h11.Request, bytes], Page]
"""The page for a request and its body."""


def site(request: h11.Request, _: bytes) -> Page:
    """The page of a genuine host."""
    host = _host(request)
    path = request.target.decode("latin-1").partition("?")[0]
    if host == PORTAL and path == PORTAL_PATH:
        return Page(title=PORTAL_WORD, text=PORTAL_WORD)
    return Page(title=host, text=f"This stands for {host} in a demonstration of shutwatch.")


def block_page(request: h11.Request, _: bytes) -> Page:
    """The page that false DNS answers lead to."""
    text = f"{_host(request)} is not available in the demonstration's country."
    return Page(status=403, title="Not available", text=text)


async def serve_http(
    respond: Respond, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer all requests on one connection. Raises h11.ProtocolError and OSError."""
    http = h11.Connection(h11.SERVER)
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            request, body = event, b""
        elif isinstance(event, h11.Data) and len(body) <= _LONGEST:
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            for part in _events(request, respond(request, body)):
                writer.write(http.send(part) or b"")
            await writer.drain()
            if http.our_state is not h11.DONE:
                return
            http.start_next_cycle()
        else:
            return


async def serve_https(
    respond: Respond,
    contexts: Contexts,
    resets: Resets,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Shake hands as the host that the client names, unless that is reset, then speak HTTP."""
    transport = writer.transport
    client = str(writer.get_extra_info("peername")[0])

    def context_for(name: str) -> ssl.SSLContext | None:
        if not resets(client, name):
            return contexts(name)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        transport.abort()
        return None

    _CONTEXT_FOR.set(context_for)
    await writer.start_tls(_greeted())
    await serve_http(respond, reader, writer)


_CONTEXT_FOR: ContextVar[Callable[[str], ssl.SSLContext | None]] = ContextVar("context_for")
"""Gives the context for a name, on the connection that this task serves; None: it was reset."""


def _on_name(handshake: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
    context = _CONTEXT_FOR.get()(name or "")
    if context is None:
        return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR  # never sent: a reset goes out instead
    handshake.context = context
    return None


@cache
def _greeted() -> ssl.SSLContext:
    """The context of every connection until its client names a host: to make one takes as long as a
    third of a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = _on_name
    return context


def _events(request: h11.Request, page: Page) -> list[h11.Event]:
    """What answers the request with the page."""
    body = _document(page)
    headers = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        *([("Connection", "close")] if page.last else []),
    ]
    head = h11.Response(status_code=page.status, headers=headers, reason=b"")
    has_body = request.method != b"HEAD" and page.status != 204
    return [head, *([h11.Data(data=body)] if has_body else []), h11.EndOfMessage()]


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
